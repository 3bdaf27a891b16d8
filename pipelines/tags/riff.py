"""RIFF files (WAV, AVI, WEBP) without their tags: chunks that are not needed become JUNK.

A tag is overwritten with zeros where it stands, since an AVI's index counts bytes. What may stay is
listed: INFO lists, bext, iXML, ID3, XMP and whatever else a recorder adds goes.
Sources: Microsoft, Multimedia Programming Interface (1991); EBU Tech 3285 (bext) and 3306 (RF64).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from pipelines.tags.cleared import Cleared, printable
from pipelines.tags.exif import exif_of_orientation, note_exif, orientation_of

_WAVE = (b"fmt ", b"data", b"fact", b"ds64", b"smpl", b"cue ", b"inst", b"PEAK")
_FILM = (b"avih", b"strh", b"strf", b"strd", b"indx", b"vprp", b"idx1", b"dmlh", b"vedt")
_LISTS = (b"hdrl", b"strl", b"odml", b"movi", b"rec ")
_PICTURE = (b"VP8 ", b"VP8L", b"VP8X", b"ANIM", b"ANMF", b"ALPH", b"ICCP")
_UNKNOWN = (0, 0xFFFFFFFF)  # lengths of a recording that was never closed, or of RF64
_NAMES = {
    b"INAM": "title",
    b"IART": "artist",
    b"ICMT": "comment",
    b"ICRD": "date",
    b"ISFT": "ISFT",
    b"ISBJ": "subject",
    b"IKEY": "keywords",
    b"ICOP": "copyright",
    b"IENG": "engineer",
    b"bext": "broadcast description",
    b"iXML": "iXML",
    b"id3 ": "ID3",
    b"ID3 ": "ID3",
    b"_PMX": "XMP",
    b"XMP ": "XMP",
    b"EXIF": "EXIF",
    b"IDIT": "date",
    b"strn": "stream name",
    b"JUNK": "padding",
    b"PAD ": "padding",
    b"FLLR": "padding",
    b"junk": "padding",
}
_XMP_FLAG, _EXIF_FLAG = 0x04, 0x08


def wave(data: bytearray) -> Cleared:
    """A WAV or RF64 file."""
    return _clear(data, _WAVE)


def film(data: bytearray) -> Cleared:
    """An AVI file, all its RIFF parts."""
    return _clear(data, _FILM)


def picture(data: bytearray) -> Cleared:
    """A WEBP file; which way up it is stays."""
    done = Cleared(data)
    for name, start, length in _chunks(data, 12, len(data)):
        if name in _PICTURE:
            continue
        inside = bytes(data[start : start + length])
        kept = b""
        if name == b"EXIF":
            turned = orientation_of(inside.removeprefix(b"Exif\0\0"))
            kept = exif_of_orientation(turned) if turned != 1 else b""
        if name == b"EXIF":
            note_exif(inside.removeprefix(b"Exif\0\0"), done)
        else:
            done.note(_NAMES.get(name, printable(name)), inside)
        if len(kept) <= length and kept:
            data[start : start + length] = kept.ljust(length, b"\0")
            continue
        _blank(data, start, length)
        if data[12:16] == b"VP8X" and name in (b"EXIF", b"XMP "):
            data[20] &= ~(_EXIF_FLAG if name == b"EXIF" else _XMP_FLAG)
    return done


def _clear(data: bytearray, kept: tuple[bytes, ...]) -> Cleared:
    done, at = Cleared(data), 0
    while bytes(data[at : at + 4]) in (b"RIFF", b"RF64"):
        size = struct.unpack_from("<I", data, at + 4)[0]
        end = len(data) if size in _UNKNOWN else min(len(data), at + 8 + size)
        _walk(data, at + 12, end, kept, done)
        at = end + (end - at) % 2
    if at < len(data):  # a tag of another kind behind the end
        done.note("bytes behind the end", data[at:])
        del data[at:]
    return done


def _walk(data: bytearray, at: int, end: int, kept: tuple[bytes, ...], done: Cleared) -> None:
    for name, start, length in _chunks(data, at, end):
        kind = bytes(data[start : start + 4])
        if name == b"LIST" and kind in _LISTS:
            if kind not in (b"movi", b"rec "):  # pictures and sound: nothing to look for
                _walk(data, start + 4, start + length, kept, done)
        elif name == b"LIST":
            if kind == b"INFO":
                for tag, inside, size in _chunks(data, start + 4, start + length):
                    done.note(_NAMES.get(tag, printable(tag)), data[inside : inside + size])
            else:
                done.note(f"list of {printable(kind)}", data[start + 4 : start + length])
            _blank(data, start, length)
        elif name not in kept:
            done.note(_NAMES.get(name, printable(name)), data[start : start + length])
            _blank(data, start, length)


def _chunks(data: bytearray, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(name, where its content starts, its length) of the chunks between two places."""
    while at + 8 <= end:
        name, length = struct.unpack_from("<4sI", data, at)
        if name == b"data" and length in _UNKNOWN:
            return  # to the end of the file
        length = min(length, end - at - 8)
        yield bytes(name), at + 8, length
        at += 8 + length + length % 2


def _blank(data: bytearray, start: int, length: int) -> None:
    data[start - 8 : start - 4] = b"JUNK"
    data[start : start + length] = bytes(length)
