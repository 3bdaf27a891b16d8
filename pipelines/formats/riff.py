"""The header of a WAV, AU or AIFF file -> where its samples lie, whatever it says of their size.

A program that writes to a pipe cannot go back and fill in how long the sound became: it leaves 0,
0x7FFFF000, 0x80000000 or 0xFFFFFFFF there. Layout by Microsoft and IBM, "Multimedia Programming
Interface and Data Specifications 1.0" (1991), and EBU Tech 3306 and ITU-R BS.2088 (RF64, BW64).
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fmstudio.errors import UnreadableFile

AGAIN = "Copy or export the recording again."
# No recorder that knows its size writes one within a megabyte of 2 GiB, or above, into such a file.
UNKNOWN_FROM = 0x7FF00000
MAX_CHUNKS = 10_000
MAX_HEADER_BYTES = 1_000_000  # of the chunks that say how samples are stored


@dataclass(frozen=True)
class Layout:
    """A header that reads the same for every decoder, and the bytes of samples that follow it.

    `plain` is True where the file itself is already laid out so.
    """

    head: bytes
    start: int
    length: int
    plain: bool
    remarks: tuple[str, ...] = ()


class Rewritten(io.RawIOBase):
    """A file whose header is replaced: `head`, then `length` bytes of `stream` from `start`."""

    def __init__(self, stream: BinaryIO, layout: Layout) -> None:
        self._stream, self._layout, self._at = stream, layout, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        end = len(self._layout.head) + self._layout.length
        self._at = max(0, offset + (0, self._at, end)[whence])
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        head = self._layout.head
        if self._at < len(head):
            part = head[self._at : self._at + len(buffer)]
        else:
            inside = self._at - len(head)
            self._stream.seek(self._layout.start + inside)
            part = self._stream.read(max(0, min(len(buffer), self._layout.length - inside)))
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)


def layout_of(path: Path) -> Layout | None:
    """Where the samples of a WAV, AU or AIFF file lie; None for other files.

    Raises UnreadableFile for a WAV without samples and for one that ends before a size that its
    header knows.
    """
    with path.open("rb") as stream:
        magic = stream.read(4)
        if magic == b".snd":
            return _au(path, stream)
        if magic in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
            return _wav(path, stream, magic)
        if magic == b"FORM":
            return _aiff(path, stream)
    return None


def cut_off(path: Path, share: float) -> UnreadableFile:
    """The error for a recording of which only a share is there."""
    return UnreadableFile(
        f"{path.name} is truncated: only {share:.0%} of the sound that it declares is there.",
        hint=AGAIN,
    )


def _said(path: Path) -> str:
    return f"{path.name}: its header does not say how long it is; all that is there was read."


def _au(path: Path, stream: BinaryIO) -> Layout | None:
    head = stream.read(20)
    if len(head) < 20:
        return None
    start, length = struct.unpack(">II", head[:8])
    held = path.stat().st_size - start
    known = 0 < length < UNKNOWN_FROM
    if known or held <= 0 or start < 24 or start > MAX_HEADER_BYTES:
        return Layout(b"", 0, 0, plain=True)
    stream.seek(24)
    whole = b".snd" + struct.pack(">II", start, held) + head[8:] + stream.read(start - 24)
    return Layout(whole, start, held, False, (_said(path),))


def _aiff(path: Path, stream: BinaryIO) -> Layout:
    """libsndfile reads what is there; here it is only said that the header does not know."""
    size = path.stat().st_size
    for name, start, declared, _ in _chunks(stream, size, ">"):
        if name != b"SSND":
            continue
        held = size - start
        if declared == 0 or UNKNOWN_FROM <= declared > held:
            return Layout(b"", 0, 0, True, (_said(path),))
        if declared > held:
            said = f"{path.name} ends early: {held / declared:.0%} of its sound is there."
            return Layout(b"", 0, 0, True, (said,))
    return Layout(b"", 0, 0, plain=True)


def _wav(path: Path, stream: BinaryIO, magic: bytes) -> Layout:
    order = ">" if magic == b"RIFX" else "<"
    size = path.stat().st_size
    chunks = _chunks(stream, size, order)
    if not chunks:
        raise UnreadableFile(f"{path.name} holds no sound: its data part is missing.", hint=AGAIN)
    names = [name for name, _, _, _ in chunks]
    at = next(
        (i for i, (name, _, length, _) in enumerate(chunks) if name == b"data" and length),
        names.index(b"data") if b"data" in names else None,
    )
    if at is None:
        raise UnreadableFile(f"{path.name} holds no sound: its data part is missing.", hint=AGAIN)
    _, start, declared, _ = chunks[at]
    held = size - start
    if magic in (b"RF64", b"BW64") and declared == 0xFFFFFFFF and b"ds64" in names:
        stream.seek(chunks[names.index(b"ds64")][1] + 8)
        (declared,) = struct.unpack("<Q", stream.read(8))
    unknown = declared >= UNKNOWN_FROM and declared > held
    unknown |= declared == 0 and held > 0 and not _is_chain(stream, start, size, order)
    if not unknown and declared > held:
        raise cut_off(path, held / declared)
    length = held if unknown else declared
    described = [
        (name, begin, count)
        for name, begin, count, _ in chunks
        if name in (b"fmt ", b"fact") and 0 < count <= MAX_HEADER_BYTES
    ]
    plain = (
        not unknown
        and magic in (b"RIFF", b"RIFX", b"RF64")
        and b"fmt " in names[:at]
        and names.index(b"data") == at
        and all(padded for *_, padded in chunks)
    )
    head = _header(stream, described, length, order)
    remarks = (_said(path),) if unknown else _behind(path, stream, start + length, order)
    return Layout(head, start, length, plain, remarks)


def _behind(path: Path, stream: BinaryIO, end: int, order: str) -> tuple[str, ...]:
    """A remark on bytes behind the samples that are no chunks: the header may be an early one."""
    size = path.stat().st_size
    end += end % 2 if end < size else 0
    if end + 8 > size or _is_chain(stream, end, size, order):
        return ()
    return (f"{path.name}: {size - end} bytes behind the sound that it declares were not read.",)


Chunk = tuple[bytes, int, int, bool]  # name, first byte of its body, size as declared, padded


def _chunks(stream: BinaryIO, size: int, order: str) -> list[Chunk]:
    """The chunks of a WAV; those behind samples of unknown size cannot be found."""
    found: list[Chunk] = []
    at = 12
    while at + 8 <= size and len(found) < MAX_CHUNKS:
        stream.seek(at)
        name, length = struct.unpack(f"{order}4sI", stream.read(8))
        if not _is_name(name):
            break
        after = at + 8 + length
        padded = not length % 2 or after + 1 >= size or not _starts_chunk(stream, after, size)
        found.append((name, at + 8, length, padded))
        at = after + (length % 2 if padded else 0)
    return found


def _starts_chunk(stream: BinaryIO, at: int, size: int) -> bool:
    """True if a chunk begins right behind one of odd size, where a byte of padding belongs."""
    stream.seek(at)
    name = stream.read(5)
    return at + 8 <= size and _is_name(name[:4]) and not _is_name(name[1:5])


def _is_name(name: bytes) -> bool:
    return len(name) == 4 and all(32 <= byte < 127 for byte in name) and name[:1] != b" "


def _is_chain(stream: BinaryIO, at: int, size: int, order: str) -> bool:
    """True if whole chunks fill the file from `at` to its end."""
    while at + 8 <= size:
        stream.seek(at)
        name, length = struct.unpack(f"{order}4sI", stream.read(8))
        if not _is_name(name):
            return False
        at += 8 + length + length % 2
    return at in (size, size + 1)


def _header(
    stream: BinaryIO, described: list[tuple[bytes, int, int]], length: int, order: str
) -> bytes:
    body = b"WAVE"
    for name, begin, count in described:
        stream.seek(begin)
        part = stream.read(count)
        body += name + struct.pack(f"{order}I", len(part)) + part + b"\0" * (len(part) % 2)
    body += b"data" + struct.pack(f"{order}I", length)
    whole = min(len(body) + length, 0xFFFFFFFF)
    return (b"RIFX" if order == ">" else b"RIFF") + struct.pack(f"{order}I", whole) + body
