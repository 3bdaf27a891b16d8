"""Pictures as other programs write them: colour models, layers, depths, and bombs beside the pixels."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from fmstudio.errors import UnreadableFile
from fmstudio.types import Source
from pipelines.radiology import PIPELINE, SIDE

RAMP = np.tile(np.linspace(0, 255, 64), (64, 1)).astype(np.uint8)
BOMB_BYTES = 100_000_000


def read(path: Path):
    return PIPELINE.read([Source("view", path)])


def lab(picture: Image.Image) -> Image.Image:
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    turned = ImageCms.applyTransform(picture, ImageCms.buildTransform(*profiles, "RGB", "LAB"))
    assert turned is not None
    return turned


GREY = Image.fromarray(RAMP)
PICTURES = {
    "cmyk.jpg": lambda: GREY.convert("RGB").convert("CMYK"),
    "cmyk.tif": lambda: GREY.convert("RGB").convert("CMYK"),
    "grey and alpha.png": lambda: GREY.convert("LA"),
    "palette.png": lambda: GREY.convert("P"),
    "lab.tif": lambda: lab(GREY.convert("RGB")),
    "float.tif": lambda: Image.fromarray(RAMP.astype(np.float32) / 7 - 3),
    "bits.tif": lambda: GREY.convert("1"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_every_colour_model_shows_the_same_picture(tmp_path, name):
    PICTURES[name]().save(tmp_path / name)
    GREY.save(tmp_path / "grey.png")
    got, want = read(tmp_path / name).values, read(tmp_path / "grey.png").values

    assert got.shape == want.shape == (1, 1, SIDE, SIDE)
    # Averages over blocks: black and white alone are mixed to grey.
    blocks = [each[0, 0].reshape(8, 28, 8, 28).mean((1, 3)) for each in (got, want)]
    np.testing.assert_allclose(*blocks, atol=0.06)


def test_what_a_palette_makes_transparent_is_black(tmp_path):
    picture = Image.fromarray(np.repeat([[0, 1, 2, 3]], 4, axis=0).astype(np.uint8), mode="P")
    picture.putpalette([255, 255, 255, 80, 80, 80, 160, 160, 160, 255, 255, 255])
    picture.save(tmp_path / "a.png", transparency=0)
    got = read(tmp_path / "a.png")

    assert got.values[0, 0, :, 5].max() == 0
    assert any("transparent" in remark for remark in got.remarks)


def test_a_jpeg_of_12_bits_is_refused_by_what_it_is(tmp_path):
    GREY.save(tmp_path / "a.jpg")
    content = bytearray((tmp_path / "a.jpg").read_bytes())
    content[content.index(b"\xff\xc0") + 4] = 12
    (tmp_path / "a.jpg").write_bytes(content)

    with pytest.raises(UnreadableFile, match="JPEG of 12 bits a sample") as refused:
        read(tmp_path / "a.jpg")
    assert "16 bits" in refused.value.hint


def test_of_an_animated_picture_the_first_one_is_read_and_it_is_said(tmp_path):
    second = Image.fromarray(255 - RAMP)
    GREY.save(tmp_path / "a.png")
    GREY.save(tmp_path / "b.png", save_all=True, append_images=[second], duration=100)
    got = read(tmp_path / "b.png")

    np.testing.assert_array_equal(got.values, read(tmp_path / "a.png").values)
    assert any("b.png is animated; only its first picture" in remark for remark in got.remarks)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_rotation_of_a_camera_is_undone(tmp_path, orientation):
    upright = RAMP[:40] // 2
    upright[:10, :10] = 255  # a mark in the upper left corner
    # How the sensor saw the upright picture, by the value of the tag (EXIF 2.3, 4.6.4).
    seen = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(np.ascontiguousarray(seen)).save(tmp_path / "a.png", exif=exif)
    Image.fromarray(upright).save(tmp_path / "upright.png")

    got, want = read(tmp_path / "a.png"), read(tmp_path / "upright.png")
    np.testing.assert_allclose(got.values, want.values, atol=0.01)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


BOMBS = {
    "iTXt": b"Comment\0\1\0\0\0",
    "zTXt": b"Comment\0\0",
    "iCCP": b"profile\0\0",
    "XMP": b"XML:com.adobe.xmp\0\1\0\0\0",
}


@pytest.mark.parametrize("kind", BOMBS)
@pytest.mark.parametrize("verb", ["read", "preview", "about"])
def test_a_bomb_beside_the_pixels_is_never_inflated(tmp_path, kind, verb):
    packed = zlib.compress(bytes(BOMB_BYTES), 9)
    beside = chunk(b"iTXt" if kind == "XMP" else kind.encode(), BOMBS[kind] + packed)
    rows = b"".join(b"\0" + bytes(row) for row in RAMP)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 0, 0, 0, 0))
    content += beside + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(content)

    tracemalloc.start()
    try:
        with pytest.raises(UnreadableFile, match=r"a\.png"):
            getattr(PIPELINE, verb)([Source("view", tmp_path / "a.png")])
        assert tracemalloc.get_traced_memory()[1] < BOMB_BYTES / 2
    finally:
        tracemalloc.stop()


def test_entities_of_xmp_are_never_expanded(tmp_path):
    entities = "".join(
        f"<!ENTITY {b} '{f'&{a};' * 10}'>" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    xmp = (
        b"http://ns.adobe.com/xap/1.0/\0"
        + (
            f"<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'>{entities}]><x:xmpmeta xmlns:x='adobe:ns:meta/'>"
            "&i;</x:xmpmeta>"
        ).encode()
    )
    GREY.save(tmp_path / "a.jpg")
    content = (tmp_path / "a.jpg").read_bytes()
    beside = b"\xff\xe1" + struct.pack(">H", len(xmp) + 2) + xmp
    (tmp_path / "b.jpg").write_bytes(content[:2] + beside + content[2:])

    np.testing.assert_array_equal(read(tmp_path / "b.jpg").values, read(tmp_path / "a.jpg").values)
