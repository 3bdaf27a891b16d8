"""Where a DICOM picture lies and how large it is: spacing, place in its series, time per frame."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset

from pipelines.frames import plausible


def _numbers(value: object, count: int) -> tuple[float, ...] | None:
    """`count` finite numbers (-1: any number of them) of a multi-valued element, or None."""
    try:
        numbers = tuple(float(each) for each in value)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        return None
    fits = count in (-1, len(numbers)) and np.isfinite(numbers).all()
    return numbers if fits else None


def spacing_and_aspect(header: Dataset) -> tuple[tuple[float, float] | None, float]:
    """((row, column) spacing in mm or None, height of a pixel over its width).

    Pixel Spacing, else that at the detector (PS3.3 10.7.1), else the first calibrated ultrasound
    region (C.8.5.5; in cm), else only Pixel Aspect Ratio (C.7.6.3.1.7).
    """
    measures = None
    for groups in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for item in (header.get(groups) or [])[:1]:
            measures = measures or (item.get("PixelMeasuresSequence") or [None])[0]
    candidates = [measures.get("PixelSpacing") if measures else None]
    candidates += [header.get("PixelSpacing"), header.get("ImagerPixelSpacing")]
    for candidate in candidates:
        spacing = _numbers(candidate, 2)
        if spacing and min(spacing) > 0:
            return spacing, plausible(spacing[0] / spacing[1])
    for region in (header.get("SequenceOfUltrasoundRegions") or [])[:1]:
        in_cm = region.get("PhysicalUnitsXDirection") == region.get("PhysicalUnitsYDirection") == 3
        steps = _numbers([region.get("PhysicalDeltaY"), region.get("PhysicalDeltaX")], 2)
        if in_cm and steps and all(steps):
            spacing = abs(steps[0]) * 10, abs(steps[1]) * 10
            return spacing, plausible(spacing[0] / spacing[1])
    ratio = _numbers(header.get("PixelAspectRatio"), 2)
    return None, plausible(ratio[0] / ratio[1]) if ratio and min(ratio) > 0 else 1.0


def place(header: Dataset) -> tuple[tuple[object, ...], float | None]:
    """(key of the series of parallel slices, position in mm along their normal), or ((), None)."""
    cosines = _numbers(header.get("ImageOrientationPatient"), 6)
    corner = _numbers(header.get("ImagePositionPatient"), 3)
    series = header.get("SeriesInstanceUID")
    if cosines is None or corner is None or not series:
        return (), None
    normal = np.cross(cosines[:3], cosines[3:])
    key = (str(series), header.get("Rows"), header.get("Columns"), *np.round(cosines, 2).tolist())
    return key, float(normal @ np.array(corner))


def timing(header: Dataset) -> float | None:
    """Seconds from frame to frame, or None (PS3.3 C.7.6.5: times in ms, rates per second)."""
    steps = _numbers(list(header.get("FrameTimeVector") or [])[1:], -1)
    if steps and np.mean(steps) > 0:
        return float(np.mean(steps)) / 1000
    for keyword, per_second in (
        ("FrameTime", False), ("CineRate", True), ("RecommendedDisplayFrameRate", True)
    ):  # fmt: skip
        value = _numbers([header.get(keyword)], 1)
        if value and value[0] > 0:
            return 1 / value[0] if per_second else value[0] / 1000
    return None
