"""PNG, JPEG, TIFF, GIF and BMP files without their tags; which way up a picture is stays.

Colour profiles stay where a decoder may use them; their pixels are copied as they are coded.
"""

from __future__ import annotations

import re
import struct
import zlib

from pipelines.tags.cleared import Cleared, printable
from pipelines.tags.exif import (
    EXIF_NAMES,
    FOLDERS,
    MAKER_NOTE,
    entry_folder,
    entry_span,
    entry_values,
    exif_of_orientation,
    note_exif,
    orientation_of,
)

_PNG = tuple(
    b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB sBIT pHYs bKGD acTL fcTL fdAT cICP mDCV cLLI".split()
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
_MOST_PAGES = 10_000
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
        for inner, value in list(entry_values(data, place, order)):
            if inner in EXIF_NAMES and inner != MAKER_NOTE:
                done.note(EXIF_NAMES[inner], value)
            elif inner == tag and kind == _ASCII:
                done.note(_TIFF_NAMES.get(tag, f"tag {tag}"), value)
            elif tag in (_XMP, _IPTC):
                _note(_TIFF_NAMES[tag], value, done)
        _zero(data, place, order)
    follows = data[at + 2 + 12 * count : at + 6 + 12 * count]
    block = struct.pack(f"{order}H", len(kept) // 12) + kept + follows
    data[at : at + 6 + 12 * count] = block.ljust(6 + 12 * count, b"\0")
    return int(struct.unpack(f"{order}I", follows)[0]) if len(follows) == 4 else 0


def _zero(data: bytearray, place: int, order: str, depth: int = 0) -> None:
    """Overwrite the value of an entry, and all that it leads to."""
    tag, start, size = entry_span(data, place, order)
    if tag in FOLDERS and size == 4 and depth < 3:
        end, inside = entry_folder(data, start, order)
        for entry in inside:
            _zero(data, entry, order, depth + 1)
        if inside:
            data[inside.start - 2 : end] = bytes(end - inside.start + 2)
    data[start : start + size] = bytes(size)
