"""Every real DICOM file and film: read correctly, or refused with a message that names it."""

from __future__ import annotations

import csv
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest

from fmstudio.errors import UnreadableFile
from fmstudio.types import ModalityInput, Source
from pipelines.formats.dicom import open_dicom
from pipelines.radiology import PIPELINE as RADIOLOGY
from pipelines.video import PIPELINE as VIDEO

SHARED = Path(__file__).resolve().parents[3] / "shared"
LIST = SHARED / "formats" / "dicom.csv"
ROWS = list(csv.DictReader(LIST.read_text().splitlines())) if LIST.is_file() else []
FILMS = sorted((SHARED / "formats" / "video").glob("*"))
CLIPS = sorted((SHARED / "data" / "pocus_lung_ultrasound" / "video").glob("*"))

# Read here though pydicom with every decoder did not: the reason why that is right.
READ_BEYOND_PYDICOM = {
    "JPEG-lossy.dcm": "12-bit JPEG with a wrong bit depth in its header",
    "OT-PAL-8-face.dcm": "no meta header, but plainly implicit little endian",
    "emri_small_jpeg_2k_lossless_too_short.dcm": "only its group length is wrong",
}


def source(path: Path) -> Source:
    return Source("view", path)


def is_decoded(row: dict[str, str]) -> bool:
    """True if pydicom decoded the pixels of this file."""
    return row["pixels"].replace("no preamble; ", "").startswith("decoded")


def assert_is_in_standard_form(got: ModalityInput, side: int) -> None:
    assert got.values.dtype == np.float32
    assert got.values.shape[1] in (1, 3)
    assert got.values.shape[2:] == (side, side)
    assert got.mask.all()
    assert len(got.mask) == len(got.values) == len(got.facts["names"])
    assert np.isfinite(got.values).all()
    assert got.values.min() >= 0
    assert got.values.max() <= 1


@pytest.mark.parametrize("row", ROWS, ids=[row["file"] for row in ROWS])
def test_every_dicom_file_is_read_or_refused_with_a_message(row: dict[str, str]):
    path = SHARED / "formats" / "dicom" / row["file"]
    wanted = is_decoded(row) or row["file"] in READ_BEYOND_PYDICOM

    if not wanted:
        with pytest.raises(UnreadableFile) as refused:
            RADIOLOGY.read([source(path)])
        assert row["file"] in refused.value.message
        assert refused.value.hint
        assert str(path.parent) not in refused.value.message + refused.value.hint
        return
    got = RADIOLOGY.read([source(path)])
    assert_is_in_standard_form(got, 224)
    assert len(got.values) == min(16, int(row["frames"] or 1)) or not is_decoded(row)
    assert np.ptp(got.values) > 0.1


# What pydicom itself decodes without GPL decoders and shows without a window.
PLAIN = [row for row in ROWS if is_decoded(row) and row["photometric"].startswith("MONOCHROME")]


@pytest.mark.parametrize("row", PLAIN, ids=[row["file"] for row in PLAIN])
def test_grey_values_are_pydicoms_pixels_after_rescale(row: dict[str, str]):
    path = SHARED / "formats" / "dicom" / row["file"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header = pydicom.dcmread(path)
        if "VOILUTSequence" in header or "ModalityLUTSequence" in header:
            pytest.skip("shown through a table")
        expected = header.pixel_array.astype(np.float64)
    if header.get("Modality") == "RTDOSE":
        expected = expected * float(header.DoseGridScaling)
    slope, intercept = header.get("RescaleSlope", 1), header.get("RescaleIntercept", 0)
    expected = expected * float(slope) + float(intercept)

    stack = open_dicom(path, "view")
    got = np.stack(list(stack.pictures(range(stack.count))))

    for groups in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"):
        for item in (header.get(groups) or [])[:1]:
            for values in item.get("PixelValueTransformationSequence") or []:
                expected = expected * float(values.RescaleSlope) + float(values.RescaleIntercept)
    expected = expected.reshape(got.shape)
    padding = header.get("PixelPaddingValue")
    shown = np.ones(expected.shape, bool)
    if padding is not None:
        shown = header.pixel_array.reshape(got.shape) != padding
    np.testing.assert_allclose(got[shown], expected[shown], rtol=1e-6, atol=1e-6)


SAME = [
    (
        "MR_small",
        "MR_small_RLE MR_small_bigendian MR_small_expb MR_small_implicit MR_small_padded "
        "MR_small_jp2klossless MR_small_jpeg_ls_lossless",
    ),
    (
        "emri_small",
        "emri_small_RLE emri_small_big_endian emri_small_jpeg_2k_lossless "
        "emri_small_jpeg_ls_lossless emri_small_jpeg_2k_lossless_too_short",
    ),
    (
        "SC_rgb",
        "SC_rgb_expb SC_rgb_rle SC_rgb_16bit SC_rgb_32bit SC_rgb_rle_32bit SC_rgb_jpeg_gdcm "
        "SC_rgb_expb_32bit SC_rgb_gdcm2k_uncompressed",
    ),
    ("OBXXXX1A", "OBXXXX1A_expb OBXXXX1A_rle"),
    ("gdcm-US-ALOKA-16", "gdcm-US-ALOKA-16_big"),
    ("rtdose", "rtdose_expb rtdose_rle"),
    ("US1_UNCR", "US1_J2KR"),
    ("693_UNCR", "693_J2KR"),
    ("JPGExtended", "JPEG-lossy"),
]


@pytest.mark.parametrize(("original", "others"), SAME, ids=[each[0] for each in SAME])
def test_the_same_picture_is_the_same_however_it_is_stored(shared, original: str, others: str):
    folder = shared / "formats" / "dicom"
    expected = RADIOLOGY.read([source(folder / f"{original}.dcm")]).values

    for other in others.split():
        got = RADIOLOGY.read([source(folder / f"{other}.dcm")]).values
        np.testing.assert_allclose(got, expected, atol=1 / 255, err_msg=other)


@pytest.mark.parametrize(
    ("file", "what"),
    [
        ("test-SR.dcm", "a structured report, not an image"),
        ("rtplan.dcm", "a radiotherapy plan, not an image"),
        ("rtstruct.dcm", "a set of radiotherapy structures, not an image"),
        ("waveform_ecg.dcm", "a waveform recording, not an image"),
        ("DICOMDIR-empty.dcm", "a DICOMDIR, the index of a disc, not an image"),
        ("MR_truncated.dcm", "is cut short: it declares 8,192 bytes of pixels and holds 8,130"),
        ("badVR.dcm", "declares '1A' as NumberOfFrames"),
        ("JPEG2000-embedded-sequence-delimiter.dcm", "declares 256 x 1024 pixels, its compressed"),
        ("liver_rle.dcm", "1 bit compressed as RLE"),
        ("liver_deflate.dcm", "is compressed as 1.2.840.10008.1.2.8.1"),
        ("no_meta.dcm", "is not a DICOM file"),
        ("UN_sequence.dcm", "holds no pixels"),
    ],
)
def test_a_dicom_file_that_is_no_image_is_called_what_it_is(shared, file: str, what: str):
    with pytest.raises(UnreadableFile, match=what.replace("(", r"\(")):
        RADIOLOGY.read([source(shared / "formats" / "dicom" / file)])


@pytest.mark.parametrize("path", FILMS + CLIPS[::8], ids=lambda path: path.name)
def test_every_film_is_read(path: Path):
    got = VIDEO.read([source(path)])

    assert_is_in_standard_form(got, 112)
    assert len(got.values) == 16
    assert 0.02 < got.facts["seconds_per_frame"] < 1
    assert np.ptp(got.values) > 0.3


def test_lung_ultrasound_is_grey_though_its_films_are_coded_in_colour(shared):
    clips = CLIPS[::8]

    grey = [VIDEO.read([source(path)]).values.shape[1] == 1 for path in clips]

    assert np.mean(grey) > 0.8


def test_chest_films_are_read_with_their_proportions(shared):
    films = sorted((shared / "data" / "covid_cxr" / "images").iterdir())[::10]

    for path in films:
        got = RADIOLOGY.read([source(path)])
        assert_is_in_standard_form(got, 224)
        assert got.values.shape[:2] == (1, 1)


def test_thumbnails_of_28_pixels_are_enlarged(shared):
    path = sorted((shared / "data" / "pneumoniamnist_28" / "images").iterdir())[0]

    got = RADIOLOGY.read([source(path)])

    assert_is_in_standard_form(got, 224)
    assert max(RADIOLOGY.preview([source(path)]).images[0][0].shape) >= 256
