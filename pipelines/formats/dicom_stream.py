"""A DICOM file -> a stream of it that any reader can take, inflated in bounds if it is deflated.

pydicom inflates a deflated data set in one piece and without a limit, so it must not get one.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from fmstudio.errors import UnreadableFile

# A deflated data set may not grow beyond this: 2 MB of zeros inflate to gigabytes.
MAX_INFLATED_BYTES = 400_000_000
_STEP_BYTES = 1 << 20
_OF_PIXELS = (b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"UN")
_UNDEFINED_LENGTH = 0xFFFFFFFF
PIXEL_TAGS = {
    0x7FE00010: "PixelData",
    0x7FE00009: "DoubleFloatPixelData",
    0x7FE00008: "FloatPixelData",
}


@dataclass(frozen=True)
class PixelElement:
    """The element that holds the pixels: `head` is the size of its own header, all in bytes."""

    keyword: str
    representation: str
    head: int
    length: int


def opener(path: Path) -> Callable[[], BinaryIO]:
    """How to open the file, its data set inflated where it is deflated (PS3.5 A.5).

    Raises UnreadableFile if it inflates to more than `MAX_INFLATED_BYTES`.
    """
    with path.open("rb") as content:
        content.seek(128)
        if content.read(4) != b"DICM":
            content.seek(0)
        meta = read_dataset(content, False, True, stop_when=lambda tag, vr, length: tag.group != 2)
        if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
            return lambda: path.open("rb")
        end = content.tell()
        _measure(path.name, content)
        content.seek(0)
        # A UID of the same length that says what the data set now is.
        plain = ExplicitVRLittleEndian.encode().ljust(len(DeflatedExplicitVRLittleEndian), b"\0")
        head = content.read(end).replace(DeflatedExplicitVRLittleEndian.encode(), plain)
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        whole = io.BytesIO(head)
        whole.seek(end)
        while block := content.read(_STEP_BYTES):
            whole.write(inflater.decompress(block))
    data = whole.getvalue()
    return lambda: io.BytesIO(data)  # all of them share these bytes


def _measure(name: str, content: BinaryIO) -> None:
    """Inflate the rest of `content` without keeping it.

    Raises UnreadableFile once it is too large.
    """
    inflater, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while block := content.read(_STEP_BYTES):
        while block:
            size += len(inflater.decompress(block, _STEP_BYTES))
            block = inflater.unconsumed_tail
            if size > MAX_INFLATED_BYTES:
                raise UnreadableFile(
                    f"{name} inflates to more than {MAX_INFLATED_BYTES // 1_000_000} MB.",
                    hint="Export it uncompressed if it really is that large.",
                )


def plain_syntax(header: Dataset) -> str:
    """The uncompressed transfer syntax of a data set without file meta information."""
    implicit, little = header.original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def pixel_element(element: bytes, encoding: tuple[bool | None, bool | None]) -> PixelElement | None:
    """What the first bytes of the element say at which the header stopped (PS3.5 section 7.1).

    None if the data set ended without pixels.
    """
    implicit, little = encoding
    order = "<" if little else ">"
    if len(element) < 12:
        return None
    group, number = struct.unpack_from(f"{order}HH", element)
    keyword = PIXEL_TAGS.get(group << 16 | number)
    if keyword is None:
        return None
    # Some files hold elements without representation among those with one, or declare to have none.
    # Read as a length the two letters would be odd, which no length is.
    named = element[4:6] in _OF_PIXELS and element[6:8] == b"\0\0"
    if not named and (implicit or not element[4:6].isalpha()):
        return PixelElement(keyword, "OW", 8, struct.unpack_from(f"{order}I", element, 4)[0])
    length = struct.unpack_from(f"{order}I", element, 8)[0]
    return PixelElement(keyword, element[4:6].decode(), 12, length)


def pixel_parts(stream: BinaryIO, header: Dataset, syntax: str) -> Iterator[bytes]:
    """The element of the pixels as a file of this syntax holds it, in parts; nothing behind it.

    `stream` stands where `header` ended. The value is copied and never held as a whole.
    """
    start = stream.tell()
    element = pixel_element(stream.read(12), header.original_encoding)
    if element is None:
        return
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    tag = next(tag for tag, keyword in PIXEL_TAGS.items() if keyword == element.keyword)
    yield struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF)
    if syntax != ImplicitVRLittleEndian:
        yield element.representation.encode() + bytes(2)
    yield struct.pack(f"{order}I", element.length)
    stream.seek(start + element.head)
    if element.length != _UNDEFINED_LENGTH:
        yield from _copied(stream, element.length)
        return
    # Fragments of compressed pixels (PS3.5 A.4), up to the item that ends them.
    while len(item := stream.read(8)) == 8:
        yield item
        number, length = struct.unpack_from("<HI", item, 2)
        if number != 0xE000:
            return
        yield from _copied(stream, length)


def _copied(stream: BinaryIO, length: int) -> Iterator[bytes]:
    while length > 0 and (block := stream.read(min(length, _STEP_BYTES))):
        length -= len(block)
        yield block
