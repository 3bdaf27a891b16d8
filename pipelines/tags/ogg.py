"""OGG files (Vorbis, Opus, FLAC, Speex, Theora) without their comments.

The comment packet keeps its length: the name of the encoder grows over what was said, as spaces, so
no page moves; only the checksums of the pages that it lies on are made anew (RFC 3533, section 6).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from pipelines.tags.cleared import Cleared
from pipelines.tags.sounds import note_comments

# How a comment packet begins, and how many bytes end it (the framing bit of Vorbis I, 5.2.1).
_HEADS = ((b"\x03vorbis", 1), (b"OpusTags", 0), (b"\x81theora", 0))
_SPEEX = b"Speex   "  # its comments have no head
_FLAC_COMMENT, _FLAC_HEAD = 4, 4
_FEW_PACKETS = 12  # headers come first
_POLYNOMIAL = 0x04C11DB7


@dataclass
class _Packet:
    """A packet: its number in its stream from 0, and the place of each of its bytes."""

    stream: int
    number: int
    places: list[int] = field(default_factory=list)


def clear(data: bytearray) -> Cleared:
    """An OGG file, every stream in it."""
    done, pages = Cleared(data), list(_pages(data))
    changed: set[int] = set()
    speex: set[int] = set()
    for packet in _packets(data, pages):
        old = bytes(data[place] for place in packet.places)
        if packet.number == 0:
            speex |= {packet.stream} if old.startswith(_SPEEX) else set()
            continue
        new = _cleared(old, packet.number == 1 and packet.stream in speex, done)
        if new != old:
            for place, byte in zip(packet.places, new, strict=True):
                data[place] = byte
            changed |= set(packet.places)
    for start, end in pages:
        if changed and not changed.isdisjoint(range(start, end)):
            data[start + 22 : start + 26] = bytes(4)
            data[start + 22 : start + 26] = _checksum(data[start:end]).to_bytes(4, "little")
    return done


def _cleared(packet: bytes, bare: bool, done: Cleared) -> bytes:
    """A packet, without its comments if it is one of them; `bare` is one without a head."""
    for head, framing in ((b"", 0),) if bare else _HEADS:
        if packet.startswith(head):
            note_comments(packet[len(head) :], done)
            return head + _no_comments(len(packet) - len(head), framing)
    if packet[:1] and packet[0] & 0x7F == _FLAC_COMMENT:
        length = int.from_bytes(packet[1:4])
        if length == len(packet) - _FLAC_HEAD:
            note_comments(packet[_FLAC_HEAD:], done)
            return packet[:_FLAC_HEAD] + _no_comments(length, 0)
    return packet


def _no_comments(length: int, framing: int) -> bytes:
    vendor = max(0, length - 8 - framing)
    return (vendor.to_bytes(4, "little") + b" " * vendor + bytes(4) + b"\x01" * framing)[:length]


def _pages(data: bytearray) -> Iterator[tuple[int, int]]:
    """Where each page starts and ends."""
    at = 0
    while data[at : at + 4] == b"OggS" and at + 27 <= len(data):
        count = data[at + 26]
        end = at + 27 + count + sum(data[at + 27 : at + 27 + count])
        yield at, min(end, len(data))
        at = end


def _packets(data: bytearray, pages: list[tuple[int, int]]) -> Iterator[_Packet]:
    """The first packets of each stream."""
    begun: dict[int, _Packet] = {}
    seen: dict[int, int] = {}
    for start, end in pages:
        stream, count = int.from_bytes(data[start + 14 : start + 18], "little"), data[start + 26]
        at = start + 27 + count
        if data[start + 5] & 2:  # a stream begins
            begun.pop(stream, None)
            seen[stream] = 0
        for lacing in data[start + 27 : start + 27 + count]:
            number = seen.setdefault(stream, 0)
            if number >= _FEW_PACKETS:
                break
            packet = begun.setdefault(stream, _Packet(stream, number))
            packet.places += range(at, min(at + lacing, end))
            if lacing < 255:
                seen[stream] = number + 1
                yield begun.pop(stream)
            at += lacing


def _table() -> list[int]:
    table = []
    for byte in range(256):
        rest = byte << 24
        for _ in range(8):
            rest = (rest << 1) ^ (_POLYNOMIAL if rest & 0x80000000 else 0)
        table.append(rest & 0xFFFFFFFF)
    return table


_TABLE = _table()


def _checksum(page: bytearray) -> int:
    """CRC-32 of a page, not reflected, from 0."""
    rest = 0
    for byte in page:
        rest = ((rest << 8) & 0xFFFFFFFF) ^ _TABLE[(rest >> 24) ^ byte]
    return rest
