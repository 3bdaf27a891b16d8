"""A backup -> a home: every hash is verified before anything is put in place.

The home is built beside its place and then renamed: it is there as a whole, or not at all.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
import zipfile
import zlib
from datetime import UTC, datetime
from pathlib import Path

from fmstudio import lock
from fmstudio.adapters.archive import check_plain, shown
from fmstudio.backup.listing import ANOTHER, CHUNK, NAME, Listing, Stored, is_safe, parsed
from fmstudio.errors import InputError, NotFound, ResourceError
from fmstudio.files import place_folder, sync
from fmstudio.registry.faults import FILE
from fmstudio.registry.opening import check_copy
from fmstudio.runs.launch import workers_of
from fmstudio.settings import Settings

LISTING_BYTES = 256_000_000  # a line of about 150 bytes for each of a million files
_NO_PLAIN_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    ValueError,
    EOFError,
    RuntimeError,
    FileExistsError,
    NotADirectoryError,
)
NO_WORK = {"cache", "logs", "temp", lock.LOCK, "serve.json"}  # what a home without work may hold


def restore(
    archive: Path, settings: Settings, replace: bool = False
) -> tuple[Listing, Path | None]:
    """Put a backup in the place of a home; what was restored, and where the old home went.

    The old home is kept beside it if `replace`. Raises InputError if it is in use, or holds work
    and is not to be replaced; if the backup is damaged, nothing is put in place.
    """
    if not archive.is_file():
        raise NotFound(f"There is no file {archive.name}.", hint="Check its name and folder.")
    _check_home(settings, replace)
    home = settings.home
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        built = home.with_name(f".{home.name}.restoring-{secrets.token_hex(4)}")
        built.mkdir(mode=0o700)
    except OSError as fault:
        raise InputError(
            f"The home folder '{home.name}' cannot be made: {fault.strerror}.",
            hint="Choose a folder that you may write to with --home.",
        ) from fault
    try:
        listing = _unpacked(archive, built)
        check_copy(built / FILE)
        _check_home(settings, replace)
        return listing, _placed(built, home)
    finally:
        shutil.rmtree(built, ignore_errors=True)


def _check_home(settings: Settings, replace: bool) -> None:
    if not settings.home.exists():
        return
    busy = workers_of(settings)
    if busy or lock.is_held(settings.home):
        what = f"a run is under way (process {busy[0]})" if busy else "its web app is open"
        raise InputError(
            f"The home folder is in use: {what}.",
            hint="Stop it first, or restore into another folder with --home.",
        )
    if not replace and holds_work(settings.home):
        raise InputError(
            f"The home folder '{settings.home.name}' holds work.",
            hint="Restore into another folder with --home, or add --replace: the old home is then "
            "kept beside the new one.",
        )


def holds_work(home: Path) -> bool:
    """Whether there is anything in a home that is not made anew by itself."""
    return not home.is_dir() or any(path.name not in NO_WORK for path in home.iterdir())


def _unpacked(archive: Path, folder: Path) -> Listing:
    """Write the files of a backup into an empty folder, each held against its hash."""
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = _checked(archive.name, opened)
            if entries[NAME].file_size > LISTING_BYTES:
                raise InputError(f"'{archive.name}' is no backup: {NAME} is too large.", ANOTHER)
            listing = parsed(archive.name, opened.read(entries.pop(NAME)))
            odd = sorted(set(entries) ^ set(listing.files))
            if odd:
                raise InputError(
                    f"'{archive.name}' is damaged: '{shown(odd[0])}' is not where it is listed.",
                    ANOTHER,
                )
            _check_room(listing, folder)
            for name, entry in entries.items():
                if _extracted(opened, entry, folder / name) != listing.files[name]:
                    raise InputError(
                        f"'{archive.name}' is damaged: '{name}' is not as it was backed up.",
                        ANOTHER,
                    )
    except _NO_PLAIN_ZIP as fault:
        raise InputError(f"'{archive.name}' is damaged or no backup: {fault}.", ANOTHER) from fault
    return listing


def _checked(archive: str, opened: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The entries by name, after the table of contents was judged."""
    found: dict[str, zipfile.ZipInfo] = {}
    for entry in opened.infolist():
        check_plain(archive, entry)
        known = entry.filename == NAME or is_safe(entry.filename)
        if not known or entry.orig_filename != entry.filename or entry.filename in found:
            raise InputError(
                f"'{archive}' is no backup: it holds '{shown(entry.orig_filename)}'.", ANOTHER
            )
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            raise InputError(
                f"'{archive}' was packed again: '{shown(entry.filename)}' is compressed.", ANOTHER
            )
        found[entry.filename] = entry
    if NAME not in found:
        raise InputError(f"'{archive}' is no backup of a studio: it holds no {NAME}.", ANOTHER)
    return found


def _check_room(listing: Listing, folder: Path) -> None:
    needed, free = listing.size, shutil.disk_usage(folder).free
    if needed > free:
        raise ResourceError(
            f"The backup holds {needed / 1e6:.0f} MB, but the disk of the home folder has "
            f"{free / 1e6:.0f} MB free.",
            hint="Free some space, or choose another folder with --home.",
        )


def _extracted(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> Stored:
    """Write one file, and what it turned out to be; it lasts once this returns."""
    for folder in reversed(target.parents[: len(Path(entry.filename).parts) - 1]):
        folder.mkdir(exist_ok=True, mode=0o700)
    digest, size = hashlib.sha256(), 0
    with opened.open(entry) as source, target.open("xb") as out:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            out.write(chunk)
    target.chmod(0o600)
    return Stored(digest.hexdigest(), size)


def _placed(built: Path, home: Path) -> Path | None:
    """Rename the finished home to its place; the old one, where it is kept.

    A power cut between the two renames leaves the old home under its new name, and nothing else.
    """
    old = home.with_name(f"{home.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%S}")
    there, kept = home.exists(), home.exists() and holds_work(home)
    try:
        if there:
            home.rename(old)
            sync(home.parent)
        try:
            place_folder(built, home)
        except OSError:
            if there:
                old.rename(home)
            raise
    except OSError as fault:
        raise InputError(
            f"The home folder '{home.name}' cannot be replaced: {fault.strerror}.",
            hint="Restore into another folder with --home.",
        ) from fault
    if there and not kept:
        shutil.rmtree(old, ignore_errors=True)
    return old if kept else None
