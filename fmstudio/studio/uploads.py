"""Files that come from outside or go away: safe unpacking, keeping, removing, room on the disk."""

from __future__ import annotations

import logging
import lzma
import re
import secrets
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from fmstudio.cohort.paths import reads
from fmstudio.contracts import Described, pipelines
from fmstudio.errors import InputError, NotFound, ResourceError, StudioError, UnreadableFile
from fmstudio.files import write_whole
from fmstudio.marks import age, at_work, leave, mark_of
from fmstudio.settings import Settings
from fmstudio.types import Source

if TYPE_CHECKING:
    from fmstudio.sandbox import Reader

log = logging.getLogger(__name__)

MANIFEST_SUFFIXES = (".csv", ".tsv", ".xlsx", ".parquet")
MOST_FILES = 200_000
LARGEST_RATIO = 200  # deflate reaches about 1000 on zeros; clinical files stay far below 100
SMALL = 1_000_000  # bytes below which the ratio of a file does not matter
CHUNK = 1 << 20
IDLE_SECONDS = 3600.0
_FRESH = re.compile(r"[0-9a-f]{16}")  # what `temp_folder` calls a folder


def temp_folder(settings: Settings) -> Path:
    """A fresh folder below home/temp, swept away once this process has ended."""
    path = settings.folder("temp") / secrets.token_hex(8)
    path.mkdir(mode=0o700)
    leave(mark_of(path))
    return path


@contextmanager
def writing(settings: Settings, target: Path) -> Iterator[None]:
    """While this lasts, a file outside home is written; where it is cut off, the next start of the
    studio removes what is half written beside it."""
    with at_work(settings.folder("temp") / f"writing-{secrets.token_hex(8)}", writes=target):
        yield


@contextmanager
def cohort_folder(settings: Settings) -> Iterator[Path]:
    """A new name below home/cohorts: what is put there stays if all goes well, and else goes."""
    folder = settings.folder("cohorts") / secrets.token_hex(8)
    with at_work(folder):  # a killed process leaves its mark, and the next start clears up
        try:
            yield folder
        except BaseException:
            remove([folder])
            raise


def forget_old(settings: Settings) -> None:
    """Remove what was unpacked in home/temp and not touched for an hour."""
    for path in settings.folder("temp").iterdir():
        if _FRESH.fullmatch(path.name) and age(path) > IDLE_SECONDS:
            remove([path])


def remove(paths: Iterable[Path]) -> None:
    """Remove files and folders of ours; what cannot be removed is logged."""
    for path in paths:
        try:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
            if _FRESH.fullmatch(path.name):
                mark_of(path).unlink(missing_ok=True)
        except OSError as fault:  # names of files inside may be those of patients
            log.warning("could not remove all of %s: %s", path.name, fault.strerror)


def check_folder_of(target: Path) -> None:
    """Raises NotFound if the folder that a file is to be written to does not exist."""
    if not target.absolute().parent.is_dir():
        raise NotFound(
            f"There is no folder '{target.parent.name}' to write {target.name} to.",
            hint="Make the folder first.",
        )


def check_free_disk(settings: Settings, needed_mb: float = 0.0) -> None:
    """Raises ResourceError if the home folder's disk lacks room."""
    needed = needed_mb + settings.limits.free_disk_mb
    free = shutil.disk_usage(settings.folder("temp")).free / 1e6
    if free < needed:
        raise ResourceError(
            f"The disk of the studio's home folder has {free:.0f} MB free, "
            f"but {needed:.0f} MB are needed.",
            hint="Free some space, or choose another folder with --home.",
        )


def unpack(archive: Path, settings: Settings) -> Path:
    """Unpack a ZIP into a temp folder; the path of the only table at its top that is a manifest.

    Sizes are checked before anything is written and counted while writing. Raises UnreadableFile
    for a damaged or suspicious archive, InputError if there is not exactly one manifest.
    """
    if not archive.is_file():
        raise NotFound(f"There is no file {archive.name}.", hint="Check its name and folder.")
    folder = temp_folder(settings)
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = _checked_entries(opened, archive.name, settings)
            check_free_disk(settings, sum(entry.file_size for entry in entries) / 1e6)
            for entry in entries:
                _write_entry(opened, entry, folder, archive.name)
        return _find_manifest(folder, archive.name)
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        NotImplementedError,
        RuntimeError,
        OSError,
    ) as fault:
        remove([folder])
        raise UnreadableFile(
            f"{archive.name} cannot be unpacked: {fault}.", hint="Make the ZIP anew, unencrypted."
        ) from fault
    except BaseException:
        remove([folder])
        raise


def _checked_entries(
    opened: zipfile.ZipFile, name: str, settings: Settings
) -> list[zipfile.ZipInfo]:
    entries = [entry for entry in opened.infolist() if not entry.is_dir()]
    entries = [entry for entry in entries if not _is_system_file(entry.filename)]
    seen: set[str] = set()
    for entry in entries:
        path = PurePosixPath(entry.filename)
        bad = path.is_absolute() or ".." in path.parts or "\\" in entry.filename
        bad |= ":" in entry.filename or "\0" in entry.filename
        bad |= stat.S_ISLNK(entry.external_attr >> 16) or entry.filename.casefold() in seen
        if bad:
            raise UnreadableFile(
                f"{name} holds an entry that is not a plain file below its own folder: "
                f"'{entry.filename}'.",
                hint="Make the ZIP anew from one folder, without links and without two names "
                "that differ only in case.",
            )
        seen.add(entry.filename.casefold())
        if entry.file_size > max(SMALL, LARGEST_RATIO * entry.compress_size):
            raise UnreadableFile(
                f"{name}: '{entry.filename}' would unpack to {entry.file_size / 1e6:.0f} MB, "
                f"more than {LARGEST_RATIO} times its packed size.",
                hint="Leave it out, or give the files in a folder instead of a ZIP.",
            )
    size_mb = sum(entry.file_size for entry in entries) / 1e6
    if len(entries) > MOST_FILES or size_mb > settings.limits.upload_mb:
        raise UnreadableFile(
            f"{name} holds {len(entries)} files of {size_mb:.0f} MB together.",
            hint=f"At most {MOST_FILES} files and {settings.limits.upload_mb} MB are taken; add "
            "the cohort from its folder on the command line instead.",
        )
    return entries


def _is_system_file(name: str) -> bool:
    """True for what macOS and Windows add to an archive."""
    parts = PurePosixPath(name).parts
    return "__MACOSX" in parts or parts[-1] in (".DS_Store", "Thumbs.db", "desktop.ini")


def _write_entry(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path, name: str) -> None:
    target = folder / entry.filename
    target.parent.mkdir(parents=True, exist_ok=True)
    left = entry.file_size  # the declared size is a claim: never write more
    with opened.open(entry) as source, target.open("wb") as out:
        while chunk := source.read(CHUNK):
            left -= len(chunk)
            if left < 0:
                raise UnreadableFile(
                    f"{name}: '{entry.filename}' is larger than the archive says.",
                    hint="Make the ZIP anew.",
                )
            out.write(chunk)


def _find_manifest(folder: Path, name: str) -> Path:
    """The only table in the topmost folder that has one; else the only one called manifest."""
    tables = sorted(p for p in folder.rglob("*") if p.suffix.lower() in MANIFEST_SUFFIXES)
    depth = min((len(path.parts) for path in tables), default=0)
    top = [path for path in tables if len(path.parts) == depth]
    named = [path for path in top if path.stem.lower() == "manifest"]
    chosen = named if len(named) == 1 else top
    if len(chosen) != 1:
        found = ", ".join(path.name for path in top[:5]) or "none"
        raise InputError(
            f"{name} must hold one table of cases at its top, but has {len(top)}: {found}.",
            hint="Name the table of cases manifest.csv.",
        )
    return chosen[0]


def keep(manifest: Path, kept: Path, settings: Settings) -> Path:
    """Take the folder of a manifest to `kept`, below home/cohorts; the manifest's path there.

    A folder that we unpacked ourselves is moved, any other is copied without its links. Raises
    InputError for one that holds the home itself.
    """
    folder = manifest.parent
    if folder.resolve().is_relative_to(settings.folder("temp").resolve()):
        shutil.move(folder, kept)
        mark_of(folder).unlink(missing_ok=True)
    else:
        if kept.resolve().is_relative_to(folder.resolve()):  # it would be copied into itself
            raise InputError(
                f"{manifest.name} lies in the folder that holds the studio's home.",
                hint="Put the table and its files into a folder of their own.",
            )
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        check_free_disk(settings, size / 1e6)
        shutil.copytree(folder, kept, ignore=_links)
    return kept / manifest.name


def strip_headers(folder: Path, reader: Reader) -> None:
    """Take out of the files of a folder of ours what their headers tell of the patient.

    A file that cannot be read stays as it is: the report on the cohort names it.
    """
    knows = [p for p in pipelines().values() if isinstance(p, Described)]
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = next((p.name for p in knows if reads(p, path)), None)
        if name is None:
            continue
        try:
            content = reader.stripped(name, Source(path.stem, path))
        except StudioError:
            log.warning("the header of a kept file could not be read")
            continue
        if content is not None:
            write_whole(path, content)


def _links(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if (Path(folder) / name).is_symlink()]
