"""The zip around an adapter: a folder's files in, a zip out, and back, trusting nothing.

A foreign zip is judged by its table of contents before a byte is unpacked, and its files are read
into memory under limits, never extracted. What the files say is judged in `checks`.
"""

from __future__ import annotations

import contextlib
import errno
import lzma
import os
import re
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from fmstudio.errors import BundleError, InputError, ResourceError
from fmstudio.files import place_folder, replacing

MB = 1024 * 1024
MOST_FILES = 64
TEXT_LIMIT = 2 * MB
WEIGHTS_LIMIT = 256 * MB
TOTAL_LIMIT = 512 * MB
DIRECTORY_LIMIT = 64 * 1024  # bytes of a zip's table of contents; 64 names need about 6 kB
RATIO_LIMIT = 200  # our own bundles are stored uncompressed; random weights hardly shrink

REQUIRED = tuple(
    (
        "README.md adapter/adapter_config.json adapter/adapter_model.safetensors calibration.json "
        "card.json config.json manifest.json probes.json probes.safetensors"
    ).split()
)
OPTIONAL = ("trained_on.json",)
SIGNATURE = "signature.json"
PROCESSOR = re.compile(r"processors/[a-z0-9_]{1,64}\.json")
SENT = "Ask for the file as the studio exported it, not packed again or changed."


def belongs(name: str) -> bool:
    """True if a bundle may hold a file of this name."""
    return name in (*REQUIRED, *OPTIONAL, SIGNATURE) or PROCESSOR.fullmatch(name) is not None


def size_limit(name: str) -> int:
    """The most bytes that a file of this name may have."""
    return WEIGHTS_LIMIT if name.endswith(".safetensors") else TEXT_LIMIT


def read_folder(folder: Path) -> dict[str, bytes]:
    """The files of an adapter's folder by their names in a bundle.

    Raises BundleError for a folder that is not there, and for a file that does not belong there, is
    too large, is a link or cannot be read.
    """
    if not folder.is_dir():
        raise BundleError(f"The folder '{folder.name}' is gone.")
    found = sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    files: dict[str, bytes] = {}
    for path in found:
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not path.is_file() or not belongs(name):
            raise BundleError(
                f"'{name}' does not belong into an adapter's folder.", hint="Move it elsewhere."
            )
        try:
            _check_size(name, path.stat().st_size)
            files[name] = path.read_bytes()
        except OSError as fault:
            raise BundleError(f"'{name}' cannot be read: {fault.strerror}.") from fault
    return files


def write_zip(files: Mapping[str, bytes], target: Path) -> None:
    """Write the zip: the same files give the same bytes; complete or not there at all.

    Raises ResourceError if the disk is full, InputError if the folder is not there.
    """
    with (
        _said(target.name),
        replacing(target, 0o644) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive,
    ):
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, files[name])


def write_folder(files: Mapping[str, bytes], folder: Path) -> None:
    """Write the files as a new folder: complete or not there at all.

    Raises BundleError if the folder exists, ResourceError if the disk is full.
    """
    if folder.exists():
        raise BundleError(f"'{folder.name}' is there already.", hint="Delete that adapter first.")
    with _said(folder.name):
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=folder.parent))
        try:
            for name, content in files.items():
                path = temporary / name
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(content)
            place_folder(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def read_zip(path: Path) -> dict[str, bytes]:
    """The files of a bundle by name, after its table of contents has been judged.

    Raises BundleError, naming the file and what is wrong with it.
    """
    if not path.is_file():
        raise InputError(f"There is no file '{path.name}'.", hint="Check its name and folder.")
    if path.stat().st_size > TOTAL_LIMIT:
        raise BundleError(f"'{path.name}' is larger than {TOTAL_LIMIT // MB} MB.", hint=SENT)
    _check_ends(path)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _check_entries(path.name, entries)
            return {entry.filename: _content(archive, entry) for entry in entries}
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        NotImplementedError,
        UnicodeError,
        EOFError,
        OSError,
    ) as fault:
        raise BundleError(f"'{path.name}' is damaged: {fault}.", hint=SENT) from fault


def _check_ends(path: Path) -> None:
    """Refuse what is no plain zip: something before or behind it, zip64, a huge directory.

    APPNOTE.TXT 4.3.16: the last 22 bytes of a zip without a comment are its end record.
    """
    with path.open("rb") as file:
        start = file.read(4)
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 22))
        end = file.read(22)
    if start != b"PK\x03\x04" or end[:4] != b"PK\x05\x06" or len(end) < 22:
        raise BundleError(f"'{path.name}' is not a bundle: it is no plain zip file.", hint=SENT)
    *_, entries, directory, offset, comment = struct.unpack("<4s4H2LH", end)
    if comment or offset + directory + 22 != size:
        raise BundleError(f"'{path.name}' holds something beside the bundle.", hint=SENT)
    if entries > MOST_FILES or directory > DIRECTORY_LIMIT:
        raise BundleError(
            f"'{path.name}' lists {entries} files; a bundle has at most {MOST_FILES}.", hint=SENT
        )


def check_plain(archive: str, entry: zipfile.ZipInfo) -> None:
    """Raises BundleError for an entry of a zip that is a link or locked by a password."""
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise BundleError(f"'{shown(entry.filename)}' in '{archive}' is a link.", hint=SENT)
    if entry.flag_bits & 1:
        message = f"'{shown(entry.filename)}' in '{archive}' is locked by a password."
        raise BundleError(message, hint=SENT)


def _check_entries(bundle: str, entries: list[zipfile.ZipInfo]) -> None:
    seen: set[str] = set()
    for entry in entries:
        name = entry.filename
        if name.lower() in seen:
            raise BundleError(f"'{bundle}' holds '{name}' twice.", hint=SENT)
        seen.add(name.lower())
        if not belongs(name) or entry.orig_filename != name:
            raise BundleError(
                f"'{bundle}' holds '{shown(entry.orig_filename)}', which is no part of a bundle.",
                hint=SENT,
            )
        check_plain(bundle, entry)
        _check_size(name, entry.file_size)
        if entry.file_size > MB and entry.file_size > RATIO_LIMIT * max(1, entry.compress_size):
            raise BundleError(
                f"'{name}' in '{bundle}' grows more than {RATIO_LIMIT}-fold when unpacked.",
                hint=SENT,
            )
    if sum(entry.file_size for entry in entries) > TOTAL_LIMIT:
        raise BundleError(f"'{bundle}' unpacks to more than {TOTAL_LIMIT // MB} MB.", hint=SENT)


def shown(name: str) -> str:
    """A foreign name, cut and without characters that could play tricks on a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in name[:80])


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """One file, never more of it than the table of contents said."""
    with archive.open(entry) as file:
        content = file.read(entry.file_size + 1)
    if len(content) != entry.file_size:
        raise BundleError(f"'{entry.filename}' is not as long as the zip says.", hint=SENT)
    return content


def _check_size(name: str, size: int) -> None:
    if size > size_limit(name):
        raise BundleError(
            f"'{name}' has {size / MB:.0f} MB; at most {size_limit(name) // MB} are allowed.",
            hint=SENT,
        )


@contextlib.contextmanager
def _said(name: str) -> Iterator[None]:
    """Faults of the disk as sentences."""
    try:
        yield
    except OSError as fault:
        if fault.errno == errno.ENOSPC:
            raise ResourceError(
                f"The disk is full: '{name}' could not be written.", hint="Free some space."
            ) from fault
        raise InputError(
            f"'{name}' could not be written: {fault.strerror or fault}.",
            hint="Choose a folder that is there and that you may write to.",
        ) from fault
