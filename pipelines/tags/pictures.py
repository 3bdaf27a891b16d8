"""PNG, JPEG, TIFF, GIF and BMP files without their tags; which way up a picture is stays.

Colour profiles stay where a decoder may use them; their pixels are copied as they are coded.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator

from pipelines.tags.cleared import Cleared, printable

_ORIENTATION = 274
_PNG = (
    b"IHDR",
    b"PLTE",
    b"IDAT",
    b"IEND",
    b"tRNS",
    b"gAMA",
    b"cHRM",
    b"sRGB",
    b"sBIT",
    b"pHYs",
    b"bKGD",
    b"acTL",
    b"fcTL",
    b"fdAT",
    b"cICP",
    b"mDCV",
    b"cLLI",
)
_PNG_NAMES = {
    b"tEXt": "text",
    b"zTXt": "text",
    b"iTXt": "text",
    b"eXIf": "EXIF",
    b"tIME": "time",
    b"iCCP": "colour profile",
}
_SCAN, _END, _COMMENT, _APP0, _APP14 = 0xDA, 0xD9, 0xFE, 0xE0, 0xEE
_STANDING = (0x01, *range(0xD0, 0xDA))  # JPEG markers without a length
# TIFF 6.0 and its supplements: tags that say how the pixels are stored and shown.
_TIFF = frozenset(
    (
        254,
        255,
        256,
        257,
        258,
        259,
        262,
        263,
        264,
        265,
        266,
        273,
        274,
        277,
        278,
        279,
        280,
        281,
        282,
        283,
        284,
        288,
        289,
        290,
        291,
        292,
        293,
        296,
        297,
        301,
        317,
        318,
        319,
        320,
        321,
        322,
        323,
        324,
        325,
        330,
        332,
        334,
        336,
        338,
        339,
        340,
        341,
        347,
        512,
        513,
        514,
        515,
        517,
        518,
        519,
        520,
        521,
        529,
        530,
        531,
        532,
        34675,
    )
)
_TIFF_NAMES = {
    269: "document name",
    270: "description",
    271: "make",
    272: "model",
    285: "page name",
    305: "software",
    306: "date and time",
    315: "artist",
    316: "host computer",
    700: "XMP",
    33432: "copyright",
    33723: "IPTC",
    34377: "Photoshop",
    34665: "EXIF",
    34853: "GPS",
}
_ASCII, _XMP, _IPTC = 2, 700, 33723
_FOLDERS = (34665, 34853, 40965)  # tags that lead to further tags
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_MOST_PAGES = 10_000
# Fields of EXIF that people and cameras fill with words, places and days (CIPA DC-008).
_EXIF_NAMES = {
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
_GPS, _MAKER_NOTE = 34853, 37500
_XMP_CHUNK = b"XML:com.adobe.xmp"
_XMP_TOLD = re.compile(
    rb"dc:(?:creator|title|description|rights|subject)|photoshop:|Iptc4|exif:GPS|PersonInImage|"
    rb"UserComment|OwnerName|SerialNumber"
)


def png(data: bytearray) -> Cleared:
    """Chunks that are no picture are cut out, and what lies behind the end."""
    done, kept, at = Cleared(data), bytearray(data[:8]), 8
    while at + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if name in _PNG:
            kept += data[at:end]
        else:
            _note(_PNG_NAMES.get(name, printable(name)), bytes(data[at + 8 : end - 4]), done)
            if name == b"eXIf" and (turned := orientation_of(bytes(data[at + 8 : end - 4]))) != 1:
                kept += _png_chunk(name, exif_of_orientation(turned))
        at = end
        if name == b"IEND":
            break
    done.note("bytes behind the end", data[at:])
    done.content = kept
    return done


def _png_chunk(name: bytes, inside: bytes) -> bytes:
    return (
        struct.pack(">I", len(inside))
        + name
        + inside
        + struct.pack(">I", zlib.crc32(name + inside))
    )


def _note(name: str, inside: bytes, done: Cleared) -> None:
    """Of EXIF and XMP the fields count, not that they are there; of text its keyword does not."""
    if name == "EXIF":
        note_exif(inside, done)
    elif name == "XMP" or inside.startswith(_XMP_CHUNK):
        if _XMP_TOLD.search(inside):
            done.note("XMP", inside)
    elif name == "text":
        word, _, said = inside.partition(b"\0")
        done.note(word.decode("latin-1").strip() or name, said)
    else:
        done.note(name, inside)


def jpeg(data: bytearray) -> Cleared:
    """Segments of applications and comments are cut out, but those that tell the colours."""
    done, kept, at, turned = Cleared(data), bytearray(data[:2]), 2, 1
    while at + 2 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF or marker in _STANDING:
            if marker == _END:
                kept += data[at : at + 2]
                at += 2
                break
            kept += data[at : at + (1 if marker == 0xFF else 2)]
            at += 1 if marker == 0xFF else 2
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
        inside = bytes(data[at + 4 : end])
        if marker == _SCAN:
            end = _scan_end(data, end)
        if _stays(marker, inside):
            kept += data[at:end]
        else:
            _note(_jpeg_name(marker, inside), inside.removeprefix(b"Exif\0\0"), done)
            if inside.startswith(b"Exif\0\0"):
                turned = orientation_of(inside[6:])
        at = end
    done.note("bytes behind the end", data[at:])
    if turned != 1:
        exif = b"Exif\0\0" + exif_of_orientation(turned)
        kept[2:2] = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    done.content = kept
    return done


def _stays(marker: int, inside: bytes) -> bool:
    if marker == _APP0:
        return inside.startswith(b"JFIF\0")
    if marker == _APP14:
        return inside.startswith(b"Adobe")
    return not (0xE0 <= marker <= 0xEF or marker == _COMMENT)


def _jpeg_name(marker: int, inside: bytes) -> str:
    if marker == _COMMENT:
        return "comment"
    if marker == 0xE2 and inside.startswith(b"ICC_PROFILE"):
        return "colour profile"
    word = inside.split(b"\0")[0][:12]
    known = {b"Exif": "EXIF", b"http://ns.ad": "XMP", b"Photoshop 3.": "IPTC"}
    return known.get(word, printable(word) or f"segment {marker - _APP0}")


def _scan_end(data: bytearray, at: int) -> int:
    """Where the next marker is that is no restart within a scan (ITU-T T.81, B.1.1.5)."""
    while (at := data.find(b"\xff", at)) >= 0 and at + 1 < len(data):
        if data[at + 1] != 0 and not 0xD0 <= data[at + 1] <= 0xD7:
            return at
        at += 2
    return len(data)


def gif(data: bytearray) -> Cleared:
    """Comments, plain text and application blocks are cut out, but how often a film repeats."""
    done, kept = Cleared(data), bytearray(data[:13])
    at = 13 + (3 << ((data[10] & 7) + 1) if data[10] & 0x80 else 0)
    kept += data[13:at]
    while at + 1 < len(data) and data[at] in (0x21, 0x2C):
        start, kind = at, data[at + 1]
        if data[at] == 0x21:
            at = _sub_blocks(data, at + 2)
            name = bytes(data[start + 3 : start + 14])
            goes = kind in (0xFE, 0x01) or (
                kind == 0xFF and name not in (b"NETSCAPE2.0", b"ANIMEXTS1.0")
            )
            if goes:
                word = "comment" if kind != 0xFF else printable(name)
                done.note(word, data[start + 3 : at])
                continue
        else:
            table = 3 << ((data[at + 9] & 7) + 1) if data[at + 9] & 0x80 else 0
            at = _sub_blocks(data, at + 11 + table)
        kept += data[start:at]
    if at < len(data) and data[at] == 0x3B:
        kept += b";"
        at += 1
        done.note("bytes behind the end", data[at:])
    else:
        kept += data[at:]
    done.content = kept
    return done


def _sub_blocks(data: bytearray, at: int) -> int:
    while at < len(data) and data[at]:
        at += 1 + data[at]
    return min(at + 1, len(data))


def bmp(data: bytearray) -> Cleared:
    """BMP has no tags; what lies behind its end goes."""
    done, size = Cleared(data), struct.unpack_from("<I", data, 2)[0]
    if 54 < size < len(data):
        done.note("bytes behind the end", data[size:])
        del data[size:]
    return done


def tiff(data: bytearray) -> Cleared:
    """Entries that say nothing of the pixels are taken out of each page, their values zeroed."""
    done, order = Cleared(data), "<" if data[:2] == b"II" else ">"
    at, seen = struct.unpack_from(f"{order}I", data, 4)[0], set[int]()
    while at and at + 2 <= len(data) and at not in seen and len(seen) < _MOST_PAGES:
        seen.add(at)
        at = _page_without_tags(data, at, order, done)
    return done


def _page_without_tags(data: bytearray, at: int, order: str, done: Cleared) -> int:
    """One page's list of entries, shortened in place; where the next one is, or 0."""
    count = struct.unpack_from(f"{order}H", data, at)[0]
    kept = bytearray()
    for place in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind = struct.unpack_from(f"{order}HH", data, place)
        if tag in _TIFF:
            kept += data[place : place + 12]
            continue
        for inner, value in list(_values(data, place, order)):
            if inner in _EXIF_NAMES and inner != _MAKER_NOTE:
                done.note(_EXIF_NAMES[inner], value)
            elif inner == tag and kind == _ASCII:
                done.note(_TIFF_NAMES.get(tag, f"tag {tag}"), value)
            elif tag in (_XMP, _IPTC):
                _note(_TIFF_NAMES[tag], value, done)
        _zero(data, place, order)
    follows = data[at + 2 + 12 * count : at + 6 + 12 * count]
    block = struct.pack(f"{order}H", len(kept) // 12) + kept + follows
    data[at : at + 6 + 12 * count] = block.ljust(6 + 12 * count, b"\0")
    return int(struct.unpack(f"{order}I", follows)[0]) if len(follows) == 4 else 0


def _span(data: bytearray | bytes, place: int, order: str) -> tuple[int, int, int]:
    """(tag, where its value starts, its length) of the entry at a place."""
    tag, kind, number = struct.unpack_from(f"{order}HHI", data, place)
    size = _SIZES.get(kind, 1) * number
    start = place + 8 if size <= 4 else struct.unpack_from(f"{order}I", data, place + 8)[0]
    return tag, start, min(size, max(0, len(data) - start))


def _folder(data: bytearray | bytes, start: int, order: str) -> tuple[int, range]:
    """(end, places of the entries) of the list that an entry's value leads to."""
    at = struct.unpack_from(f"{order}I", data, start)[0]
    if at + 2 > len(data):
        return at, range(0)
    count = struct.unpack_from(f"{order}H", data, at)[0]
    return min(at + 6 + 12 * count, len(data)), range(
        at + 2, min(at + 2 + 12 * count, len(data) - 11), 12
    )


def _values(
    data: bytearray | bytes, place: int, order: str, depth: int = 0
) -> Iterator[tuple[int, bytes]]:
    """(tag, value) of an entry and of those that it leads to; GPS counts as one."""
    tag, start, size = _span(data, place, order)
    if tag in _FOLDERS and size == 4 and depth < 3:
        inside = _folder(data, start, order)[1]
        if tag == _GPS:
            yield tag, b"x" if len(inside) > 1 else b""  # its version alone is no place
            return
        for entry in inside:
            yield from _values(data, entry, order, depth + 1)
    else:
        yield tag, bytes(data[start : start + size]).removeprefix(b"ASCII\0\0\0")


def _zero(data: bytearray, place: int, order: str, depth: int = 0) -> None:
    """Overwrite the value of an entry, and all that it leads to."""
    tag, start, size = _span(data, place, order)
    if tag in _FOLDERS and size == 4 and depth < 3:
        end, inside = _folder(data, start, order)
        for entry in inside:
            _zero(data, entry, order, depth + 1)
        if inside:
            data[inside.start - 2 : end] = bytes(end - inside.start + 2)
    data[start : start + size] = bytes(size)


def note_exif(exif: bytes, done: Cleared) -> None:
    """Note the fields of EXIF in which people and cameras say who, where and when."""
    try:
        order = "<" if exif[:2] == b"II" else ">"
        at = struct.unpack_from(f"{order}I", exif, 4)[0]
        for place in range(at + 2, at + 2 + 12 * struct.unpack_from(f"{order}H", exif, at)[0], 12):
            for tag, value in _values(exif, place, order):
                if tag in _EXIF_NAMES and tag != _MAKER_NOTE:
                    done.note(_EXIF_NAMES[tag], value)
    except struct.error:
        done.note("damaged EXIF", exif)


def orientation_of(exif: bytes) -> int:
    """Which way up EXIF says that a picture is, 1 to 8; 1 where it says nothing."""
    try:
        order = "<" if exif[:2] == b"II" else ">"
        at = struct.unpack_from(f"{order}I", exif, 4)[0]
        for place in range(at + 2, at + 2 + 12 * struct.unpack_from(f"{order}H", exif, at)[0], 12):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", exif, place)
            if tag == _ORIENTATION and 1 <= value <= 8:
                return int(value)
    except struct.error:
        return 1
    return 1


def exif_of_orientation(turned: int) -> bytes:
    """EXIF that says which way up a picture is, and nothing else."""
    return b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, _ORIENTATION, 3, 1, turned, 0, 0)
