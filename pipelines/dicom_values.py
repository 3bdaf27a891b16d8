"""The values of a DICOM picture: stored numbers -> modality units or colour, and its own window.

References are to the DICOM standard, part 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut, apply_modality_lut

from pipelines.frames import Window


def to_units(header: Dataset, pixels: np.ndarray, frame: int) -> np.ndarray:
    """Stored values of one frame to modality units (PS3.3 C.11.1), or to 8-bit colour."""
    if header.get("PhotometricInterpretation") == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, header)
        return _eight_bits(pixels, 8 * pixels.dtype.itemsize)
    if pixels.ndim == 3:
        return _eight_bits(pixels, int(header.BitsStored))
    padding = _padding(header, pixels)
    if header.get("ModalityLUTSequence"):
        values = apply_modality_lut(pixels, header)
    else:
        values = _rescale(header, pixels, frame)
    if header.get("VOILUTSequence"):
        values = _look_up(values, header.VOILUTSequence[0], bool(header.original_encoding[1]))
    values = values.astype(np.float32)
    valid = np.isfinite(values)
    if padding is not None:
        valid &= ~padding
    if not valid.all():
        # Where nothing was measured there is black, and it has no part in the contrast.
        extreme = np.max if header.get("PhotometricInterpretation") == "MONOCHROME1" else np.min
        values[~valid] = extreme(values[valid]) if valid.any() else 0
    return values


def _rescale(header: Dataset, pixels: np.ndarray, frame: int) -> np.ndarray:
    values = _functional(header, frame, "PixelValueTransformationSequence") or header
    slope = _first(values.get("RescaleSlope", 1))
    intercept = _first(values.get("RescaleIntercept", 0))
    if header.get("Modality") == "RTDOSE":
        slope, intercept = _first(header.get("DoseGridScaling", 1)), 0.0
    return pixels.astype(np.float64) * (slope or 1.0) + (intercept or 0.0)


def _look_up(values: np.ndarray, table: Dataset, little: bool) -> np.ndarray:
    """Values through a VOI table (PS3.3 C.11.2.1.1), to [0, 1].

    Many files store entries of 8 bits in words of 16, so the length of the data decides.
    """
    count, first, bits = (int(each) for each in table.LUTDescriptor)
    data = table.LUTData
    count = count or 65536
    if isinstance(data, bytes):
        data = np.frombuffer(data, "u1" if len(data) < 2 * count else "<u2" if little else ">u2")
    entries = np.asarray(data, np.float32)[:count]
    if first > 32767 and values.min() < 0:
        first -= 65536  # a signed number read as an unsigned one
    places = np.clip(np.rint(values) - first, 0, len(entries) - 1).astype(np.int64)
    return entries[places] / max(2**bits - 1, float(entries.max()))


def _padding(header: Dataset, pixels: np.ndarray) -> np.ndarray | None:
    """Where pixels are only padding (PS3.3 C.7.5.1.1.2), or None."""
    value = header.get("PixelPaddingValue")
    if not isinstance(value, int):
        return None
    limit = header.get("PixelPaddingRangeLimit", value)
    low, high = sorted((value, limit if isinstance(limit, int) else value))
    return (pixels >= low) & (pixels <= high)


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


def _functional(header: Dataset, frame: int, group: str) -> Dataset | None:
    """The functional group `group` of one frame of an enhanced image (PS3.3 C.7.6.16)."""
    per_frame = header.get("PerFrameFunctionalGroupsSequence") or []
    shared = header.get("SharedFunctionalGroupsSequence") or []
    for item in [*per_frame[frame : frame + 1], *shared[:1]]:
        if item.get(group):
            return item.get(group)[0]
    return None


def is_hounsfield(header: Dataset) -> bool:
    """True for a CT whose values are Hounsfield units."""
    values = _functional(header, 0, "PixelValueTransformationSequence") or header
    kind = str(values.get("RescaleType", "") or "HU")
    is_rescaled = "RescaleIntercept" in values and kind in ("HU", "US")  # US is unspecified
    return header.get("Modality") == "CT" and is_rescaled


def file_window(header: Dataset, whole: bool) -> Window | None:
    """The file's first VOI window (PS3.3 C.11.2.1.2), or None if there is none.

    LINEAR counts in steps of 1, which makes sense for `whole` numbers only.
    """
    if header.get("VOILUTSequence"):
        return Window(0.0, 1.0, "the file's own table")
    voi = _functional(header, 0, "FrameVOILUTSequence") or header
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
