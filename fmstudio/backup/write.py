"""A home -> a ZIP of its registry and of every file that its rows name, while work goes on.

The registry is copied first (SQLite's online backup), then the files that the copy names. Files of
adapters and cohorts never change, states of runs are replaced as a whole, and rows come after their
files: so what the copy names is there, unless it was deleted meanwhile. Then all is done again.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from fmstudio.backup.listing import CHUNK, NAME, Listing, Stored
from fmstudio.errors import InputError, NotFound, ResourceError
from fmstudio.files import TEMPORARY, beside, sync
from fmstudio.marks import at_work
from fmstudio.registry import Registry
from fmstudio.registry.backups import copy_to
from fmstudio.registry.connecting import BUSY_SECONDS
from fmstudio.registry.faults import FILE, explained
from fmstudio.registry.named import Named, is_kept, named_folders, own_folders
from fmstudio.registry.opening import open_to_read
from fmstudio.registry.read_only import readable
from fmstudio.settings import Settings
from fmstudio.version import __version__

TRIES = 3
EPOCH = (1980, 1, 1, 0, 0, 0)  # the oldest time that a ZIP can say


class _Changed(Exception):
    """Something that the copy of the registry names was deleted or changed meanwhile."""


def back_up(settings: Settings, registry: Registry, target: Path) -> Listing:
    """Write a backup of a home, whole or not at all; what it holds.

    Raises InputError for a target that is there already or is no ZIP, NotFound if its folder is not
    there, and ResourceError if its disk has no room.
    """
    _check_target(target)
    for _ in range(TRIES):
        folder = beside(target.absolute())
        folder.mkdir(mode=0o700)
        # Of a backup that is cut off, the next start of the studio removes what is there.
        mark = settings.folder("temp") / f"backup-{secrets.token_hex(8)}"
        with at_work(mark, writes=target):
            try:
                listing = _written(settings, registry, folder)
                (folder / "new.zip").chmod(0o600)
                sync(folder / "new.zip")
                _give_name(folder / "new.zip", target)
                return listing
            except _Changed:
                continue
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    raise InputError(
        "Adapters or cohorts were deleted each time the backup was begun.",
        hint="Make it again when nobody deletes anything.",
    )


def _check_target(target: Path) -> None:
    if target.suffix.lower() != ".zip":
        raise InputError(f"'{target.name}' does not end in .zip.", hint="Name a file like a.zip.")
    if not target.absolute().parent.is_dir():
        raise NotFound(
            f"There is no folder '{target.parent.name}' to write {target.name} to.",
            hint="Make the folder first.",
        )
    if target.exists():
        raise InputError(
            f"'{target.name}' is there already.", hint="Choose another name: none is overwritten."
        )


def _give_name(new: Path, target: Path) -> None:
    """Put the finished file at `target`. Raises InputError if one came there meanwhile."""
    _check_target(target)
    new.replace(target)
    sync(target.absolute().parent)


def _written(settings: Settings, registry: Registry, folder: Path) -> Listing:
    """Write folder/new.zip. Raises _Changed."""
    home = settings.home
    with explained(home / FILE), closing(readable(home / FILE, BUSY_SECONDS)()) as source:
        copy_to(source, folder / FILE)
    copy = Registry(folder, open_to_read(Settings(folder), BUSY_SECONDS))
    try:
        named, rows = named_folders(copy), copy.counts()
        outside = tuple(
            cohort.id
            for project in copy.projects()
            for cohort in copy.cohorts(project.id)
            if not is_kept(cohort.manifest)
        )
    finally:
        copy.close()
    folders = [one.folder for one in named] + list(own_folders(home))
    _check_room(home, folders, folder)
    files: dict[str, Stored] = {}
    with zipfile.ZipFile(folder / "new.zip", "w", zipfile.ZIP_STORED) as archive:
        files[FILE] = _added(archive, FILE, folder / FILE)
        for path in (path for each in folders for path in _files_of(home / each)):
            name = path.relative_to(home).as_posix()
            try:
                files[name] = _added(archive, name, path)
            except FileNotFoundError:
                continue  # a state of a run that was replaced; of all others see below
        if not _contents(named) <= _contents(named_folders(registry)):
            raise _Changed
        made = datetime.now(UTC).isoformat(timespec="seconds")
        listing = Listing(__version__, made, rows, files, outside, _missing(named, files))
        archive.writestr(_entry(NAME), listing.as_json())
    return listing


def _contents(named: list[Named]) -> set[tuple[str, str | None]]:
    return {(one.folder, one.sealed) for one in named}


def _missing(named: list[Named], files: dict[str, Stored]) -> tuple[str, ...]:
    """The folders without a file; a run has none before its worker began."""
    held = {"/".join(name.split("/")[:2]) for name in files}
    return tuple(n.folder for n in named if n.folder not in held and "runs/" not in n.folder)


def _files_of(folder: Path) -> Iterator[Path]:
    """The files below a folder, without links and without those that are being written."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.suffix != TEMPORARY:
            yield path


def _check_room(home: Path, folders: list[str], target: Path) -> None:
    """Raises ResourceError if the disk of the target lacks room for the files."""
    sizes = [p.stat().st_size for each in folders for p in _files_of(home / each) if p.exists()]
    needed = sum(sizes) + 2 * (target / FILE).stat().st_size
    free = shutil.disk_usage(target).free
    if needed > free:
        raise ResourceError(
            f"The backup needs {needed / 1e6:.0f} MB, but the disk it is to be written to has "
            f"{free / 1e6:.0f} MB free.",
            hint="Free some space there, or write it to another disk.",
        )


def _added(archive: zipfile.ZipFile, name: str, path: Path) -> Stored:
    """Copy one file into the archive as it is now: what is hashed is what was written."""
    digest, size = hashlib.sha256(), 0
    try:
        name.encode()
    except UnicodeEncodeError as fault:
        raise InputError(
            f"A file's name in the home is no text: {os.fsencode(path.name)!r}.",
            hint="Rename the file, and name it so in its table.",
        ) from fault
    with path.open("rb") as source, archive.open(_entry(name), "w", force_zip64=True) as sink:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            sink.write(chunk)
    return Stored(digest.hexdigest(), size)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, date_time=EPOCH)
    entry.create_system, entry.external_attr = 3, 0o100600 << 16
    return entry
