"""PNG, JPEG, TIFF, BMP and WEBP files -> a `Stack` of their pictures.

Size is checked before decoding; EXIF rotation is honoured; 16-bit and float grey keep their depth;
what is transparent is black.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from fmstudio.errors import UnreadableFile
from pipelines.formats.decoding import check_size, decoding
from pipelines.frames import Stack

FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP")
_GREY_MODES = ("1", "L", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0  # TIFF 6.0, section 3
_ORIENTATION = 274
_SIDEWAYS = (5, 6, 7, 8)
HEAD = 1_000_000  # bytes in which a JPEG has its frame header


def open_picture(path: Path, name: str) -> Stack:
    """The picture of one file, or the pages of a TIFF; `name` is that of the view.

    Raises UnreadableFile if it is damaged, cut short, or larger than any film.
    """
    remarks = []
    with _opened(path) as image, decoding(path.name), _quiet():
        columns, rows = image.size
        check_size(path.name, rows, columns, len(image.getbands()))
        # Looking for rotation reads a whole PNG, and finds out if it is cut short.
        if image.getexif().get(_ORIENTATION) in _SIDEWAYS:
            rows, columns = columns, rows
        many = image.format == "TIFF"
        pages = getattr(image, "n_frames", 1)
        if pages > 1 and not many:
            remarks.append(f"{path.name} is animated; only its first picture is read.")
        if _is_transparent(image):
            remarks.append(f"{path.name}: transparent parts are taken as black.")
        about = [str(image.format), *(["16 bit"] if image.mode.startswith("I;16") else [])]
        inverted = _is_inverted(image)
    return Stack(
        name=name,
        file=path.name,
        count=pages if many else 1,
        size=(rows, columns),
        pictures=lambda indices: _pictures(path, indices),
        inverted=inverted,
        about=tuple(about),
        remarks=tuple(remarks),
    )


def _opened(path: Path) -> Image.Image:
    with decoding(path.name), _quiet():
        try:
            return Image.open(path, formats=FORMATS)
        except UnidentifiedImageError:
            _refuse_deep_jpeg(path)
            raise
        except Image.DecompressionBombError as fault:
            raise UnreadableFile(
                f"{path.name} declares more pixels than can be read.",
                hint="Export it at a smaller size.",
            ) from fault


@contextmanager
def _quiet() -> Iterator[None]:
    """Pillow only warns of a picture that is too large, which `check_size` then refuses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _pictures(path: Path, indices: Sequence[int]) -> Iterator[np.ndarray]:
    """The pages `indices`: grey (H, W) float32, colour (H, W, 3) uint8."""
    with _opened(path) as image:
        for index in indices:
            with decoding(path.name), _quiet():
                if index:
                    image.seek(index)
                    check_size(path.name, *image.size[::-1], len(image.getbands()))
                picture = _pixels(ImageOps.exif_transpose(image))
            yield picture


def _pixels(image: Image.Image) -> np.ndarray:
    """One picture as an array, without losing depth: `convert` would cut 16 bits off at 255."""
    if _is_transparent(image):
        image = image.convert("RGBA")
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image).convert("RGB")
    if image.mode in _GREY_MODES:
        pixels = np.asarray(image, dtype=np.float32)
        finite = np.isfinite(pixels)
        if not finite.all():
            lowest = pixels[finite].min() if finite.any() else 0.0
            pixels = np.where(finite, pixels, lowest)
        return pixels
    colour = np.asarray(image.convert("RGB"))
    same = (colour[..., :1] == colour).all()
    return colour[..., 0].astype(np.float32) if same else colour


def _refuse_deep_jpeg(path: Path) -> None:
    """Raises UnreadableFile for a JPEG of more than 8 bits, which Pillow takes for no picture."""
    bits = _jpeg_bits(path.read_bytes()[:HEAD])
    if bits > 8:
        raise UnreadableFile(
            f"{path.name} is a JPEG of {bits} bits a sample, which cannot be read here.",
            hint="Export it as DICOM, or as PNG or TIFF of 16 bits.",
        )


def _jpeg_bits(head: bytes) -> int:
    """The precision that the frame header says (ITU-T T.81, B.2.2); 0 if there is none."""
    at = 2
    while head.startswith(b"\xff\xd8") and at + 5 <= len(head) and head[at] == 0xFF:
        marker, length = head[at + 1], int.from_bytes(head[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return head[at + 4]
        at += 2 + length
    return 0


def _is_transparent(image: Image.Image) -> bool:
    return image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info


def _is_inverted(image: Image.Image) -> bool:
    """True for TIFF that stores white as zero at a depth at which Pillow leaves it so."""
    tags = getattr(image, "tag_v2", {})
    deep = image.mode.startswith(("I", "F"))
    return deep and tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO
