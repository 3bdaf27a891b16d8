"""EXIF, which is a TIFF of its own inside a picture: what it says, and which way up it turns."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from pipelines.tags.cleared import Cleared

ORIENTATION = 274


FOLDERS = (34665, 34853, 40965)  # tags that lead to further tags


_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}


# Fields of EXIF that people and cameras fill with words, places and days (CIPA DC-008).
EXIF_NAMES = {
    270: "description",
    306: "date and time",
    315: "artist",
    316: "host computer",
    33432: "copyright",
    34853: "GPS",
    36867: "date and time",
    36868: "date and time",
    37510: "user comment",
    37500: "maker note",
    40091: "title",
    40092: "comment",
    40093: "author",
    40094: "keywords",
    40095: "subject",
    42016: "image id",
    42032: "owner",
    42033: "serial number",
    42037: "lens serial number",
    269: "document name",
    285: "page name",
}


_GPS, MAKER_NOTE = 34853, 37500


def entry_span(data: bytearray | bytes, place: int, order: str) -> tuple[int, int, int]:
    """(tag, where its value starts, its length) of the entry at a place."""
    tag, kind, number = struct.unpack_from(f"{order}HHI", data, place)
    size = _SIZES.get(kind, 1) * number
    start = place + 8 if size <= 4 else struct.unpack_from(f"{order}I", data, place + 8)[0]
    return tag, start, min(size, max(0, len(data) - start))


def entry_folder(data: bytearray | bytes, start: int, order: str) -> tuple[int, range]:
    """(end, places of the entries) of the list that an entry's value leads to."""
    at = struct.unpack_from(f"{order}I", data, start)[0]
    if at + 2 > len(data):
        return at, range(0)
    count = struct.unpack_from(f"{order}H", data, at)[0]
    return min(at + 6 + 12 * count, len(data)), range(
        at + 2, min(at + 2 + 12 * count, len(data) - 11), 12
    )


def entry_values(
    data: bytearray | bytes, place: int, order: str, depth: int = 0
) -> Iterator[tuple[int, bytes]]:
    """(tag, value) of an entry and of those that it leads to; GPS counts as one."""
    tag, start, size = entry_span(data, place, order)
    if tag in FOLDERS and size == 4 and depth < 3:
        inside = entry_folder(data, start, order)[1]
        if tag == _GPS:
            yield tag, b"x" if len(inside) > 1 else b""  # its version alone is no place
            return
        for entry in inside:
            yield from entry_values(data, entry, order, depth + 1)
    else:
        yield tag, bytes(data[start : start + size]).removeprefix(b"ASCII\0\0\0")


def note_exif(exif: bytes, done: Cleared) -> None:
    """Note the fields of EXIF in which people and cameras say who, where and when."""
    try:
        order = "<" if exif[:2] == b"II" else ">"
        at = struct.unpack_from(f"{order}I", exif, 4)[0]
        for place in range(at + 2, at + 2 + 12 * struct.unpack_from(f"{order}H", exif, at)[0], 12):
            for tag, value in entry_values(exif, place, order):
                if tag in EXIF_NAMES and tag != MAKER_NOTE:
                    done.note(EXIF_NAMES[tag], value)
    except struct.error:
        done.note("damaged EXIF", exif)


def orientation_of(exif: bytes) -> int:
    """Which way up EXIF says that a picture is, 1 to 8; 1 where it says nothing."""
    try:
        order = "<" if exif[:2] == b"II" else ">"
        at = struct.unpack_from(f"{order}I", exif, 4)[0]
        for place in range(at + 2, at + 2 + 12 * struct.unpack_from(f"{order}H", exif, at)[0], 12):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", exif, place)
            if tag == ORIENTATION and 1 <= value <= 8:
                return int(value)
    except struct.error:
        return 1
    return 1


def exif_of_orientation(turned: int) -> bytes:
    """EXIF that says which way up a picture is, and nothing else."""
    return b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, ORIENTATION, 3, 1, turned, 0, 0)
