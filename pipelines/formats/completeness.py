"""Whether a film is all there: the sizes that its container declares against those of the file.

Decoders read what is left of a film that was cut short and say nothing; a heart that stops beating
in the middle of a clip would be an artefact of a copy.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from fmstudio.errors import UnreadableFile
from pipelines.formats.content import AVI, GIF, MATROSKA, MP4, MPEG, MPEG_STREAM, Content

# Matroska: a segment of this identity holds the film (RFC 9559 section 5.1).
_SEGMENT = 0x18538067
_MAX_BOXES = 100_000
_TRANSPORT_PACKET = 188  # bytes (ISO/IEC 13818-1 section 2.4.3)
_PACK_HEADER, _END_CODE = 0xBA, 0xB9


def check_whole(path: Path, content: Content) -> None:
    """Raise UnreadableFile if the file ends before the film does.

    MPEG streams declare no length, but are made of packets, the last of which must be whole.
    """
    there = path.stat().st_size
    with path.open("rb") as stream:
        if content is GIF:
            stream.seek(-min(1024, there), 2)
            # Some programs write zeros or line ends behind the end.
            wanted = there if stream.read().rstrip(b"\0\r\n").endswith(b";") else there + 1
        elif content is AVI:
            stream.seek(4)
            wanted = int.from_bytes(stream.read(4), "little") + 8
            wanted -= wanted % 2  # padding that some programs count and do not write
        elif content is MATROSKA:
            wanted = _matroska_end(stream)
        elif content is MP4:
            wanted = _boxes_end(stream, there)
        elif content is MPEG_STREAM:
            wanted = -(-there // _TRANSPORT_PACKET) * _TRANSPORT_PACKET
        elif content is MPEG:
            wanted = _packets_end(stream, there)
        else:
            return
    if wanted > there:
        missing = (
            "its end is missing" if content is GIF else f"{wanted - there:,} bytes are missing"
        )
        raise UnreadableFile(
            f"{path.name} is cut short: {missing}.",
            hint="Copy or export it again; this copy is not complete.",
        )


def _boxes_end(stream: BinaryIO, there: int) -> int:
    """Where the last box of an MP4 file ends (ISO/IEC 14496-12 section 4.2)."""
    place = 0
    for _ in range(_MAX_BOXES):
        stream.seek(place)
        head = stream.read(16)
        if len(head) < 8 or not head[4:8].isalnum():
            return place
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        if size < 8:  # 0: up to the end of the file
            return there
        place += size
        if place >= there:
            return place
    return place


def _packets_end(stream: BinaryIO, there: int) -> int:
    """Where the last packet of an MPEG program stream ends (ISO/IEC 13818-1 section 2.5.3)."""
    place = 0
    while place < there:
        stream.seek(place)
        head = stream.read(14)
        if head[:3] != b"\0\0\1" or len(head) < 4:
            break
        if head[3] == _END_CODE:
            return place + 4
        if head[3] != _PACK_HEADER:
            place += 6 + int.from_bytes(head[4:6], "big")
        elif head[4] >> 6 == 1:  # MPEG-2: the last three bits are the number of stuffing bytes
            place += 14 + (head[13] & 7 if len(head) == 14 else 0)
        else:
            place += 12
    # Zeros may fill up the file behind the last packet.
    return place


def _matroska_end(stream: BinaryIO) -> int:
    """Where the film in a Matroska file ends; 0 if the file does not say."""
    stream.seek(4)
    header = _vint(stream)
    stream.seek(header or 0, 1)
    if int.from_bytes(stream.read(4), "big") != _SEGMENT:
        return 0
    size = _vint(stream)
    return 0 if size is None else stream.tell() + size


def _vint(stream: BinaryIO) -> int | None:
    """A size of variable length (RFC 8794 section 4); None if it says that it is unknown."""
    first = stream.read(1)
    if not first or not first[0]:
        return None
    length = 9 - first[0].bit_length()
    rest = stream.read(length - 1)
    value = int.from_bytes(first + rest, "big") - (1 << 7 * length)
    return None if value == (1 << 7 * length) - 1 else value
