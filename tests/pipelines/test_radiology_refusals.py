"""What is no image, or asks for more than it is worth, is refused by name and with a way out."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless, RLELossless

from fmstudio.errors import InputError, UnreadableFile
from fmstudio.types import ModalityInput, Source
from pipelines.radiology import PIPELINE

FILM = np.tile(np.linspace(0, 4095, 64), (64, 1)).astype(np.uint16)


def read(*paths: Path) -> ModalityInput:
    return PIPELINE.read([Source(f"view {place}", path) for place, path in enumerate(paths)])


def refusal(path: Path) -> UnreadableFile:
    with pytest.raises(UnreadableFile) as refused:
        read(path)
    assert path.name in refused.value.message
    assert str(path.parent) not in refused.value.message
    assert refused.value.hint
    return refused.value


def test_a_file_is_told_by_its_content_not_by_its_ending(write_dicom, tmp_path):
    Image.fromarray(FILM).save(tmp_path / "film.png")
    (tmp_path / "scan.dcm").write_bytes((tmp_path / "film.png").read_bytes())
    (tmp_path / "scan.png").write_bytes(write_dicom(FILM).read_bytes())
    (tmp_path / "noending").write_bytes(write_dicom(FILM).read_bytes())
    (tmp_path / "film.jpg").write_bytes((tmp_path / "film.png").read_bytes())

    assert (
        "is a PNG image, not a DICOM file as its ending says"
        in refusal(tmp_path / "scan.dcm").message
    )
    assert "is a DICOM file, not a PNG image" in refusal(tmp_path / "scan.png").message
    assert read(tmp_path / "noending").values.shape[0] == 1
    assert any("in spite of its ending" in each for each in read(tmp_path / "film.jpg").remarks)


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("empty.dcm", b"", "is empty"),
        ("noise.dcm", bytes(range(255, 0, -1)) * 20, "is not a DICOM file"),
        ("page.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG, XML or HTML"),
        ("note.png", b"The patient has a cough.", "is a text file, not a PNG image"),
        ("report.dcm", b"%PDF-1.7 ...", "is a PDF document, not a DICOM file"),
        ("sound.wav", b"RIFF\0\0\0\0WAVEfmt ", "is a WAV recording, not a radiology image"),
        ("header.png", b"\x89PNG\r\n\x1a\n" + bytes(20), "damaged or cut short"),
        ("preamble.dcm", bytes(128) + b"DICM", "holds no pixels"),
        ("volume.nii", bytes(344) + b"n+1\0", "not a grey volume"),
    ],
)
def test_what_is_no_image_is_refused_by_what_it_is(tmp_path, name, content, what):
    (tmp_path / name).write_bytes(content)

    refused = refusal(tmp_path / name)

    assert what in refused.message


def test_a_missing_file_a_folder_and_text_in_place_of_a_file_are_refused(tmp_path):
    refusal(tmp_path / "nowhere.dcm")
    refusal(tmp_path.parent)
    with pytest.raises(InputError, match="'chest' holds text"):
        PIPELINE.read([Source("chest", text="normal")])


@pytest.mark.parametrize("share", [0.99, 0.6, 0.2])
@pytest.mark.parametrize("name", ["film.dcm", "film.png", "film.jpg", "film.tif", "head.nii"])
def test_a_file_that_was_cut_short_is_refused(write_dicom, tmp_path, name, share):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
    if name.endswith("dcm"):
        write_dicom(noise)
    elif name.endswith("nii"):
        nib.save(nib.Nifti1Image(noise[None].astype(np.int16), np.eye(4)), tmp_path / name)
    else:
        Image.fromarray(noise).save(tmp_path / name)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(share * len(content))])

    refusal(tmp_path / name)


@pytest.mark.parametrize(
    "elements",
    [
        {"Rows": 0},
        {"Columns": 65535, "Rows": 65535},
        {"NumberOfFrames": -1},
        {"NumberOfFrames": 1_000_000_000},
        {"SamplesPerPixel": 7},
        {"BitsAllocated": 13},
    ],
    ids=str,
)
def test_a_header_that_does_not_fit_the_pixels_is_refused(write_dicom, elements):
    refusal(write_dicom(FILM, **elements))


def test_compressed_pixels_that_declare_another_size_are_not_decoded(write_dicom):
    # A JPEG 2000 codestream that asks for 4 billion by 4 billion pixels (SIZ marker).
    stream = (
        b"\xff\x4f\xff\x51" + struct.pack(">HHIIII", 41, 0, 2**32 - 1, 2**32 - 1, 0, 0) + bytes(64)
    )
    path = write_dicom(FILM, syntax=JPEG2000Lossless, PixelData=encapsulate([stream]))

    assert "its compressed picture 4294967295 x 4294967295" in refusal(path).message


def test_frames_that_are_only_declared_are_refused_before_decoding(write_dicom):
    path = write_dicom(
        FILM,
        syntax=RLELossless,
        PixelData=encapsulate([bytes(100)]),
        Rows=8192,
        Columns=8192,
        NumberOfFrames=2000,
    )

    assert "declares 2000 frames" in refusal(path).message


def test_a_deflated_bomb_is_stopped(write_dicom, tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.formats.dicom_stream.MAX_INFLATED_BYTES", 1_000_000)
    content = write_dicom(FILM, syntax=DeflatedExplicitVRLittleEndian).read_bytes()
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    bomb = packer.compress(bytes(50_000_000)) + packer.flush()
    meta = pydicom.filereader.read_file_meta_info(tmp_path / "film.dcm")
    start = 128 + 4 + 12 + meta.FileMetaInformationGroupLength
    (tmp_path / "bomb.dcm").write_bytes(content[:start] + bomb)

    assert "inflates to more than 1 MB" in refusal(tmp_path / "bomb.dcm").message


def test_twenty_thousand_nested_sequences_are_refused(write_dicom, tmp_path):
    content = write_dicom(FILM).read_bytes()
    meta = pydicom.filereader.read_file_meta_info(tmp_path / "film.dcm")
    start = 128 + 4 + 12 + meta.FileMetaInformationGroupLength
    nest = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF)
    nest += struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    (tmp_path / "nest.dcm").write_bytes(content[:start] + nest * 20_000)

    refusal(tmp_path / "nest.dcm")


def test_a_picture_larger_than_any_film_is_not_decoded(tmp_path):
    # 12 000 x 12 000 pixels by its header, in a few bytes.
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    for side in (12_000, 25_000):
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
        pixels = chunk(b"IDAT", zlib.compress(bytes(1000)))
        (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + pixels)
        assert "more" in refusal(tmp_path / "bomb.png").message


def test_a_volume_larger_than_memory_is_refused_by_its_header(tmp_path):
    image = nib.Nifti1Image(np.zeros((4, 4, 4), np.float32), np.eye(4))
    content = bytearray(image.to_bytes())
    struct.pack_into("<3h", content, 42, 30000, 30000, 1000)
    (tmp_path / "huge.nii").write_bytes(content)

    assert "more than can be read" in refusal(tmp_path / "huge.nii").message
