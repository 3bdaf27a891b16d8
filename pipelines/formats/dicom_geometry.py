"""Where a DICOM picture lies and how large it is: spacing, place and moment, time per frame.

References are to the DICOM standard, part 3.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydicom.dataset import Dataset

from pipelines.frames import plausible
from pipelines.slices import NOWHERE, Place, normal_of

# Dimensions of an enhanced image that are space: whatever else tells frames apart is a moment.
_SPACE = (
    0x00209056,
    0x00209057,
    0x00200032,
    0x00200037,
    0x00209113,
    0x00209116,
    0x00201041,
    0x00209301,
    0x00209302,
    0x0020930E,
    0x0020930F,
)


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
            row, column = spacing
            return (row, column), plausible(row / column)
    for region in (header.get("SequenceOfUltrasoundRegions") or [])[:1]:
        in_cm = region.get("PhysicalUnitsXDirection") == region.get("PhysicalUnitsYDirection") == 3
        steps = _numbers([region.get("PhysicalDeltaY"), region.get("PhysicalDeltaX")], 2)
        if in_cm and steps and all(steps):
            spacing = abs(steps[0]) * 10, abs(steps[1]) * 10
            return spacing, plausible(spacing[0] / spacing[1])
    ratio = _numbers(header.get("PixelAspectRatio"), 2)
    return None, plausible(ratio[0] / ratio[1]) if ratio and min(ratio) > 0 else 1.0


def series_of(header: Dataset) -> tuple[object, ...]:
    """The key that parallel slices of one series share, or () for a picture that lies nowhere."""
    cosines = _numbers(header.get("ImageOrientationPatient"), 6)
    corner = _numbers(header.get("ImagePositionPatient"), 3)
    series = header.get("SeriesInstanceUID")
    if cosines is None or corner is None or not series:
        return ()
    return (str(series), header.get("Rows"), header.get("Columns"), *np.round(cosines, 2).tolist())


def slice_place(header: Dataset) -> Place:
    """Where a single slice lies and which moment, echo or instance of that place it is."""
    cosines = _numbers(header.get("ImageOrientationPatient"), 6)
    moment = tuple(
        _number(header.get(keyword)) or 0.0
        for keyword in (
            "TemporalPositionIdentifier",
            "AcquisitionNumber",
            "TriggerTime",
            "InstanceNumber",
        )
    )
    position = _along(cosines, _numbers(header.get("ImagePositionPatient"), 3))
    return Place(_parallel(cosines), position, moment)


def frame_places(header: Dataset, frames: int) -> list[Place]:
    """Where each frame of a file lies: by its functional groups (C.7.6.16.2.3), by the offsets of a
    dose grid (C.8.8.3.2) or the slices of nuclear medicine (C.8.4.15), else nowhere.
    """
    per_frame = header.get("PerFrameFunctionalGroupsSequence") or []
    if len(per_frame) == frames:
        shared = (header.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
        dimensions = [
            int(each.get("DimensionIndexPointer") or 0)
            for each in header.get("DimensionIndexSequence") or []
        ]
        return [_frame_place(item, shared, dimensions) for item in per_frame]
    return _grid_places(header, frames) or _tomographic_places(header, frames) or [NOWHERE] * frames


def _frame_place(item: Dataset, shared: Dataset, dimensions: Sequence[int]) -> Place:
    """One frame by its own functional groups, else by those that all frames share."""

    def group(name: str, keyword: str) -> object:
        for holder in (item, shared):
            for found in (holder.get(name) or [])[:1]:
                if found.get(keyword) is not None:
                    return found.get(keyword)
        return None

    cosines = _numbers(group("PlaneOrientationSequence", "ImageOrientationPatient"), 6)
    cosines = cosines or _numbers(
        group("PlaneOrientationVolumeSequence", "ImageOrientationVolume"), 6
    )
    corner = _numbers(group("PlanePositionSequence", "ImagePositionPatient"), 3)
    corner = corner or _numbers(group("PlanePositionVolumeSequence", "ImagePositionVolume"), 3)
    position = _along(cosines, corner)
    content = (item.get("FrameContentSequence") or [Dataset()])[0]
    if position is None:  # how the stack counts its slices (C.7.6.16.2.2)
        position = _number(content.get("InStackPositionNumber"))
    values = _numbers(content.get("DimensionIndexValues"), len(dimensions)) or ()
    moment: tuple[float | str, ...] = (
        *(
            value
            for pointer, value in zip(dimensions, values, strict=False)
            if pointer not in _SPACE
        ),
        _number(content.get("TemporalPositionIndex")) or 0.0,
        _number(group("TemporalPositionSequence", "TemporalPositionTimeOffset")) or 0.0,
        _number(group("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime")) or 0.0,
        str(content.get("FrameReferenceDateTime") or content.get("FrameAcquisitionDateTime") or ""),
    )
    segment = group("SegmentIdentificationSequence", "ReferencedSegmentNumber")
    return Place((content.get("StackID"), str(segment), *_parallel(cosines)), position, moment)


def _grid_places(header: Dataset, frames: int) -> list[Place]:
    offsets = _numbers(header.get("GridFrameOffsetVector"), frames) if frames > 1 else None
    cosines = _numbers(header.get("ImageOrientationPatient"), 6)
    corner = _numbers(header.get("ImagePositionPatient"), 3)
    start = _along(cosines, corner)
    if offsets is None or cosines is None or start is None:
        return []
    # Offsets count along rows x columns; those that do not begin at 0 are positions themselves.
    sign = float(np.sign(normal_of(cosines) @ np.cross(cosines[:3], cosines[3:])))
    start = start if offsets[0] == 0 else 0.0
    return [Place(_parallel(cosines), start + sign * offset) for offset in offsets]


def _tomographic_places(header: Dataset, frames: int) -> list[Place]:
    numbers = _numbers(header.get("SliceVector"), frames) if frames > 1 else None
    detector = (header.get("DetectorInformationSequence") or [Dataset()])[0]
    cosines = _numbers(detector.get("ImageOrientationPatient"), 6)
    start = _along(cosines, _numbers(detector.get("ImagePositionPatient"), 3))
    step = _number(header.get("SpacingBetweenSlices"))
    if numbers is None or cosines is None or start is None or not step:
        return []
    sign = float(np.sign(normal_of(cosines) @ np.cross(cosines[:3], cosines[3:])))
    return [Place(_parallel(cosines), start + sign * step * (n - 1)) for n in numbers]


def _along(cosines: tuple[float, ...] | None, corner: tuple[float, ...] | None) -> float | None:
    """The position of a slice along its normal in mm, or None."""
    if cosines is None or corner is None:
        return None
    return float(normal_of(cosines) @ np.array(corner))


def _parallel(cosines: tuple[float, ...] | None) -> tuple[float, ...]:
    return () if cosines is None else tuple(np.round(cosines, 2).tolist())


def _number(value: object) -> float | None:
    numbers = _numbers([value], 1)
    return numbers[0] if numbers else None


def timing(header: Dataset) -> float | None:
    """Seconds from frame to frame, or None (PS3.3 C.7.6.5: times in ms, rates per second)."""
    steps = _numbers(list(header.get("FrameTimeVector") or [])[1:], -1)
    if steps and np.mean(steps) > 0:
        return float(np.mean(steps)) / 1000
    for keyword, per_second in (
        ("FrameTime", False),
        ("CineRate", True),
        ("RecommendedDisplayFrameRate", True),
    ):
        value = _numbers([header.get(keyword)], 1)
        if value and value[0] > 0:
            return 1 / value[0] if per_second else value[0] / 1000
    return None
