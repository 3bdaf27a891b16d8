"""MP4, MOV, 3GP, M4A, Matroska, WebM and Windows Media files without their tags.

Tags are overwritten where they stand, as boxes and elements that players skip: tables in the file
count bytes, and pictures and sound stay where they are.
Sources: ISO/IEC 14496-12 (boxes), RFC 9559 (Matroska), Advanced Systems Format 1.20.3.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from pipelines.tags.cleared import Cleared, printable

_PARENTS = (b"moov", b"trak", b"mdia", b"minf", b"moof", b"traf", b"edts", b"dinf", b"mvex")
_TAGS = tuple(
    (
        b"udta meta uuid free skip wide pnot ID32 loci prft emsg titl dscp cprt perf auth gnre PICT"
    ).split()
)
_DATED = (b"mvhd", b"tkhd", b"mdhd")
_PADDING = (b"free", b"skip", b"wide")
_COPYRIGHT = 0xA9

# Matroska: elements that hold others, and those that go.
_SEGMENT, _CLUSTER, _VOID = 0x18538067, 0x1F43B675, 0xEC
_HOLD = {_SEGMENT, 0x1549A966, 0x1654AE6B, 0xAE}  # Segment, Info, Tracks, TrackEntry
_GO = {
    0x1254C367: "tags",
    0x1043A770: "chapters",
    0x1941A469: "attachments",
    0x7BA9: "title",
    0x4461: "date",
    0x7384: "file name",
    0x536E: "track name",
    0x4D80: "muxing application",
    0x5741: "writing application",
    0xBF: "padding",
    0xEC: "padding",
    0x3C83AB: "file name",
    0x3E83BB: "file name",
    0x73A4: "segment id",
    0x3CB923: "segment id",
    0x3EB923: "segment id",
}
_LONGEST_ID, _LONGEST_SIZE = 4, 8
_LASTING = {0x4D80, 0x5741}  # a valid file has them: kept, and emptied

_ASF_PADDING = bytes.fromhex("74d40618dfca0945a4ba9aabcb96aae8")
_ASF_HEADER_EXTENSION = bytes.fromhex("b503bf5f2ea9cf118ee300c00c205365")
_ASF_FILE = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_ASF_TAGS = {
    bytes.fromhex("3326b2758e66cf11a6d900aa0062ce6c"): "content description",
    bytes.fromhex("40a4d0d207e3d21197f000a0c95ea850"): "extended content description",
    bytes.fromhex("94d11c44b1f35e4aa0d2f6a0b1b0c5f7"): "metadata library",
    bytes.fromhex("941c23449894d149a1411d134e457054"): "metadata library",
    bytes.fromhex("eacbf8c5af5b77488467aa8c44fa4cca"): "metadata",
    bytes.fromhex("74d40618dfca0945a4ba9aabcb96aae8"): "padding",
}


def quicktime(data: bytearray) -> Cleared:
    """The family of MP4 and QuickTime."""
    done = Cleared(data)
    _boxes_without_tags(data, 0, len(data), done)
    return done


def _boxes_without_tags(data: bytearray, at: int, end: int, done: Cleared) -> None:
    for name, place, start, stop in _boxes(data, at, end):
        inside = data[start:stop]
        if name in _PARENTS:
            _boxes_without_tags(data, start, stop, done)
        elif name in _TAGS or name[0] == _COPYRIGHT:
            _note_box(name, inside, done)
            data[place + 4 : place + 8] = b"free"
            data[start:stop] = bytes(len(inside))
        elif name in _DATED and len(inside) > 20:
            width = 8 if inside[0] == 1 else 4
            done.note("date of recording", inside[4 : 4 + 2 * width])
            data[start + 4 : start + 4 + 2 * width] = bytes(2 * width)
        elif name == b"hdlr" and len(inside) > 24:
            done.note("handler name", inside[24:])
            data[start + 24 : stop] = bytes(len(inside) - 24)


def _note_box(name: bytes, inside: bytearray, done: Cleared) -> None:
    """Note each field of a user data box under its own name; the box itself where it has none."""
    if name in _PADDING:
        return
    named = False
    for field in (
        b"\xa9nam",
        b"\xa9ART",
        b"\xa9cmt",
        b"\xa9day",
        b"\xa9alb",
        b"\xa9xyz",
        b"\xa9des",
        b"desc",
        b"\xa9swr",
        b"\xa9wrt",
        b"loci",
        b"auth",
        b"titl",
        b"cprt",
        b"mdta",
    ):
        if field in inside:
            done.note(_FIELDS.get(field, printable(field)), b"x")
            named = True
    software = b"\xa9too" in inside or b"\xa9enc" in inside
    if not named and not software:
        done.note(f"box {printable(name)}", inside)


_FIELDS = {
    b"\xa9nam": "title",
    b"\xa9ART": "artist",
    b"\xa9cmt": "comment",
    b"\xa9day": "date",
    b"\xa9alb": "album",
    b"\xa9xyz": "location",
    b"\xa9des": "description",
    b"desc": "description",
    b"\xa9swr": "software",
    b"\xa9wrt": "writer",
    b"loci": "location",
    b"auth": "author",
    b"titl": "title",
    b"cprt": "copyright",
    b"mdta": "QuickTime metadata",
}


def _boxes(data: bytearray, at: int, end: int) -> Iterator[tuple[bytes, int, int, int]]:
    """(name, where the box starts, where its content starts and ends)."""
    while at + 8 <= end:
        size, name = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if size == 1 and at + 16 <= end:
            size, start = struct.unpack_from(">Q", data, at + 8)[0], at + 16
        stop = end if size == 0 else min(end, at + size)
        if stop < start:
            return
        yield name, at, start, stop
        at = stop


def matroska(data: bytearray) -> Cleared:
    """Matroska and WebM."""
    done = Cleared(data)
    _elements_without_tags(data, 0, len(data), done)
    return done


def _elements_without_tags(data: bytearray, at: int, end: int, done: Cleared) -> None:
    while at < end:
        head = _element(data, at, end)
        if head is None:
            return
        code, start, stop = head
        if code in _HOLD:
            _elements_without_tags(data, start, stop, done)
        elif code in _GO:
            done.note(_GO[code], data[start:stop])
            if code in _LASTING:
                data[start:stop] = bytes(stop - start)
            else:
                data[at:stop] = _void(stop - at)
        at = stop


def _element(data: bytearray, at: int, end: int) -> tuple[int, int, int] | None:
    """(id, start and end of the content) of the element at a place (RFC 8794); None if damaged."""
    width = 9 - data[at].bit_length()
    if width > _LONGEST_ID or at + width >= end:
        return None
    code = int.from_bytes(data[at : at + width])
    first = data[at + width]
    length = 9 - first.bit_length()
    if length > _LONGEST_SIZE:
        return None
    start = at + width + length
    size = int.from_bytes(data[at + width : start]) & ((1 << 7 * length) - 1)
    unknown = size == (1 << 7 * length) - 1
    if unknown and code == _CLUSTER:
        return None  # its end is not told: nothing behind it can be found
    return code, start, end if unknown else min(end, start + size)


def _void(length: int) -> bytes:
    """An element of that length that holds nothing."""
    if length < 10:
        return bytes((_VOID, 0x80 | (length - 2))) + bytes(length - 2)
    return bytes((_VOID, 0x01)) + (length - 9).to_bytes(7) + bytes(length - 9)


def windows_media(data: bytearray) -> Cleared:
    """WMA and WMV: the objects of the header that describe its content become padding."""
    done = Cleared(data)
    size = struct.unpack_from("<Q", data, 16)[0]
    _objects_without_tags(data, 30, min(size, len(data)), done)
    return done


def _objects_without_tags(data: bytearray, at: int, end: int, done: Cleared) -> None:
    while at + 24 <= end:
        code, size = bytes(data[at : at + 16]), struct.unpack_from("<Q", data, at + 16)[0]
        stop = min(end, at + max(size, 24))
        if code in _ASF_TAGS:
            done.note(_ASF_TAGS[code], data[at + 24 : stop])
            data[at : at + 16] = _ASF_PADDING
            data[at + 24 : stop] = bytes(stop - at - 24)
        elif code == _ASF_HEADER_EXTENSION:
            _objects_without_tags(data, at + 46, stop, done)
        elif code == _ASF_FILE:
            done.note("date of recording", data[at + 48 : at + 56])
            data[at + 48 : at + 56] = bytes(8)
        at = stop
