"""The gate for pictures and films: what a file really is, before any decoder sees a byte.

`expect` refuses what is missing, empty, of another kind, or of another kind than its ending says.
What the frame pipelines read is told apart here; everything else by `filetypes`.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fmstudio.errors import InputError, UnreadableFile
from fmstudio.types import Source
from pipelines.formats import filetypes
from pipelines.formats.gzipped import gunzip

HEAD_BYTES = 4096


@dataclass(frozen=True)
class Content:
    """A kind of file: what people call it, its family, and the endings it goes by.

    Files of one family can stand for each other (a JPEG named .png); across families they cannot.
    """

    noun: str
    family: str
    endings: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.noun


DICOM = Content("a DICOM file", "DICOM", (".dcm", ".dicom", ".ima"))
NIFTI = Content("a NIfTI volume", "NIfTI", (".nii",))
NIFTI_GZ = Content("a compressed NIfTI volume", "NIfTI", (".nii.gz",))
NIFTI_PAIR = Content("the header of a NIfTI pair (.hdr and .img)", "NIfTI", (".hdr", ".hdr.gz"))
PNG = Content("a PNG image", "picture", (".png",))
JPEG = Content("a JPEG image", "picture", (".jpg", ".jpeg", ".jpe"))
TIFF = Content("a TIFF image", "picture", (".tif", ".tiff"))
BMP = Content("a BMP image", "picture", (".bmp",))
WEBP = Content("a WEBP image", "picture", (".webp",))
GIF = Content("a GIF image or animation", "video", (".gif",))
MP4 = Content("an MP4 or QuickTime film", "video", (".mp4", ".m4v", ".mov", ".qt"))
AVI = Content("an AVI film", "video", (".avi",))
MATROSKA = Content("a Matroska or WebM film", "video", (".mkv", ".webm"))
MPEG = Content("an MPEG film", "video", (".mpeg", ".mpg"))
MPEG_STREAM = Content("an MPEG transport stream", "video", (".ts", ".m2ts"))
MPEG_RAW = Content("a raw MPEG film", "video", (".m1v", ".m2v", ".mpeg", ".mpg"))
# It does not say how the patient lies (NIfTI was made for this reason).
ANALYZE = Content("an Analyze 7.5 header, which does not record left and right", "other")
_READ = (
    DICOM,
    NIFTI,
    NIFTI_GZ,
    NIFTI_PAIR,
    PNG,
    JPEG,
    TIFF,
    BMP,
    WEBP,
    GIF,
    MP4,
    AVI,
    MATROSKA,
    MPEG_RAW,
    MPEG,
    MPEG_STREAM,
)
_ENDINGS = {ending: content for content in _READ for ending in content.endings}
_UNKNOWN = Content("of no kind that is known here", "other")

# (offset, bytes, content); the first match counts.
_SIGNATURES: tuple[tuple[int, bytes, Content], ...] = (
    (128, b"DICM", DICOM),
    (344, b"n+1\0", NIFTI),
    (4, b"n+2\0\r\n\x1a\n", NIFTI),
    (344, b"ni1\0", NIFTI_PAIR),
    (4, b"ni2\0\r\n\x1a\n", NIFTI_PAIR),
    (0, b"\x5c\x01\0\0", ANALYZE),
    (0, b"\0\0\x01\x5c", ANALYZE),
    (0, b"\x89PNG\r\n\x1a\n", PNG),
    (0, b"\xff\xd8\xff", JPEG),
    (0, b"II*\0", TIFF),
    (0, b"MM\0*", TIFF),
    (8, b"WEBP", WEBP),
    (0, b"GIF87a", GIF),
    (0, b"GIF89a", GIF),
    (8, b"AVI ", AVI),
    (0, b"\x1aE\xdf\xa3", MATROSKA),
    (0, b"\x00\x00\x01\xba", MPEG),
    (0, b"\x00\x00\x01\xb3", MPEG_RAW),
    (4, b"ftypM4A", Content("an M4A recording", "other")),
    (4, b"ftyphei", Content("a HEIC photograph", "other")),
    (4, b"ftypmif1", Content("a HEIF photograph", "other")),
    (4, b"ftypavif", Content("an AVIF image", "other")),
    (4, b"jP  ", Content("a JPEG 2000 image outside a DICOM file", "other")),
    (4, b"ftyp", MP4),
    # QuickTime files from before 2001 begin with any of these boxes.
    *((4, box, MP4) for box in (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")),
)

# Value representations that may follow a tag in explicit DICOM (PS3.5 section 6.2).
_REPRESENTATIONS = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OW PN SH SL SQ SS ST TM UI UL UN US "
    b"UT".split()
)


def identify(path: Path) -> Content:
    """What the file is, by its content.

    Raises UnreadableFile if it cannot be opened.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
    except OSError as fault:
        raise UnreadableFile(
            f"{path.name} cannot be opened ({fault.strerror}).", hint="Check its permissions."
        ) from fault
    if content := identify_head(head):
        return content
    key, noun = filetypes.identify(path)
    return Content(noun, "other") if key else _identify_text(head)


def starts_as(path: Path, families: Sequence[str]) -> bool:
    """True if the first bytes of a file are those of one of the families. Raises OSError."""
    with path.open("rb") as stream:
        content = identify_head(stream.read(HEAD_BYTES))
    return content is not None and content.family in families


def identify_head(head: bytes) -> Content | None:
    """What a picture or film is that begins with `head`; None if it is neither."""
    for offset, signature, content in _SIGNATURES:
        if head[offset : offset + len(signature)] == signature:
            return content
    if head[:2] == b"\x1f\x8b":
        inner = _gunzip(head)
        return NIFTI_GZ if _is_nifti(inner) else None
    if head[:2] == b"BM" and head[6:10] == bytes(4):
        return BMP
    if len(head) > 376 and head[0] == head[188] == head[376] == 0x47:
        return MPEG_STREAM
    return DICOM if _is_bare_dicom(head) else None


def _gunzip(head: bytes) -> bytes:
    """The first kilobyte of what a gzip file holds, or nothing if it is damaged."""
    try:
        return gunzip([head], 1024)
    except zlib.error:
        return b""


def _is_nifti(head: bytes) -> bool:
    return head[344:348] in (b"n+1\0", b"ni1\0") or head[4:8] in (b"n+2\0", b"ni2\0")


def _is_bare_dicom(head: bytes) -> bool:
    """True for DICOM without preamble: a first element of group 0002 or 0008, either byte order."""
    if len(head) < 16:
        return False
    for order in "<>":
        group, element = struct.unpack_from(f"{order}HH", head)
        length = struct.unpack_from(f"{order}I", head, 4)[0]
        known = head[4:6] in _REPRESENTATIONS or length <= 64
        if group in (0x0002, 0x0008) and element <= 0x0100 and known:
            return True
    return False


def _identify_text(head: bytes) -> Content:
    """Text, by what it starts with, or unknown."""
    try:
        # A multi-byte character may be cut at the end of the head.
        text = head[:-4].decode() if len(head) == HEAD_BYTES else head.decode()
    except UnicodeDecodeError:
        return _UNKNOWN
    if "\0" in text:
        return _UNKNOWN
    start = text.lstrip("\ufeff \t\r\n")[:64].lower()
    if start.startswith(("#extm3u", "ffconcat", "[playlist]")):
        return Content("a playlist that only points to other files", "other")
    if start.startswith(("<svg", "<?xml", "<!doctype", "<html")):
        return Content("an SVG, XML or HTML page", "other")
    return Content("a text file", "other")


def _ending_of(path: Path) -> Content | None:
    """What the file's ending promises, or None if it promises nothing that is read here."""
    is_packed = path.name.lower().endswith(".nii.gz")
    return NIFTI_GZ if is_packed else _ENDINGS.get(path.suffix.lower())


def expect(
    source: Source, families: Sequence[str], what: str, formats: str
) -> tuple[Path, Content, tuple[str, ...]]:
    """The file of a source, what it is, and remarks, once it has been seen to be readable here.

    `families` are the families that the caller reads, `what` and `formats` go into the messages
    ("radiology image", "a DICOM, NIfTI or PNG file"). A file that is not what its ending says is
    refused, unless both are of one family (an MP4 named .avi), which is only remarked on.

    Raises InputError for text in place of a file and UnreadableFile for everything else.
    """
    path = source.path
    if path is None:
        raise InputError(
            f"'{source.name}' holds text where the path of a {what} is expected.",
            hint=f"Give {formats}.",
        )
    filetypes.require_file(path)
    content, promised = identify(path), _ending_of(path)
    if content is _UNKNOWN and promised and promised.family in families:
        raise UnreadableFile(
            f"{path.name} is not {promised}: it does not begin as one.",
            hint="It may be damaged, cut short or encrypted. Export it again.",
        )
    if promised and promised.family != content.family:
        raise UnreadableFile(
            f"{path.name} is {content}, not {promised} as its ending says.",
            hint=_way_out(content, families, formats),
        )
    if content.family not in families:
        raise UnreadableFile(f"{path.name} is {content}, not a {what}.", hint=f"Give {formats}.")
    if promised is None or path.name.lower().endswith(content.endings):
        return path, content, ()
    return path, content, (f"{path.name} is {content} in spite of its ending; read as such.",)


def _way_out(content: Content, families: Sequence[str], formats: str) -> str:
    """What to do with a file that has the wrong ending."""
    if content.family in families:
        return (
            f"Rename it to end in {content.endings[0]} if it is the file that you mean, or export "
            "it again."
        )
    return f"Give {formats}."
