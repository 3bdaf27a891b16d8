"""The values of a DICOM picture: stored numbers -> modality units or colour, and its own window.

References are to the DICOM standard, part 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut

from fmstudio.errors import UnreadableFile
from pipelines.frames import Window

OUTSIDE = "bits outside Bits Stored, such as an overlay, are left out"
NO_SLOPE = "a rescale slope of 0, which would blank the picture, is read as 1"


def to_units(
    header: Dataset, words: np.ndarray, frame: int, file: str, noted: list[str]
) -> np.ndarray:
    """One frame as its words are stored to modality units (PS3.3 C.11.1), or to 8-bit colour.

    What had to be changed on the way goes into `noted`. Raises UnreadableFile, naming the element,
    for a rescale that is no number.
    """
    if words.ndim == 3:
        return _eight_bits(words, int(header.BitsStored))
    pixels = stored_bits(header, words, file, noted)
    if header.get("PhotometricInterpretation") == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, header)
        return _eight_bits(pixels, 8 * pixels.dtype.itemsize)
    padding = _padding(header, words, pixels)
    table = _functional(header, frame, "ModalityLUTSequence", header)
    little = bool(header.original_encoding[1])
    if table is not None:
        entries, _ = _table(table, little)
        values = entries[_places(table, pixels, len(entries))]
    else:
        values = _rescale(header, pixels, frame, file, noted)
    voi = _functional(header, frame, "VOILUTSequence", header)
    if voi is not None:
        entries, highest = _table(voi, little)
        values = entries[_places(voi, values, len(entries))] / highest
    shown: np.ndarray = values.astype(np.float32)
    valid = np.isfinite(shown)
    if padding is not None:
        valid &= ~padding
    if not valid.all():
        # Where nothing was measured there is black, and it has no part in the contrast.
        extreme = np.max if header.get("PhotometricInterpretation") == "MONOCHROME1" else np.min
        shown[~valid] = extreme(shown[valid]) if valid.any() else 0
    return shown


def stored_bits(header: Dataset, words: np.ndarray, file: str, noted: list[str]) -> np.ndarray:
    """The Bits Stored up to High Bit of each word, with their sign (PS3.5 8.1.1).

    The other bits may hold anything, overlays among them. It is the same whatever the pixels were
    compressed with: a decoder only gives back the words that were put in.
    """
    if words.dtype.kind not in "iu":
        return words
    size, stored = 8 * words.dtype.itemsize, int(header.BitsStored)
    if not 0 < stored < size:
        return words
    highest = int(header.get("HighBit") or stored - 1)
    # Pixels in the upper bits are of older times (PS3.5 8.1.1); not all files that say so have any.
    in_upper_bits = stored - 1 < highest < size and bool((_unsigned(words) >> stored).any())
    highest = highest if in_upper_bits else stored - 1
    # Up, so that nothing is left above, and down, which repeats the sign of signed words.
    pixels = (words << (size - 1 - highest)) >> (size - stored)
    shift = highest + 1 - stored
    outside = (_unsigned(words) & ~(((1 << stored) - 1) << shift) % (1 << size)) != 0
    if (outside & (pixels << shift != words)).any():  # and not only the sign repeated
        noted.append(f"{file}: {OUTSIDE}.")
    return pixels


def _unsigned(words: np.ndarray) -> np.ndarray:
    return words.view(words.dtype.str.replace("i", "u"))


def _rescale(
    header: Dataset, pixels: np.ndarray, frame: int, file: str, noted: list[str]
) -> np.ndarray:
    values = _functional(header, frame, "PixelValueTransformationSequence") or header
    slope = _finite(values, "RescaleSlope", 1.0, file)
    intercept = _finite(values, "RescaleIntercept", 0.0, file)
    if header.get("Modality") == "RTDOSE":
        slope, intercept = _finite(header, "DoseGridScaling", 1.0, file), 0.0
    if slope == 0:
        noted.append(f"{file}: {NO_SLOPE}.")
    return pixels.astype(np.float64) * (slope or 1.0) + intercept


def _finite(values: Dataset, keyword: str, otherwise: float, file: str) -> float:
    """A number of the header, `otherwise` where it is absent or empty. Raises UnreadableFile."""
    try:
        found = _first(values.get(keyword))
    except (TypeError, ValueError):
        found = float("nan")
    if found is not None and not np.isfinite(found):
        raise UnreadableFile(
            f"{file}: its header is damaged: {keyword} is no number.",
            hint="Export it again; without it the grey values have no meaning.",
        )
    return otherwise if found is None else found


def _table(table: Dataset, little: bool) -> tuple[np.ndarray, float]:
    """The entries of a lookup table as float32, and the highest value that they can have.

    Many files store entries of 8 bits in words of 16, so the length of the data decides.
    """
    count, _, bits = (int(each) for each in table.LUTDescriptor)
    data = table.LUTData
    count = count or 65536
    if isinstance(data, bytes):
        data = np.frombuffer(data, "u1" if len(data) < 2 * count else "<u2" if little else ">u2")
    entries = np.asarray(data, np.float32)[:count]
    return entries, max(2**bits - 1, float(entries.max()))


def _places(table: Dataset, values: np.ndarray, count: int) -> np.ndarray:
    """Which entry each value gets (PS3.3 C.11.1.1.1, C.11.2.1.1): the first below, the last above.

    The first value that is mapped is signed where the values are, whatever its representation says.
    """
    first = int(table.LUTDescriptor[1])
    if first > 32767 and values.min() < 0:
        first -= 65536
    elif first < 0 and values.min() >= 0 and values.max() > 32767:
        first += 65536
    places: np.ndarray = np.clip(np.rint(values).astype(np.int64) - first, 0, count - 1)
    return places


def _padding(header: Dataset, words: np.ndarray, pixels: np.ndarray) -> np.ndarray | None:
    """Where pixels are only padding (PS3.3 C.7.5.1.1.2), or None.

    Value and limit are read as the words that they are, for many files declare them as signed where
    the pixels are not, or the other way round.
    """
    for prefix in ("", "Float", "DoubleFloat"):
        value = _whole(header, f"{prefix}PixelPaddingValue")
        if value is None:
            continue
        limit = _whole(header, f"{prefix}PixelPaddingRangeLimit")
        limit = value if limit is None else limit
        if pixels.dtype.kind == "f":
            low, high = sorted((value, limit))
            return (pixels >= low) & (pixels <= high)
        if prefix:
            continue
        ends = [_as_stored(header, words, each) for each in (value, limit)]
        known = [each for each in ends if each is not None]
        if len(known) == len(ends):
            return (pixels >= min(known)) & (pixels <= max(known))
        # A value that Bits Stored cannot hold: the whole word says that it is padding.
        low, high = sorted(int(each) % (1 << 8 * words.dtype.itemsize) for each in (value, limit))
        return (_unsigned(words) >= low) & (_unsigned(words) <= high)
    return None


def _as_stored(header: Dataset, words: np.ndarray, value: float) -> int | None:
    """A value of the header as the pixels would hold it, None if Bits Stored cannot hold it."""
    size, stored = 8 * words.dtype.itemsize, int(header.BitsStored)
    signed = words.dtype.kind == "i"
    for bits in (size, stored):
        word = int(value) % (1 << bits)
        if signed and word >> (bits - 1):
            word -= 1 << bits
        low, high = (-(1 << stored - 1), 1 << stored - 1) if signed else (0, 1 << stored)
        if low <= word < high and (bits == size or int(value) == word % (1 << stored)):
            return word
    return None


def _whole(header: Dataset, keyword: str) -> float | None:
    """A number, whatever representation it was written with, or None."""
    value = header.get(keyword)
    if isinstance(value, bytes) and len(value) in (2, 4):  # declared as unknown or as bytes
        return int.from_bytes(value, "little" if header.original_encoding[1] else "big")
    try:
        found = _first(value)
    except (TypeError, ValueError):
        return None
    return found if found is not None and np.isfinite(found) else None


def _eight_bits(pixels: np.ndarray, bits: int) -> np.ndarray:
    """Colour of any depth as uint8."""
    if bits <= 8:
        return pixels.astype(np.uint8)
    return (pixels.astype(np.uint64) >> (bits - 8)).astype(np.uint8)


def swap_palette(header: Dataset) -> None:
    """Turn the words of a big-endian palette, which pydicom reads as little-endian."""
    for colour in ("Red", "Green", "Blue"):
        data = header.get(f"{colour}PaletteColorLookupTableData")
        if data and len(data) % 2 == 0:
            header[f"{colour}PaletteColorLookupTableData"].value = (
                np.frombuffer(data, ">u2").astype("<u2").tobytes()
            )


def _functional(
    header: Dataset, frame: int, group: str, beside: Dataset | None = None
) -> Dataset | None:
    """The functional group `group` of one frame of an enhanced image (PS3.3 C.7.6.16).

    A frame's own comes before that of all frames, and this before that of `beside`.
    """
    per_frame = header.get("PerFrameFunctionalGroupsSequence") or []
    shared = header.get("SharedFunctionalGroupsSequence") or []
    for item in (*per_frame[frame : frame + 1], *shared[:1], beside):
        found = None if item is None else item.get(group)
        if found:
            first: Dataset = found[0]
            return first
    return None


def is_hounsfield(header: Dataset) -> bool:
    """True for a CT whose values are Hounsfield units."""
    values = _functional(header, 0, "PixelValueTransformationSequence") or header
    kind = str(values.get("RescaleType", "") or "HU")
    is_rescaled = "RescaleIntercept" in values and kind in ("HU", "US")  # US is unspecified
    return header.get("Modality") == "CT" and is_rescaled


def file_window(header: Dataset, frame: int, whole: bool) -> Window | None:
    """The first VOI window of a frame (PS3.3 C.11.2.1.2), or None if there is none.

    LINEAR counts in steps of 1, which makes sense for `whole` numbers only.
    """
    if _functional(header, frame, "VOILUTSequence", header):
        return Window(0.0, 1.0, "the file's own table")
    voi = _functional(header, frame, "FrameVOILUTSequence") or header
    try:
        centre, width = (_first(voi.get(each)) for each in ("WindowCenter", "WindowWidth"))
    except (TypeError, ValueError):
        return None
    if centre is None or width is None or not np.isfinite([centre, width]).all() or width <= 0:
        return None
    function = str(voi.get("VOILUTFunction", "") or "LINEAR")
    name = f"the file's own: centre {centre:g}, width {width:g}"
    if function == "LINEAR" and whole:
        return Window(centre - width / 2, centre + width / 2 - 1, name)
    return Window(centre - width / 2, centre + width / 2, name, sigmoid=function == "SIGMOID")


def _first(value: Any) -> float | None:
    """The first of one or several values as a float."""
    if value is None or value == "":
        return None
    return float(value[0] if isinstance(value, Sequence) and not isinstance(value, str) else value)
