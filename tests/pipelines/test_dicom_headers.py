"""DICOM files without what tells who the patient is: nothing of it stays, and pixels do."""

from __future__ import annotations

import io

import numpy as np
import pydicom
import pytest
from pydicom.uid import ImplicitVRLittleEndian, RLELossless

from fmstudio.contracts import Described, pipelines
from fmstudio.errors import StudioError
from fmstudio.types import Source
from pipelines.radiology import PIPELINE

FILMS = "cohort/films"


@pytest.fixture
def film(tmp_path):
    """A film of the sample cohort with a full header."""
    from pathlib import Path

    source = Path(__file__).parents[2] / "data_samples" / FILMS / "case_0001.dcm"
    image = pydicom.dcmread(source)
    image.PatientName, image.PatientID = "Sample^Person", "0012345"
    image.PatientBirthDate, image.StudyDate = "19500403", "20210101"
    image.InstitutionName, image.ReferringPhysicianName = "Sample Hospital", "Doctor^Sample"
    image.PatientComments = "Sample Person called"
    block = image.private_block(0x0009, "VENDOR", create=True)
    block.add_new(1, "LO", "Sample Person again")
    item = pydicom.Dataset()
    item.PatientName = "Sample^Person"
    image.ReferencedPatientSequence = [item]
    path = tmp_path / "film.dcm"
    image.save_as(path)
    return Source("film", path)


def test_what_a_header_tells_is_named_without_its_values(film):
    told = PIPELINE.about([film])

    assert {"PatientName", "PatientBirthDate", "InstitutionName"} <= set(told["identifiers"])
    assert told["modality"] == ["DX"]
    assert "Sample" not in str(told)


def test_nothing_of_the_patient_stays_in_a_stripped_file(film):
    kept = PIPELINE.stripped(film)
    image = pydicom.dcmread(io.BytesIO(kept))

    for trace in (b"Sample", b"0012345", b"19500403", b"20210101"):
        assert trace not in kept
    assert not [element for element in image.iterall() if element.tag.is_private]
    assert image.PatientIdentityRemoved == "YES"
    assert image.DeidentificationMethodCodeSequence[0].CodeValue == "113100"
    assert image.SOPInstanceUID == image.file_meta.MediaStorageSOPInstanceUID
    assert image.SOPInstanceUID != pydicom.dcmread(film.path).SOPInstanceUID


def test_the_picture_is_the_same_and_a_second_stripping_changes_no_pixel(film):
    before = PIPELINE.read([film])
    film.path.write_bytes(PIPELINE.stripped(film))
    after = PIPELINE.read([film])

    np.testing.assert_array_equal(before.values, after.values)
    assert before.facts == after.facts
    assert PIPELINE.about([film]).get("identifiers") == []


def test_slices_of_a_series_stay_together(film):
    first, second = (pydicom.dcmread(io.BytesIO(PIPELINE.stripped(film))) for _ in range(2))

    assert first.SeriesInstanceUID == second.SeriesInstanceUID


@pytest.mark.parametrize("start", [b"\x7fELF", b"MZ\x90\x00", b"<html><script>alert(1)</script>"])
def test_what_hides_before_a_dicom_file_is_gone_from_the_kept_copy(film, start):
    # the first 128 bytes are free, and may be a program or a page
    before = PIPELINE.read([film])
    content = film.path.read_bytes()
    film.path.write_bytes(start.ljust(128, b"\x90") + content[128:])

    kept = PIPELINE.stripped(film)

    np.testing.assert_array_equal(PIPELINE.read([film]).values, before.values)
    assert kept[:132] == bytes(128) + b"DICM"
    assert start not in kept


def test_a_picture_that_is_no_dicom_has_nothing_to_strip(tmp_path):
    from PIL import Image

    Image.effect_noise((40, 40), 50).save(tmp_path / "film.png")

    assert PIPELINE.stripped(Source("film", tmp_path / "film.png")) is None


def assert_shows_the_same_after_stripping(path, target):
    """By each pipeline that reads the file at all; how many did."""
    checked = 0
    for pipeline in pipelines().values():
        if not isinstance(pipeline, Described):
            continue
        try:
            before = pipeline.read([Source("x", path)])
        except StudioError:
            continue
        target.write_bytes(pipeline.stripped(Source("x", path)))
        after = pipeline.read([Source("x", target)])
        np.testing.assert_array_equal(before.values, after.values, err_msg=path.name)
        told = pipeline.about([Source("x", target)])
        assert told.get("identifiers", []) == [], path.name
        checked += 1
    return checked


RAMP = np.tile(np.arange(64, dtype=np.uint16) * 50, (64, 1))
WHO = {"PatientName": "Doe^Jane", "PatientID": "4711", "InstitutionName": "Mercy"}
FILES = {
    "a slice with padding": (
        RAMP.astype(np.int16) - 1000,
        {
            "Modality": "CT",
            "RescaleSlope": 2,
            "RescaleIntercept": -24,
            "PixelPaddingValue": -1000,
            "WindowCenter": 40,
            "WindowWidth": 400,
        },
    ),
    "a film with white as zero": (RAMP, {"PhotometricInterpretation": "MONOCHROME1"}),
    "implicit": (RAMP, {"syntax": ImplicitVRLittleEndian}),
    "frames": (np.stack([RAMP + n for n in range(5)]), {"Modality": "US", "FrameTime": 40}),
    "colour": (
        np.dstack([RAMP // 16] * 2 + [RAMP // 30]).astype(np.uint8),
        {
            "PhotometricInterpretation": "RGB",
        },
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_files_of_every_kind_show_the_same_after_stripping(kind, write_dicom, tmp_path):
    pixels, elements = FILES[kind]
    path = write_dicom(pixels, **elements, **WHO)

    assert assert_shows_the_same_after_stripping(path, tmp_path / "kept.dcm")
    assert b"Jane" not in (tmp_path / "kept.dcm").read_bytes()


def test_a_compressed_file_shows_the_same_after_stripping(write_dicom, tmp_path):
    path = write_dicom(RAMP, **WHO)
    image = pydicom.dcmread(path)
    image.compress(RLELossless)
    image.save_as(path)

    assert assert_shows_the_same_after_stripping(path, tmp_path / "kept.dcm")


def test_real_files_of_every_kind_show_the_same_after_stripping(shared, tmp_path):
    """Each file that can be read at all is read to the same values without its header's secrets."""
    checked = 0
    for path in sorted((shared / "formats" / "dicom").rglob("*.dcm")):
        if checked < 60:
            checked += assert_shows_the_same_after_stripping(path, tmp_path / path.name)
    assert checked > 10
