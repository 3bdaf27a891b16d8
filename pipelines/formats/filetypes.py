"""What a file really is, told from its first bytes, and the checks that come before any decoding.

Endings are only names; a PNG called .csv is found here and refused with what it really is.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from fmstudio.errors import UnreadableFile

HEAD_BYTES = 4096
# (offset, bytes, key, what people call it) of binary formats; the first match counts.
_SIGNATURES: Sequence[tuple[int, bytes, str, str]] = (
    (128, b"DICM", "dicom", "a DICOM file"),
    (0, b"\x89PNG\r\n\x1a\n", "png", "a PNG image"),
    (0, b"\xff\xd8\xff", "jpeg", "a JPEG image"),
    (0, b"GIF8", "gif", "a GIF image"),
    (0, b"BM", "bmp", "a BMP image"),
    (0, b"II*\x00", "tiff", "a TIFF image"),
    (0, b"MM\x00*", "tiff", "a TIFF image"),
    (0, b"PAR1", "parquet", "a Parquet table"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole", "an old or password-protected Office file"),
    (0, b"fLaC", "flac", "a FLAC recording"),
    (0, b"OggS", "ogg", "an OGG recording"),
    (0, b"caff", "caf", "a CAF recording"),
    (0, b"ID3", "mp3", "an MP3 recording"),
    (0, b"#!AMR", "amr", "an AMR recording"),
    (0, b".snd", "au", "an AU recording"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf", "a Windows Media file"),
    (0, b"\x1a\x45\xdf\xa3", "matroska", "a Matroska or WebM file"),
    (0, b"\x00\x00\x01\xba", "mpeg", "an MPEG video"),
    (0, b"\x00\x00\x01\xb3", "mpeg", "an MPEG video"),
    (0, b"\xffBIOSEMI", "bdf", "a BDF recording"),
    (0, b"SQLite format 3\x00", "sqlite", "an SQLite database"),
    (0, b"\x89HDF", "hdf5", "an HDF5 file"),
    (0, b"\x1f\x8b", "gzip", "a gzip archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z", "a 7-Zip archive"),
    (0, b"Rar!", "rar", "a RAR archive"),
    (0, b"\x7fELF", "program", "a program"),
    (0, b"MZ", "program", "a Windows program"),
)
_RIFF: Mapping[bytes, tuple[str, str]] = {
    b"WAVE": ("wav", "a WAV recording"),
    b"AVI ": ("avi", "an AVI video"),
    b"WEBP": ("webp", "a WebP image"),
}
_ZIPPED: Mapping[str, tuple[str, str]] = {
    "word/": ("docx", "a Word document"),
    "xl/": ("xlsx", "an Excel workbook"),
    "ppt/": ("pptx", "a PowerPoint file"),
}
_OPEN_DOCUMENTS: Mapping[bytes, tuple[str, str]] = {
    b"text": ("odt", "an OpenDocument text"),
    b"spreadsheet": ("ods", "an OpenDocument spreadsheet"),
    b"presentation": ("odp", "an OpenDocument presentation"),
}
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
_TEXT_CONTROLS = bytes((9, 10, 11, 12, 13, 27))
# What an unpacked Office file may hold: far above any table or letter, far below a bomb.
MAX_UNPACKED_BYTES = 600_000_000


def identify(path: Path) -> tuple[str, str]:
    """The key of a file's content and its name for people; ("", "") where it may be text.

    Text is told first, since words can look like a signature ("BMI 27" starts as a BMP image).
    Office files are told apart by what their archive holds.
    """
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return _inside_zip(path)
    return identify_start(head)


def identify_start(head: bytes) -> tuple[str, str]:
    """As `identify`, from the first `HEAD_BYTES` alone; an archive is only that."""
    if head.startswith(_BYTE_ORDER_MARKS):
        return "", ""
    if not any(byte < 32 and byte not in _TEXT_CONTROLS for byte in head):
        return _written_as_text(head)
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") and head[8:12] in _RIFF:
        return _RIFF[head[8:12]]
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "aiff", "an AIFF recording"
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        if b"opendocument.text" in head[:200]:
            return _OPEN_DOCUMENTS[b"text"]
        return next(
            (found for part, found in _ZIPPED.items() if part.encode() in head), ("zip", "a ZIP")
        )
    for offset, magic, key, name in _SIGNATURES:
        if head[offset : offset + len(magic)] == magic:
            return key, name
    document = _written_as_text(head)
    if document[0]:
        return document
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        return "mp4", "an MP4 family file (MP4, M4A, MOV, 3GP)"
    return _mpeg_audio(head)


def starts_as(path: Path) -> str:
    """The key of a file by its first bytes, "" for text, "unknown" for others. Raises OSError."""
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    key, _ = identify_start(head)
    is_text = head.startswith(_BYTE_ORDER_MARKS) or not any(
        byte < 32 and byte not in _TEXT_CONTROLS for byte in head
    )
    return key if key or is_text else "unknown"


_MARKUP = ("<?xml", "<!doctype html", "<html", "<clinicaldocument")


def begins_as_markup(path: Path) -> bool:
    """True for a file that begins as HTML or XML does, in any usual encoding."""
    with path.open("rb") as stream:
        head = stream.read(1024)
    text = head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").decode("latin-1")
    return text.lower().startswith(_MARKUP)


def _written_as_text(head: bytes) -> tuple[str, str]:
    """Formats whose first bytes are readable characters."""
    if head.startswith(b"%PDF-"):
        return "pdf", "a PDF document"
    if head.startswith(b"{\\rtf"):
        return "rtf", "an RTF document"
    # An EDF header counts its own bytes at 184 and its signals at 252.
    counts = (head[184:192].strip(b" \0"), head[252:256].strip(b" \0"))
    if head[:1] == b"0" and not head[1:8].strip(b" \0") and any(n.isdigit() for n in counts):
        return "edf", "an EDF recording"
    return "", ""


def _mpeg_audio(head: bytes) -> tuple[str, str]:
    """MPEG audio without a tag: 11 bits of sync (ISO/IEC 11172-3); layer 0 is AAC in ADTS."""
    if len(head) > 2 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[2] & 0xF0 != 0xF0:
        if head[1] & 0x06 == 0:
            return "aac", "an AAC recording"
        if head[1] & 0x18 != 0x08:
            return "mp3", "an MP3 recording"
    return "", ""


def _is_small(archive: zipfile.ZipFile, name: str) -> bool:
    return name in archive.namelist() and archive.getinfo(name).file_size < 200


def _inside_zip(path: Path) -> tuple[str, str]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            kind = archive.read("mimetype") if _is_small(archive, "mimetype") else b""
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, NotImplementedError, RuntimeError):
        return "zip", "a damaged ZIP archive"
    for prefix, found in _ZIPPED.items():
        if any(name.startswith(prefix) for name in names):
            return found
    for ending, found in _OPEN_DOCUMENTS.items():
        if kind.strip().startswith(b"application/vnd.oasis.opendocument." + ending):
            return found
    return "zip", "a ZIP archive"


def require_file(path: Path) -> None:
    """Refuse what is not a plain file with something in it.

    Raises UnreadableFile for a missing path, a folder, a device or an empty file.
    """
    try:
        if not path.exists():
            raise UnreadableFile(
                f"{path.name} is not there.",
                hint="Check the path in the table; it counts from the table's own folder.",
            )
        if not path.is_file():
            raise UnreadableFile(
                f"{path.name} is a folder or a device, not a file.", hint="Name the file itself."
            )
        if path.stat().st_size == 0:
            raise UnreadableFile(
                f"{path.name} is empty (0 bytes).", hint="Export or copy the file again."
            )
    except OSError as fault:
        raise UnreadableFile(
            f"{path.name} cannot be opened ({fault.strerror}).",
            hint="Check that you may read the file and that its name is not too long.",
        ) from fault


def refuse_wrong_ending(path: Path, really: str) -> UnreadableFile:
    """The error for a file that is not what its ending says; `really` is what it is."""
    return UnreadableFile(
        f"{path.name} is not what its ending says: it is {really}.",
        hint="Give it as the kind of data that it is, or give the right file.",
    )


def check_zip_size(path: Path) -> None:
    """Refuse an Office file that unpacks to more than `MAX_UNPACKED_BYTES`, before unpacking.

    Raises UnreadableFile, also for a damaged archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            total = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as fault:
        raise UnreadableFile(
            f"{path.name} is damaged: its archive cannot be read.", hint="Export the file again."
        ) from fault
    if total > MAX_UNPACKED_BYTES:
        raise UnreadableFile(
            f"{path.name} would unpack to {total / 1e6:.0f} MB.",
            hint="Save its table as CSV or its text as .txt and give that.",
        )
