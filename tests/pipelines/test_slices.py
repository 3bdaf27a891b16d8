"""Slices and frames come in the order of the body, however a file or a series stores them."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import generate_uid

from fmstudio.types import Source
from pipelines import radiology, video
from pipelines.radiology import open_stack

TRANSVERSE = [1, 0, 0, 0, 1, 0]
STORED = [5, 2, 7, 0, 3, 6, 1, 4]  # the slice, from feet to head, of each stored frame


def item(**elements) -> Dataset:
    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def frames(shades) -> np.ndarray:
    """One flat picture (8, 8) for each shade."""
    return np.repeat(np.asarray(shades, np.uint16), 64).reshape(-1, 8, 8)


def shades(path, index: int | None = None) -> list[float]:
    """What each picture of the stack shows, in units and in the stack's order."""
    stack = open_stack(Source("view", path))
    return [float(each.max()) for each in stack.pictures(range(stack.count))]


def enhanced(write_dicom, places, orientation=TRANSVERSE, per_frame=(), **elements):
    """A multi-frame file, frame k of shade k, whose frames lie at the `places` (x, y, z in mm)."""
    groups = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=list(place))],
            **(per_frame[number] if per_frame else {}),
        )
        for number, place in enumerate(places)
    ]
    return write_dicom(
        frames(range(len(places))),
        SharedFunctionalGroupsSequence=Sequence(
            [item(PlaneOrientationSequence=[item(ImageOrientationPatient=orientation)])]
        ),
        PerFrameFunctionalGroupsSequence=Sequence(groups),
        **elements,
    )


# The tilted normal is (0, 0.5, 0.866); rows that run backwards turn the normal to the feet.
TILTED = [1, 0, 0, 0, 0.8660254, -0.5]


@pytest.mark.parametrize(
    ("orientation", "step"),
    [
        (TRANSVERSE, (0, 0, 3.0)),
        ([1, 0, 0, 0, -1, 0], (0, 0, 3.0)),
        ([-1, 0, 0, 0, 1, 0], (0, 0, 3.0)),
        (TILTED, (0, 1.5, 2.598)),
        (TRANSVERSE, (0, 1.2, 3.0)),  # a tilted gantry: corners move, the normal does not
        ([0, 1, 0, 0, 0, -1], (-3.0, 0, 0)),  # sagittal: along rows x columns
        ([1, 0, 0, 0, 0, -1], (0, 3.0, 0)),  # coronal
    ],
)
def test_frames_stored_in_any_order_are_read_along_their_normal(write_dicom, orientation, step):
    places = [tuple(s * each for each in step) for s in STORED]

    path = enhanced(write_dicom, places, orientation)

    assert shades(path) == [float(STORED.index(s)) for s in range(8)]
    got = radiology.PIPELINE.read([Source("view", path)])
    assert any("ordered by their position" in each for each in got.remarks)


def test_frames_are_scaled_and_windowed_each_by_its_own_groups(write_dicom):
    ramp = np.tile(np.linspace(0, 1000, 224), (224, 1)).astype(np.uint16)
    slopes, centres = [1.0, 2.0, 4.0], [300.0, 1000.0, 3000.0]
    groups = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=[0, 0, z])],
            PixelValueTransformationSequence=[
                item(RescaleSlope=slope, RescaleIntercept=-5, RescaleType="US")
            ],
            FrameVOILUTSequence=[item(WindowCenter=centre, WindowWidth=1000)],
        )
        for z, slope, centre in zip([2, 0, 1], slopes, centres, strict=True)
    ]
    path = write_dicom(
        np.stack([ramp] * 3),
        SharedFunctionalGroupsSequence=Sequence(
            [item(PlaneOrientationSequence=[item(ImageOrientationPatient=TRANSVERSE)])]
        ),
        PerFrameFunctionalGroupsSequence=Sequence(groups),
    )

    got = radiology.PIPELINE.read([Source("view", path)]).values[:, 0]

    for shown, stored in zip(got, [1, 2, 0], strict=True):
        units = ramp * slopes[stored] - 5  # PS3.3 C.11.2.1.2.1, LINEAR
        expected = (units - (centres[stored] - 0.5)) / 999 + 0.5
        np.testing.assert_allclose(shown, np.clip(expected, 0, 1), atol=1e-5)


def test_slices_of_a_series_keep_each_its_own_window(write_dicom):
    ramp = np.tile(np.linspace(0, 1000, 224), (224, 1)).astype(np.uint16)
    series = generate_uid()
    paths = [
        write_dicom(
            ramp,
            f"{z}.dcm",
            SeriesInstanceUID=series,
            ImageOrientationPatient=TRANSVERSE,
            ImagePositionPatient=[0, 0, z],
            WindowCenter=centre,
            WindowWidth=1000,
        )
        for z, centre in ((1, 500.0), (0, 800.0))
    ]

    got = radiology.PIPELINE.read([Source("ct", path) for path in paths]).values[:, 0]

    for shown, centre in zip(got, [800.0, 500.0], strict=True):
        expected = (ramp - (centre - 0.5)) / 999 + 0.5
        np.testing.assert_allclose(shown, np.clip(expected, 0, 1), atol=1e-5)


@pytest.mark.parametrize("how", ["dimension", "index", "delay", "offset"])
def test_moments_of_one_place_are_read_volume_by_volume(write_dicom, how):
    # Frame by frame: (slice, moment), the moments stored backwards.
    layout = [(z, t) for z in (2, 0, 1) for t in (2, 1, 0)]
    per_frame = []
    for z, t in layout:
        content = item(StackID="1", InStackPositionNumber=z + 1)
        groups = {"FrameContentSequence": [content]}
        if how == "dimension":
            content.DimensionIndexValues = [z + 1, t + 1]
        elif how == "index":
            content.TemporalPositionIndex = t + 1
        elif how == "delay":
            groups["CardiacSynchronizationSequence"] = [
                item(NominalCardiacTriggerDelayTime=40.0 * t)
            ]
        else:
            groups["TemporalPositionSequence"] = [item(TemporalPositionTimeOffset=0.5 * t)]
        per_frame.append(groups)
    dimensions = [item(DimensionIndexPointer=0x00209057), item(DimensionIndexPointer=0x00209128)]

    path = enhanced(
        write_dicom,
        [(0, 0, z) for z, _ in layout],
        per_frame=per_frame,
        DimensionIndexSequence=Sequence(dimensions),
    )

    expected = [layout.index((z, t)) for t in range(3) for z in range(3)]
    assert shades(path) == expected


@pytest.mark.parametrize("pipeline", [radiology.PIPELINE, video.PIPELINE])
def test_frames_of_one_place_stay_in_time(write_dicom, pipeline):
    ramp = np.linspace(0, 1, 32 * 32).reshape(32, 32)
    stack = np.stack([np.round(ramp * (200 + 10 * t)) for t in range(6)]).astype(np.uint16)
    path = write_dicom(
        stack,
        FrameTime=40,
        ImagePositionPatient=[0, 0, 7],
        ImageOrientationPatient=TRANSVERSE,
        WindowCenter=128,
        WindowWidth=256,
    )

    got = pipeline.read([Source("cine", path)])

    peaks = [float(each.max()) for each in got.values]
    assert peaks == sorted(peaks)
    assert len(set(peaks)) == 6
    assert got.facts["seconds_per_frame"] == pytest.approx(0.04)


def test_planes_of_several_orientations_are_read_plane_by_plane(write_dicom):
    coronal, sagittal = [1, 0, 0, 0, 0, -1], [0, 1, 0, 0, 0, -1]
    layout = [
        (TRANSVERSE, (0, 0, 9)),
        (coronal, (0, 9, 0)),
        (sagittal, (0, 0, 0)),
        (TRANSVERSE, (0, 0, 2)),
        (coronal, (0, 3, 0)),
        (sagittal, (9, 0, 0)),
    ]
    per_frame = [
        {"PlaneOrientationSequence": [item(ImageOrientationPatient=cosines)]}
        for cosines, _ in layout
    ]

    path = enhanced(write_dicom, [place for _, place in layout], per_frame=per_frame)

    assert shades(path) == [3, 0, 4, 1, 5, 2]


@pytest.mark.parametrize("offsets", [[0, -3, -6, -9], [109, 106, 103, 100]])
def test_a_dose_grid_is_ordered_by_its_offsets(write_dicom, offsets):
    path = write_dicom(
        frames(range(4)),
        Modality="RTDOSE",
        DoseGridScaling=0.5,
        GridFrameOffsetVector=offsets,
        ImagePositionPatient=[0, 0, 109],
        ImageOrientationPatient=TRANSVERSE,
    )

    assert shades(path) == [1.5, 1.0, 0.5, 0.0]


def test_slices_of_nuclear_medicine_are_ordered_by_their_spacing(write_dicom):
    detector = item(ImagePositionPatient=[0, 0, 50], ImageOrientationPatient=TRANSVERSE)
    path = write_dicom(
        frames(range(4)),
        Modality="NM",
        SliceVector=[1, 2, 3, 4],
        SpacingBetweenSlices=-4,
        DetectorInformationSequence=Sequence([detector]),
    )

    assert shades(path) == [3, 2, 1, 0]


def series(write_dicom, slices, **elements):
    """Single slices (shade, z, further elements) of one series, as sources."""
    uid, sources = generate_uid(), []
    for number, (shade, z, more) in enumerate(slices):
        path = write_dicom(
            frames([shade])[0] + np.arange(8, dtype=np.uint16),
            f"{number}.dcm",
            ImageOrientationPatient=TRANSVERSE,
            ImagePositionPatient=[0, 0.3 * z, z],
            WindowCenter=50,
            WindowWidth=100,
            **{"SeriesInstanceUID": uid, **elements, **more},
        )
        sources.append(Source("ct", path))
    return sources


def read_series(sources):
    got = radiology.PIPELINE.read(sources)
    return [round(float(each.min()) * 99) for each in got.values[:, 0]], got.remarks


def test_a_series_with_a_gap_and_a_slice_given_twice_says_both(write_dicom):
    same = generate_uid()
    slices = [
        (60, 18, {}),
        (10, 0, {"SOPInstanceUID": same}),
        (20, 3, {}),
        (30, 6, {}),
        (50, 15, {}),
        (10, 0, {"SOPInstanceUID": same}),
    ]

    values, remarks = read_series(series(write_dicom, slices))

    assert values == [10, 20, 30, 50, 60]
    assert any("2 slices seem to be missing" in each for each in remarks)
    assert any("1 slice of one series given twice" in each for each in remarks)


def test_two_series_are_never_mixed_and_moments_of_one_are_kept_apart(write_dicom, tmp_path):
    first = series(
        write_dicom,
        [
            (40, 3, {"TemporalPositionIdentifier": 2}),
            (20, 3, {"TemporalPositionIdentifier": 1}),
            (30, 0, {"TemporalPositionIdentifier": 2}),
            (10, 0, {"TemporalPositionIdentifier": 1}),
        ],
    )
    values, remarks = read_series(first)
    assert values == [10, 20, 30, 40]
    assert any("volume by volume" in each for each in remarks)

    other = [(70, 1, {"SeriesInstanceUID": "1.2.3"}), (80, 0, {"SeriesInstanceUID": "1.2.3"})]
    mixed = series(write_dicom, [(60, 2, {}), other[0], (50, 0, {}), other[1]])
    assert read_series(mixed)[0] == [50, 60, 80, 70]


def test_the_order_is_the_same_once_the_header_is_stripped(write_dicom, tmp_path):
    per_frame = [
        {"FrameContentSequence": [item(TemporalPositionIndex=2 - number % 2)]}
        for number in range(4)
    ]
    path = enhanced(write_dicom, [(0, 0, 3), (0, 0, 3), (0, 0, 1), (0, 0, 1)], per_frame=per_frame)
    kept = tmp_path / "kept.dcm"
    kept.write_bytes(radiology.PIPELINE.stripped(Source("view", path)))

    assert shades(path) == shades(kept) == [3, 1, 2, 0]
