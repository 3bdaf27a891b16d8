"""AIFF, CAF, AU, FLAC, MP3 and AAC files without their tags."""

from __future__ import annotations

import struct

from pipelines.tags.cleared import Cleared, printable

_AIFF = (b"COMM", b"SSND", b"FVER", b"MARK", b"INST")
_CAF = (b"desc", b"data", b"pakt", b"kuki", b"chan")
_FLAC_NAMES = {1: "padding", 2: "application", 4: "comments", 5: "cue sheet", 6: "picture"}
_FLAC_KEPT = (0, 3)  # STREAMINFO and SEEKTABLE
_FLAC_PADDING = 1
_ID3V1 = 128


def aiff(data: bytearray) -> Cleared:
    """AIFF and AIFC (Apple 1989): its chunks count no bytes of each other, so tags are cut out."""
    done, at, kept = Cleared(), 12, bytearray(data[:12])
    while at + 8 <= len(data):
        name, length = struct.unpack_from(">4sI", data, at)
        end = min(len(data), at + 8 + length + length % 2)
        if name in _AIFF:
            kept += data[at:end]
        else:
            done.note(printable(name), data[at + 8 : end])
        at = end
    struct.pack_into(">I", kept, 4, len(kept) - 8)
    done.content = kept
    return done


def caf(data: bytearray) -> Cleared:
    """Core Audio Format: tags become chunks named "free"."""
    done, at = Cleared(data), 8
    while at + 12 <= len(data):
        name, length = struct.unpack_from(">4sq", data, at)
        if length < 0:  # sound to the end of the file
            break
        if name not in _CAF:
            done.note(
                "padding" if name == b"free" else printable(name), data[at + 12 : at + 12 + length]
            )
            data[at : at + 4] = b"free"
            data[at + 12 : at + 12 + length] = bytes(len(data[at + 12 : at + 12 + length]))
        at += 12 + length
    return done


def au(data: bytearray) -> Cleared:
    """AU: the annotation between its header of 24 bytes and its sound."""
    done, (start,) = Cleared(data), struct.unpack_from(">I", data, 4)
    start = max(24, min(start, len(data)))
    done.note("annotation", data[24:start])
    data[24:start] = bytes(start - 24)
    return done


def flac(data: bytearray) -> Cleared:
    """FLAC: every block of metadata but STREAMINFO and SEEKTABLE becomes padding."""
    done, at, last = Cleared(data), 4, False
    while not last and at + 4 <= len(data):
        head, length = data[at], int.from_bytes(data[at + 1 : at + 4])
        last, kind = bool(head & 0x80), head & 0x7F
        if kind not in _FLAC_KEPT:
            inside = data[at + 4 : at + 4 + length]
            if kind == 4:
                note_comments(inside, done)
            else:
                done.note(_FLAC_NAMES.get(kind, f"block {kind}"), inside)
            data[at] = _FLAC_PADDING | (head & 0x80)
            data[at + 4 : at + 4 + length] = bytes(len(inside))
        at += 4 + length
    return _without_tail(data, done)


def mpeg(data: bytearray) -> Cleared:
    """MP3, AAC, and FLAC behind an ID3 tag: ID3, APE and Lyrics3 tags."""
    done = Cleared(data)
    while data[:3] == b"ID3" and len(data) > 10:  # ID3v2.4, section 3.1: sizes of 7 bits a byte
        size = sum(byte << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=True))
        footer = 10 if data[5] & 0x10 else 0
        done.note("ID3", data[10 : 10 + size])
        del data[: 10 + size + footer]
    if data[:4] == b"fLaC":
        inner = flac(data)
        inner.told[:0], inner.other[:0] = done.told, done.other
        return inner
    return _without_tail(data, done)


def note_comments(block: bytes | bytearray, done: Cleared) -> None:
    """Note the fields of a Vorbis comment, which FLAC and OGG have: NAME=value."""
    at = 4 + int.from_bytes(block[:4], "little")
    count = int.from_bytes(block[at : at + 4], "little")
    at += 4
    for _ in range(min(count, 10_000)):
        length = int.from_bytes(block[at : at + 4], "little")
        name, _, value = bytes(block[at + 4 : at + 4 + length]).partition(b"=")
        done.note(name.decode("ascii", "replace").lower() or "comment", value)
        at += 4 + length


def _without_tail(data: bytearray, done: Cleared) -> Cleared:
    """Cut off what old players look for at the end."""
    if data[-_ID3V1:-125] == b"TAG":
        done.note("ID3v1", data[-125:])
        del data[-_ID3V1:]
    if data[-9:] == b"LYRICS200" and (start := data.rfind(b"LYRICSBEGIN")) > 0:
        done.note("Lyrics3", data[start:])
        del data[start:]
    if data[-32:-24] == b"APETAGEX":
        size = int.from_bytes(data[-20:-16], "little")
        header = 32 if int.from_bytes(data[-12:-8], "little") >> 31 else 0
        done.note("APE", data[-size:])
        del data[-(size + header) :]
    return done
