"""Gzip files of one member or several -> their bytes, in bounds."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

MAGIC = b"\x1f\x8b"
_STEP_BYTES = 1 << 20


def blocks(stream: BinaryIO) -> Iterator[bytes]:
    """The rest of a stream, block by block."""
    return iter(lambda: stream.read(_STEP_BYTES), b"")


def gunzip(packed: Iterable[bytes], limit: int) -> bytes:
    """What a gzip file holds, at most `limit` bytes of it; short where the file is cut short.

    A file may be several members one after another (RFC 1952 section 2.2), as parallel compressors
    and `cat` write them; zeros that fill it up behind the last one are no member. Raises zlib.error
    for a member that is damaged.
    """
    found = bytearray()
    inflater = zlib.decompressobj(wbits=31)
    for block in packed:
        while block and len(found) < limit:
            if inflater.eof:
                block = block.lstrip(b"\0")
                if block and not block.startswith(MAGIC[: len(block)]):
                    return bytes(found)  # something else behind the last member
                inflater = zlib.decompressobj(wbits=31)
            found += inflater.decompress(block, limit - len(found))
            block = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
        if len(found) >= limit:
            break
    return bytes(found)


def read_gzip(path: Path, limit: int) -> bytes:
    """`gunzip` of a file."""
    with path.open("rb") as stream:
        return gunzip(blocks(stream), limit)
