"""JPEG that pydicom's own decoders leave out: lossless and 12-bit, by libjpeg-turbo.

`imagecodecs` (BSD) brings libjpeg-turbo 3; the usual alternatives are GPL (pylibjpeg-libjpeg) or
have open memory-safety reports (gdcm). Also the size that an encoded frame itself declares, which
a decoder believes whatever the file's header says.
"""

from __future__ import annotations

import struct
from typing import Any

import imagecodecs
from pydicom import uid
from pydicom.pixels.decoders.base import (
    Decoder,
    DecodeRunner,
    JPEGExtended12BitDecoder,
    JPEGLosslessDecoder,
    JPEGLosslessSV1Decoder,
)

DECODER_DEPENDENCIES = {
    uid.JPEGExtended12Bit: ("imagecodecs",),
    uid.JPEGLossless: ("imagecodecs",),
    uid.JPEGLosslessSV1: ("imagecodecs",),
}

_PLUGIN = "imagecodecs"


def is_available(syntax: str) -> bool:
    """True for the transfer syntaxes that this decoder adds (asked by pydicom)."""
    return syntax in DECODER_DEPENDENCIES and imagecodecs.JPEG8.available


def decode_jpeg(encoded: bytes, runner: DecodeRunner) -> bytearray:
    """One JPEG frame as the bytes of its pixels, colour by pixel (called by pydicom)."""
    colour: dict[str, Any] = {}
    if runner.samples_per_pixel == 3 and runner.photometric_interpretation == "RGB":
        # Already RGB, though nothing inside the JPEG says so: no colour transform.
        colour = {"colorspace": "RGB", "outcolorspace": "RGB"}
    pixels = imagecodecs.jpeg8_decode(encoded, **colour)
    runner.set_option("planar_configuration", 0)
    runner.set_option("bits_allocated", 8 * pixels.dtype.itemsize)
    if pixels.ndim == 3 and not colour:
        runner.set_option("photometric_interpretation", "RGB")
    return bytearray(pixels.tobytes())


def register() -> None:
    """Teach pydicom these decoders, once per process."""
    decoders: tuple[Decoder, ...] = (
        JPEGExtended12BitDecoder,
        JPEGLosslessDecoder,
        JPEGLosslessSV1Decoder,
    )
    for decoder in decoders:
        if _PLUGIN not in decoder.available_plugins:
            decoder.add_plugin(_PLUGIN, (__name__, "decode_jpeg"))


def declared_size(encoded: bytes) -> tuple[int, int] | None:
    """(rows, columns) by the header of a JPEG, JPEG-LS or JPEG 2000 frame; None for other codings.

    JPEG 2000: SIZ marker, ISO/IEC 15444-1 A.5.1. JPEG and JPEG-LS: SOF marker, ITU-T T.81 B.2.2.
    """
    start = encoded.find(b"\xff\x4f\xff\x51", 0, 4096)
    if start >= 0 and len(encoded) >= start + 24:
        right, bottom, left, top = struct.unpack_from(">IIII", encoded, start + 8)
        return bottom - top, right - left
    if encoded[:2] != b"\xff\xd8":
        return None
    place = 2
    while place + 9 <= len(encoded) and encoded[place] == 0xFF:
        marker = encoded[place + 1]
        if marker == 0xFF:
            place += 1
            continue
        is_frame_header = 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)
        if is_frame_header or marker == 0xF7:
            return struct.unpack_from(">HH", encoded, place + 5)
        place += 2 + struct.unpack_from(">H", encoded, place + 2)[0]
    return None


register()
