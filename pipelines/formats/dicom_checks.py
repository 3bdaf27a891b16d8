"""Whether a DICOM file holds the pixels that its header declares, before any of it is decoded."""

from __future__ import annotations

import contextlib
import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, NoReturn

from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import Decoder
from pydicom.uid import UID, RLELossless

from fmstudio.errors import UnreadableFile
from pipelines.formats.decoding import check_size
from pipelines.formats.dicom_stream import PixelElement

# What a file without pixels is, by the beginning of its SOP class (PS3.4 B.5).
_STORAGE = "1.2.840.10008.5.1.4.1.1"
_NOT_IMAGES = (
    (f"{_STORAGE}.88.59", "a key object selection"),
    (f"{_STORAGE}.88", "a structured report"),
    (f"{_STORAGE}.9", "a waveform recording"),
    (f"{_STORAGE}.11", "a presentation state"),
    (f"{_STORAGE}.104", "an encapsulated document"),
    (f"{_STORAGE}.66.5", "a surface"),
    (f"{_STORAGE}.66.1", "a spatial registration"),
    (f"{_STORAGE}.481.3", "a set of radiotherapy structures"),
    (f"{_STORAGE}.481.5", "a radiotherapy plan"),
    (f"{_STORAGE}.481.8", "a radiotherapy plan"),
    (f"{_STORAGE}.481", "a radiotherapy record"),
    (f"{_STORAGE}.4.2", "an MR spectrum"),
    ("1.2.840.10008.1.3.10", "a DICOMDIR, the index of a disc"),
)


@dataclass(frozen=True)
class DicomFile:
    """A DICOM file: its header, and where in the stream that `open` gives its pixels begin."""

    name: str
    open: Callable[[], BinaryIO]
    header: Dataset
    syntax: UID
    decoder: Decoder
    pixels: PixelElement
    offset: int


def refuse_without_pixels(file: str, header: Dataset) -> NoReturn:
    """Raise UnreadableFile, saying what the file is instead of an image."""
    kind = str(header.get("SOPClassUID") or header.file_meta.get("MediaStorageSOPClassUID") or "")
    for beginning, noun in _NOT_IMAGES:
        if kind == beginning or kind.startswith(beginning + "."):
            raise UnreadableFile(
                f"{file} is {noun}, not an image.",
                hint="Give the image that it belongs to, or leave this one out.",
            )
    name = UID(kind).name  # the number itself where the standard has no name for it
    what = name if name != kind else "DICOM"
    raise UnreadableFile(
        f"{file} ({what}) holds no pixels: it is cut short or is not an image.",
        hint="Export it again from the archive.",
    )


def check(file: DicomFile) -> None:
    """Raise UnreadableFile if what the header declares does not fit the bytes that are there."""
    rows, columns = _whole(file, "Rows", 0), _whole(file, "Columns", 0)
    samples, frames = _whole(file, "SamplesPerPixel", 1), _whole(file, "NumberOfFrames", 1)
    bits = _whole(file, "BitsAllocated", 0)
    bits = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}.get(file.pixels.keyword, bits)
    if not rows or not columns:
        raise UnreadableFile(
            f"{file.name} holds pixels but does not declare their rows and columns.",
            hint="Export it again; its header is damaged.",
        )
    check_size(file.name, rows, columns, samples)
    if frames < 1 or samples not in (1, 3) or bits not in (1, 8, 16, 32, 64):
        raise UnreadableFile(
            f"{file.name} declares {frames} frames of {samples} samples of {bits} bits.",
            hint="Export it again; its header is damaged.",
        )
    with file.open() as stream:
        there = stream.seek(0, io.SEEK_END) - file.offset
        if file.syntax.is_encapsulated:
            _check_fragments(file, stream, there, frames)
            if bits == 1 and file.syntax == RLELossless:
                raise UnreadableFile(
                    f"{file.name} is a mask of 1 bit compressed as RLE, which cannot be read here.",
                    hint="Save it as uncompressed DICOM.",
                )
            return
    wanted = (rows * columns * samples * frames * bits + 7) // 8
    if file.header.get("PhotometricInterpretation") == "YBR_FULL_422":
        wanted = wanted * 2 // 3
    if min(there, file.pixels.length) < wanted:
        raise UnreadableFile(
            f"{file.name} is cut short: it declares {wanted:,} bytes of pixels and holds "
            f"{min(there, file.pixels.length):,}.",
            hint="Copy or export it again; this copy is not complete.",
        )


def _whole(file: DicomFile, keyword: str, default: int) -> int:
    """A whole number of the header; `default` where it is absent or empty."""
    value = None
    with contextlib.suppress(Exception):  # pydicom raises several kinds on a value it cannot read
        value = file.header.get(keyword)
        return default if value in (None, "") else int(value)
    found = f"'{value}'" if value is not None else "something"
    raise UnreadableFile(
        f"{file.name} declares {found} as {keyword}, which is not a whole number.",
        hint="Export it again; its header is damaged.",
    )


def _check_fragments(file: DicomFile, stream: BinaryIO, there: int, frames: int) -> None:
    """Walk over the items of encapsulated pixels (PS3.5 A.4) without reading them."""
    place, items = 0, 0
    while place + 8 <= there:
        stream.seek(file.offset + place)
        group, number, length = struct.unpack("<HHI", stream.read(8))
        if (group, number) != (0xFFFE, 0xE000):
            break
        place, items = place + 8 + length, items + 1
    # The first item is the offset table.
    if place > there or items - 1 < frames:
        raise UnreadableFile(
            f"{file.name} is cut short: it declares {frames} "
            f"frame{'s' if frames > 1 else ''}, and not all of them are there.",
            hint="Copy or export it again; this copy is not complete.",
        )
