"""NIfTI volumes without what their headers say in words; the header keeps its length."""

from __future__ import annotations

import gzip

from pipelines.tags.cleared import Cleared

# (name, first byte, length) by https://nifti.nimh.nih.gov/nifti-1 and nifti-2.
_NIFTI1 = (
    ("data type", 4, 10),
    ("database name", 14, 18),
    ("description", 148, 80),
    ("auxiliary file", 228, 24),
    ("intent name", 328, 16),
)
_NIFTI2 = (("description", 240, 80), ("auxiliary file", 320, 24), ("intent name", 508, 16))
_LARGEST = 1_100_000_000


def nifti(data: bytearray) -> Cleared:
    """A .nii file: its words, and the extensions between header and volume."""
    done = Cleared(data)
    second = data[4:8] == b"n+2\0"
    fields, length = (_NIFTI2, 540) if second else (_NIFTI1, 348)
    for name, at, size in fields:
        done.note(name, data[at : at + size])
        data[at : at + size] = bytes(size)
    start = _offset(data, second)
    if start > length + 4 and data[length]:
        done.note("extensions", data[length + 4 : start])
    if start > length:
        data[length:start] = bytes(start - length)
    return done


def packed_nifti(data: bytearray) -> Cleared:
    """A .nii.gz file, packed anew without the name that it once had."""
    import zlib

    opened = zlib.decompressobj(wbits=31)
    done = nifti(bytearray(opened.decompress(bytes(data), _LARGEST)))
    if data[3] & 0x08:  # FNAME (RFC 1952)
        done.note("file name", data[10 : data.find(b"\0", 10)])
    done.content = gzip.compress(bytes(done.content), compresslevel=6, mtime=0)
    return done


def _offset(data: bytearray, second: bool) -> int:
    import struct

    order = "<" if bytes(data[:4]) in (b"\x5c\x01\0\0", b"\x1c\x02\0\0") else ">"
    if second:
        return min(int(struct.unpack_from(f"{order}q", data, 168)[0]), len(data))
    return min(int(struct.unpack_from(f"{order}f", data, 108)[0]), len(data))
