"""A stored value means the same whatever form the file has: compressed or not, signed or not."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from fmstudio.errors import UnreadableFile
from fmstudio.types import Source
from pipelines.radiology import PIPELINE, SIDE, open_stack

RAMP = np.tile(np.linspace(0, 1, SIDE), (SIDE, 1))
PADDING, RANGE_LIMIT = 0x00280120, 0x00280121


def read(path):
    return PIPELINE.read([Source("view", path)])


def units(path, index: int = 0) -> np.ndarray:
    """One picture of a file in modality units."""
    return next(iter(open_stack(Source("view", path)).pictures([index])))


def compressed(path, syntax):
    """The same file with its words in another transfer syntax, every bit of them kept."""
    stored = pydicom.dcmread(path)
    words = (
        stored.pixel_array
        if stored.BitsStored == 16
        else np.frombuffer(
            stored.PixelData, np.int16 if stored.PixelRepresentation else np.uint16
        ).reshape(stored.Rows, stored.Columns)
    )
    if syntax == RLELossless:
        bits, stored.BitsStored, stored.HighBit = stored.BitsStored, 16, 15
        stored.compress(syntax, words, generate_instance_uid=False)
        stored.BitsStored, stored.HighBit = bits, bits - 1
    else:
        encode = {
            JPEG2000Lossless: lambda a: imagecodecs.jpeg2k_encode(a, level=0, codecformat="j2k"),
            JPEGLSLossless: lambda a: imagecodecs.jpegls_encode(a.view(np.uint16)),
            JPEGLosslessSV1: lambda a: imagecodecs.ljpeg_encode(a.view(np.uint16)),
        }[syntax]
        stored.PixelData = encapsulate([encode(words)])
        stored["PixelData"].VR = "OB"
        stored.file_meta.TransferSyntaxUID = syntax
    target = path.with_name(f"{syntax.name}.dcm".replace("/", " "))
    stored.save_as(target, enforce_file_format=True)
    return target


SYNTAXES = (
    ExplicitVRLittleEndian,
    RLELossless,
    JPEG2000Lossless,
    JPEGLSLossless,
    JPEGLosslessSV1,
)


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda each: each.name)
@pytest.mark.parametrize("signed", [False, True])
def test_an_overlay_above_bits_stored_is_masked_by_every_decoder(write_dicom, syntax, signed):
    values = np.round(RAMP * 4095).astype(np.int64) - (2048 if signed else 0)
    words = (values & 0x0FFF).astype(np.uint16)
    words[20:40, 20:120] |= 1 << 12
    path = write_dicom(
        words.view(np.int16) if signed else words, BitsStored=12, HighBit=11, Modality="CT"
    )
    if syntax != ExplicitVRLittleEndian:
        path = compressed(path, syntax)

    np.testing.assert_array_equal(units(path), values)
    assert any("outside Bits Stored" in each for each in read(path).remarks)


@pytest.mark.parametrize("signed", [False, True])
def test_words_that_only_repeat_their_sign_are_not_said_to_hold_more(write_dicom, signed):
    values = (np.round(RAMP * 4095) - (2048 if signed else 0)).astype("i2" if signed else "u2")
    path = write_dicom(values, BitsStored=12, HighBit=11)

    np.testing.assert_array_equal(units(path), values)
    assert not any("Bits Stored" in each for each in read(path).remarks)


def test_pixels_in_the_upper_bits_are_read_from_there(write_dicom):
    values = np.round(RAMP * 4095).astype(np.uint16)

    upper = write_dicom(values << 4 | 5, BitsStored=12, HighBit=15)
    np.testing.assert_array_equal(units(upper), values)
    # A header that only says so: nothing is there.
    np.testing.assert_array_equal(units(write_dicom(values, BitsStored=12, HighBit=15)), values)


BODY = np.round(-200 + 400 * RAMP).astype(np.int16)
OUTSIDE = (np.mgrid[:SIDE, :SIDE][0] - 112) ** 2 + (np.mgrid[:SIDE, :SIDE][1] - 112) ** 2 > 10_000


def padded(write_dicom, pixels, representation, value, limit=None, **elements):
    path = write_dicom(pixels, Modality="CT", **elements)
    stored = pydicom.dcmread(path)
    stored[PADDING] = DataElement(PADDING, representation, value)
    if limit is not None:
        stored[RANGE_LIMIT] = DataElement(RANGE_LIMIT, representation, limit)
    stored.save_as(path)
    return path


@pytest.mark.parametrize(
    ("representation", "value", "limit", "stored"),
    [
        ("SS", -2000, None, 16),
        ("US", 63536, None, 16),
        ("US", 63536, 63546, 16),
        ("SS", -2000, -1990, 16),
        ("US", 63546, 63536, 16),  # the limit may lie below the value
        ("US", 63536, None, 12),
        ("US", 2096, None, 12),  # the word of 12 bits
        ("SS", -2000, None, 12),
        ("OW", (-2000).to_bytes(2, "little", signed=True), None, 16),
    ],
)
def test_padding_of_signed_pixels_is_found_however_it_is_declared(
    write_dicom, representation, value, limit, stored
):
    pixels = np.where(OUTSIDE, -2000, BODY).astype(np.int16)
    if limit is not None:
        pixels[OUTSIDE & (np.mgrid[:SIDE, :SIDE][0] > 112)] = -1995
    path = padded(
        write_dicom, pixels, representation, value, limit, BitsStored=stored, HighBit=stored - 1
    )

    # Padding is as dark as the darkest of the body, and has no part in the contrast.
    np.testing.assert_array_equal(units(path), np.where(OUTSIDE, BODY[~OUTSIDE].min(), BODY))


@pytest.mark.parametrize(("representation", "value"), [("US", 63536), ("SS", -2000)])
def test_padding_of_unsigned_pixels_is_found_however_it_is_declared(
    write_dicom, representation, value
):
    body = np.round(1000 + 400 * RAMP).astype(np.uint16)
    path = padded(
        write_dicom, np.where(OUTSIDE, 63536, body).astype(np.uint16), representation, value
    )

    np.testing.assert_array_equal(units(path), np.where(OUTSIDE, body[~OUTSIDE].min(), body))


def test_white_is_not_taken_for_padding_that_bits_stored_cannot_hold(write_dicom):
    white = np.round(RAMP * 4095).astype(np.uint16)

    path = padded(write_dicom, white, "US", 65535, BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(units(path), white)


def test_padding_of_float_pixels_has_an_element_of_its_own(write_dicom):
    values = np.where(OUTSIDE, -9999, BODY).astype(np.float32)
    path = write_dicom(values.view(np.uint32))
    stored = pydicom.dcmread(path)
    del stored.PixelData, stored.PixelRepresentation
    stored.FloatPixelData, stored.FloatPixelPaddingValue = values.tobytes(), -9999.0
    stored.save_as(path)

    np.testing.assert_array_equal(units(path), np.where(OUTSIDE, BODY[~OUTSIDE].min(), BODY))


@pytest.mark.parametrize("first", [63536, -2000])
@pytest.mark.parametrize("signed", [False, True])
def test_the_first_value_of_a_modality_table_has_the_sign_of_the_pixels(write_dicom, first, signed):
    start = -2000 if signed else 63536
    pixels = (start + np.round(RAMP * 255)).astype(np.int64).astype("i2" if signed else "u2")
    table = Dataset()
    representation = "US" if first > 0 else "SS"
    table[0x00283002] = DataElement(0x00283002, representation, [256, first, 16])
    table.ModalityLUTType = "US"
    table[0x00283006] = DataElement(0x00283006, "US", list(range(0, 1024, 4)))
    path = write_dicom(pixels, ModalityLUTSequence=Sequence([table]))

    np.testing.assert_array_equal(units(path), np.round(RAMP * 255) * 4)


@pytest.mark.parametrize("element", ["RescaleSlope", "RescaleIntercept"])
@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "two"])
def test_a_rescale_that_is_no_number_is_a_damaged_header(write_dicom, element, value):
    rescale = {"RescaleSlope": "1", "RescaleIntercept": "0", element: "7.125"}
    path = write_dicom(np.round(RAMP * 4095).astype(np.uint16), **rescale)
    path.write_bytes(path.read_bytes().replace(b"7.125 ", value.encode().ljust(6)))

    with pytest.raises(UnreadableFile) as refused:
        read(path)
    assert element in refused.value.message
    assert "damaged" in refused.value.message


def test_a_slope_of_zero_is_read_as_one_and_said(write_dicom):
    path = write_dicom(np.round(RAMP * 4095).astype(np.uint16), RescaleSlope=0, RescaleIntercept=5)

    np.testing.assert_array_equal(units(path), np.round(RAMP * 4095) + 5)
    assert any("slope of 0" in each for each in read(path).remarks)
