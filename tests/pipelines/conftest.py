"""Fixtures for the pipelines: small real files, written in the test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid


@pytest.fixture
def write_dicom(tmp_path: Path) -> Callable[..., Path]:
    """Write pixels as a DICOM file with the elements given."""

    def write(
        pixels: np.ndarray, name: str = "film.dcm", syntax=ExplicitVRLittleEndian, **elements
    ):
        image = Dataset()
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = syntax
        image.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = generate_uid()
        image.SOPClassUID = SecondaryCaptureImageStorage
        image.Modality, image.PhotometricInterpretation = "OT", "MONOCHROME2"
        image.SamplesPerPixel = 3 if pixels.ndim > 2 and pixels.shape[-1] == 3 else 1
        frames = pixels.ndim - (3 if image.SamplesPerPixel == 3 else 2)
        if frames:
            image.NumberOfFrames = len(pixels)
        image.Rows, image.Columns = pixels.shape[frames : frames + 2]
        image.BitsAllocated = image.BitsStored = 8 * pixels.dtype.itemsize
        image.HighBit = image.BitsStored - 1
        image.PixelRepresentation = int(pixels.dtype.kind == "i")
        if image.SamplesPerPixel == 3:
            image.PlanarConfiguration = 0
        image.PixelData = pixels.tobytes()
        for keyword, value in elements.items():
            setattr(image, keyword, value)
        image["PixelData"].VR = "OW"
        path = tmp_path / name
        image.save_as(path, enforce_file_format=True)
        return path

    return write
