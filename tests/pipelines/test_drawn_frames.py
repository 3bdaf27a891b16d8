"""DICOM files in every form that the reader takes, drawn here: the same picture, or named."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from fmstudio.errors import UnreadableFile
from fmstudio.types import Source
from pipelines.formats.dicom import open_dicom
from pipelines.radiology import PIPELINE as RADIOLOGY
from pipelines.radiology import SIDE
from pipelines.video import PIPELINE as VIDEO

ROWS, COLUMNS = np.mgrid[:48, :64]
# A slope with a bright disc, 12 bits; the same in frames that grow brighter; and in colour.
SLICE = np.uint16(20 * COLUMNS + 2500 * ((ROWS - 20) ** 2 + (COLUMNS - 30) ** 2 < 120))
FRAMES = np.stack([SLICE // 2 + 300 * n for n in range(4)])
COLOUR = np.uint8(np.dstack([SLICE // 16, ROWS * 4, 255 - COLUMNS * 3]))
CODED = {
    JPEG2000Lossless: lambda a: imagecodecs.jpeg2k_encode(a, level=0, codecformat="j2k"),
    JPEGLSLossless: imagecodecs.jpegls_encode,
    JPEGLosslessSV1: imagecodecs.ljpeg_encode,
    JPEGBaseline8Bit: lambda a: imagecodecs.jpeg8_encode(a, level=100),
}


def read(path: Path) -> np.ndarray:
    return RADIOLOGY.read([Source("view", path)]).values


def stored_as(path: Path, syntax: UID) -> Path:
    """The same file in another transfer syntax."""
    image = pydicom.dcmread(path)
    if syntax == RLELossless:
        image.compress(syntax, generate_instance_uid=False)
    elif syntax in CODED:
        pixels = image.pixel_array
        pictures = pixels if "NumberOfFrames" in image else pixels[None]
        image.PixelData = encapsulate([CODED[syntax](np.ascontiguousarray(p)) for p in pictures])
        image["PixelData"].VR = "OB"
    elif syntax == ExplicitVRBigEndian and image.BitsAllocated == 16:
        image.PixelData = image.pixel_array.astype(">u2").tobytes()
    image.file_meta.TransferSyntaxUID = syntax
    target = path.with_name("other.dcm")
    if syntax == ExplicitVRBigEndian:
        pydicom.dcmwrite(target, image, implicit_vr=False, little_endian=False)
    else:
        image.save_as(target, enforce_file_format=True)
    return target


PLAIN = (ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless)
LOSSLESS = (*PLAIN, JPEG2000Lossless, JPEGLSLossless, JPEGLosslessSV1)


@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda syntax: syntax.name)
@pytest.mark.parametrize("pixels", [SLICE, FRAMES], ids=["one", "frames"])
def test_the_same_picture_is_the_same_however_it_is_stored(write_dicom, pixels, syntax):
    path = write_dicom(pixels, RescaleSlope=1, RescaleIntercept=-1024)

    np.testing.assert_allclose(read(stored_as(path, syntax)), read(path), atol=1e-6)


@pytest.mark.parametrize("syntax", [*PLAIN[:2], RLELossless], ids=lambda syntax: syntax.name)
def test_colour_is_the_same_however_it_is_stored(write_dicom, syntax):
    path = write_dicom(COLOUR, PhotometricInterpretation="RGB")

    expected = read(path)
    got = read(stored_as(path, syntax))

    assert expected.shape == (1, 3, SIDE, SIDE)
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_colour_in_planes_is_the_colour_in_pixels(write_dicom):
    path = write_dicom(COLOUR, PhotometricInterpretation="RGB")
    planes = write_dicom(
        COLOUR,
        "planes.dcm",
        PhotometricInterpretation="RGB",
        PlanarConfiguration=1,
        PixelData=np.moveaxis(COLOUR, -1, 0).tobytes(),
    )

    np.testing.assert_array_equal(read(planes), read(path))


def test_a_lossy_jpeg_is_the_picture_but_for_its_loss(write_dicom):
    path = write_dicom(np.uint8(SLICE // 16))

    assert np.abs(read(stored_as(path, JPEGBaseline8Bit)) - read(path)).max() < 0.1


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int16])
@pytest.mark.parametrize(("slope", "intercept"), [(1, 0), (2.5, -1024), (0.01, 0)])
def test_grey_values_are_pydicoms_pixels_after_rescale(write_dicom, kind, slope, intercept):
    stored = (SLICE // 16).astype(kind)
    path = write_dicom(stored, RescaleSlope=slope, RescaleIntercept=intercept)

    stack = open_dicom(path, "view")
    (got,) = stack.pictures(range(stack.count))

    expected = pydicom.dcmread(path).pixel_array * slope + intercept
    np.testing.assert_allclose(np.squeeze(got), expected, rtol=1e-6, atol=1e-5)


def _without_pixels(path: Path, sop_class: str, modality: str) -> Path:
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = UID(sop_class)
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = generate_uid()
    image.Modality, image.PatientName = modality, "Doe^Jane"
    image.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize(
    ("sop_class", "modality", "what"),
    [
        ("1.2.840.10008.5.1.4.1.1.88.11", "SR", "a structured report, not an image"),
        ("1.2.840.10008.5.1.4.1.1.481.5", "RTPLAN", "a radiotherapy plan, not an image"),
        ("1.2.840.10008.5.1.4.1.1.481.3", "RTSTRUCT", "a set of radiotherapy structures"),
        ("1.2.840.10008.5.1.4.1.1.9.1.1", "ECG", "a waveform recording, not an image"),
        ("1.2.840.10008.1.3.10", "OT", "a DICOMDIR, the index of a disc, not an image"),
        ("1.2.840.10008.5.1.4.1.1.7", "OT", "holds no pixels"),
    ],
)
def test_a_dicom_file_that_is_no_image_is_called_what_it_is(tmp_path, sop_class, modality, what):
    path = _without_pixels(tmp_path / "object.dcm", sop_class, modality)

    with pytest.raises(UnreadableFile, match=what) as refused:
        RADIOLOGY.read([Source("view", path)])
    assert "object.dcm" in refused.value.message
    assert "Jane" not in refused.value.message + refused.value.hint


def test_lung_ultrasound_is_grey_though_its_film_is_coded_in_colour(write_dicom):
    grey = np.repeat(np.uint8(FRAMES // 16)[..., None], 3, -1)
    path = write_dicom(grey, Modality="US", PhotometricInterpretation="RGB", FrameTime=40)

    assert VIDEO.read([Source("clip", path)]).values.shape[1] == 1


def test_thumbnails_of_28_pixels_are_enlarged(tmp_path):
    path = tmp_path / "small.png"
    path.write_bytes(imagecodecs.png_encode(np.uint8(SLICE[:28, :28] // 16)))

    got = RADIOLOGY.read([Source("view", path)])

    assert got.values.shape == (1, 1, SIDE, SIDE)
    assert max(RADIOLOGY.preview([Source("view", path)]).images[0][0].shape) >= 256
