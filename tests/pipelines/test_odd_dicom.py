"""DICOM files that break the standard, or stretch it, and are met all the same."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement

from fmstudio.errors import UnreadableFile
from fmstudio.types import Source
from pipelines.radiology import PIPELINE

FILM = np.tile(np.linspace(0, 4095, 64), (64, 1)).astype(np.uint16)
EIGHT = (FILM // 17).clip(0, 255).astype(np.uint8)
EXPLICIT, IMPLICIT = b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2\0\0\0"


def read(path: Path):
    return PIPELINE.read([Source("view", path)])


def refusal(path: Path) -> str:
    with pytest.raises(UnreadableFile) as refused:
        read(path)
    assert path.name in refused.value.message
    return refused.value.message


def data_set(path: Path) -> int:
    """Where the data set begins, behind preamble and meta information."""
    return (
        128 + 4 + 12 + pydicom.filereader.read_file_meta_info(path).FileMetaInformationGroupLength
    )


def test_rows_as_a_long_number_are_read_and_absurd_ones_refused(write_dicom):
    path, want = write_dicom(FILM), read(write_dicom(FILM)).values
    content = path.read_bytes()
    place = content.index(struct.pack("<HH2sH", 0x28, 0x10, b"US", 2))
    for rows, said in ((64, ""), (0xFFFFFFF0, "more than can be read")):
        long = struct.pack("<HH2sHI", 0x28, 0x10, b"UL", 4, rows)
        path.write_bytes(content[:place] + long + content[place + 10 :])
        if said:
            assert said in refusal(path)
        else:
            np.testing.assert_array_equal(read(path).values, want)


def test_a_film_without_rows_is_refused(write_dicom):
    path = write_dicom(FILM)
    header = pydicom.dcmread(path)
    del header.Rows
    header.save_as(path)

    assert "does not declare their rows" in refusal(path)


def test_pixels_that_are_too_few_are_refused_and_what_is_too_much_is_left(write_dicom):
    want = read(write_dicom(FILM)).values
    longer = read(write_dicom(FILM, PixelData=FILM.tobytes() + bytes(4000)))

    assert "declares 8,192 bytes of pixels and holds 4,000" in refusal(
        write_dicom(FILM, PixelData=FILM.tobytes()[:4000])
    )
    np.testing.assert_array_equal(longer.values, want)


def test_a_sequence_that_is_never_closed_is_refused(write_dicom):
    path = write_dicom(FILM)
    content, start = path.read_bytes(), data_set(path)
    opened = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF)
    opened += struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    path.write_bytes(content[:start] + opened + content[start:])

    refusal(path)


@pytest.mark.parametrize("damage", ["no preamble", "no meta information", "another syntax"])
def test_a_file_without_its_head_or_with_a_wrong_one_shows_the_same(write_dicom, damage):
    path = write_dicom(FILM)
    content, want = path.read_bytes(), read(path).values
    path.write_bytes(
        {
            "no preamble": content[132:],
            "no meta information": content[data_set(path) :],
            "another syntax": content.replace(EXPLICIT, IMPLICIT),
        }[damage]
    )

    np.testing.assert_array_equal(read(path).values, want)
    stripped = PIPELINE.stripped(Source("view", path))
    path.write_bytes(stripped or path.read_bytes())
    np.testing.assert_array_equal(read(path).values, want)


def test_a_transfer_syntax_that_nobody_knows_is_named(write_dicom):
    path = write_dicom(FILM)
    path.write_bytes(path.read_bytes().replace(EXPLICIT, b"1.2.840.10008.1.9.9\0"))

    assert "1.2.840.10008.1.9.9" in refusal(path)


def test_indices_beyond_a_palette_take_its_last_colour(write_dicom):
    path = write_dicom(EIGHT, PhotometricInterpretation="PALETTE COLOR")
    header = pydicom.dcmread(path)
    for colour in ("Red", "Green", "Blue"):
        keyword = f"{colour}PaletteColorLookupTableDescriptor"
        header[keyword] = DataElement(tag_for_keyword(keyword), "US", [64, 0, 16])
        table = (np.arange(64) * 1024).astype("<u2").tobytes()
        setattr(header, f"{colour}PaletteColorLookupTableData", table)
    header.save_as(path)
    picture = read(path).values[0, 0]

    assert picture[112, 0] == 0
    assert (picture[:, 80:] > 0.99).all()


def test_halved_colour_of_ultrasound_is_read(write_dicom):
    path = write_dicom(np.stack([EIGHT] * 3, -1))
    want = read(write_dicom(EIGHT, "grey.dcm")).values
    header = pydicom.dcmread(path)
    halved = np.full((64, 32, 4), 128, np.uint8)  # Y Y Cb Cr (PS3.3 C.7.6.3.1.2)
    halved[..., 0], halved[..., 1] = EIGHT[:, ::2], EIGHT[:, 1::2]
    header.PhotometricInterpretation, header.PixelData = "YBR_FULL_422", halved.tobytes()
    header.save_as(path)

    np.testing.assert_allclose(read(path).values, want, atol=0.03)


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎"),
        ("GB18030", "王^小东"),
        ("ISO_IR 192", "Ünal^Ögün"),
    ],
)
def test_names_in_every_alphabet_are_named_as_such_and_never_shown(write_dicom, charset, name):
    path = write_dicom(FILM, SpecificCharacterSet=charset, PatientName=name)

    assert PIPELINE.about([Source("view", path)])["direct"] == ["PatientName"]
    shown = read(path).remarks + PIPELINE.preview([Source("view", path)]).remarks
    assert not any(part in str(shown) for part in name.replace("=", "^").split("^"))


def test_a_charset_that_there_is_not_does_no_harm(write_dicom):
    path = write_dicom(FILM, SpecificCharacterSet="ISO_IR 100", PatientName="Mueller^Anna")
    path.write_bytes(path.read_bytes().replace(b"ISO_IR 100", b"NOPE_99   "))

    assert read(path).values.shape[0] == 1
    assert PIPELINE.about([Source("view", path)])["direct"] == ["PatientName"]


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_dates_and_ages_that_nobody_has_change_no_picture(write_dicom):
    want = read(write_dicom(FILM)).values
    path = write_dicom(
        FILM,
        StudyDate="00010101",
        PatientBirthDate="19010229",
        AcquisitionDate="20230229",
        PatientAge="130Y",
        PatientSex="O",
    )

    np.testing.assert_array_equal(read(path).values, want)
    assert "PatientBirthDate" in PIPELINE.about([Source("view", path)])["identifiers"]
