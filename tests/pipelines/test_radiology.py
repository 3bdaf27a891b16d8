"""What a radiologist relies on: bone is bright, windows are right, nothing odd gets through."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
    SecondaryCaptureImageStorage,
    generate_uid,
)

from fmstudio.contracts import Pipeline
from fmstudio.errors import InputError, UnreadableFile
from fmstudio.types import ModalityInput, Source
from pipelines.radiology import MAX_FRAMES, PIPELINE, SIDE

# A film: dark on the left (air), bright on the right (bone).
FILM = np.tile(np.linspace(0, 4095, 64), (64, 1)).astype(np.uint16)
WriteDicom = Callable[..., Path]


@pytest.fixture
def write_dicom(tmp_path: Path) -> WriteDicom:
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
        image.SamplesPerPixel = 3 if pixels.ndim == 3 and pixels.shape[-1] == 3 else 1
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


def read(*paths: Path) -> ModalityInput:
    return PIPELINE.read([Source(f"view {place}", path) for place, path in enumerate(paths)])


def refusal(path: Path) -> UnreadableFile:
    with pytest.raises(UnreadableFile) as refused:
        read(path)
    assert path.name in refused.value.message
    assert str(path.parent) not in refused.value.message
    assert refused.value.hint
    return refused.value


def test_the_pipeline_offers_what_the_contract_asks():
    assert isinstance(PIPELINE, Pipeline)
    assert (PIPELINE.name, PIPELINE.kind, PIPELINE.order) == ("radiology", "frames", 0)
    assert not PIPELINE.inline


def test_no_files_give_an_empty_input():
    got = read()

    assert got.values.shape == (0, 1, SIDE, SIDE)
    assert got.empty
    assert got.facts == {"names": [], "seconds_per_frame": None, "spacing_mm": None}
    assert PIPELINE.preview([]).images == ()


@pytest.mark.parametrize(
    ("stored", "photometric"), [(FILM, "MONOCHROME2"), (4095 - FILM, "MONOCHROME1")]
)
def test_bone_is_bright_whatever_the_scanner_stored(write_dicom, stored, photometric):
    got = read(write_dicom(stored, PhotometricInterpretation=photometric))

    assert got.values.shape == (1, 1, SIDE, SIDE)
    assert got.values[0, 0, :, -1].mean() > 0.9 > 0.1 > got.values[0, 0, :, 0].mean()
    assert any("inverted" in each for each in got.remarks) == (photometric == "MONOCHROME1")


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int16, np.uint32])
def test_every_depth_of_pixels_gives_the_same_picture(write_dicom, kind):
    ramp = np.tile(np.arange(0, 127), (127, 1))
    shift = -60 if np.dtype(kind).kind == "i" else 0

    got = read(write_dicom((ramp + shift).astype(kind)))

    expected = read(write_dicom(ramp.astype(np.uint8))).values
    np.testing.assert_allclose(got.values, expected, atol=1e-6)


def test_rescale_and_window_follow_the_standard(write_dicom):
    # PS3.3 C.11.2.1.2: centre 40, width 400 is black up to -160 and white from 239 on.
    values = np.array([[-1000, -160, 40], [238, 239, 1000]])
    stored = np.repeat(np.repeat(((values + 1024) * 2).astype(np.uint16), 80, 0), 80, 1)
    path = write_dicom(
        stored, Modality="CT", RescaleSlope=0.5, RescaleIntercept=-1024, WindowCenter=40,
        WindowWidth=400,
    )  # fmt: skip

    picture = read(path).values[0, 0]

    rows, columns = (75, 148), (37, 112, 186)
    expected = [[0, 0, 200 / 399], [398 / 399, 1, 1]]
    np.testing.assert_allclose(picture[np.ix_(rows, columns)], expected, atol=1e-6)


def test_a_window_that_would_show_nothing_is_replaced_and_said(write_dicom):
    got = read(write_dicom(FILM, WindowCenter=30000, WindowWidth=10))

    assert np.ptp(got.values) == 1
    assert any("its own window would show a blank picture" in each for each in got.remarks)


@pytest.mark.parametrize("width", [0, -5, ""])
def test_a_window_without_width_is_no_window(write_dicom, width):
    got = read(write_dicom(FILM, WindowCenter=100, WindowWidth=width))

    assert np.ptp(got.values) == 1
    assert any("1st to 99th percentile." in each for each in got.remarks)


def test_a_sigmoid_window_bends_and_an_exact_one_does_not(write_dicom):
    shape = {"WindowCenter": 2048, "WindowWidth": 2048}

    bent = read(write_dicom(FILM, VOILUTFunction="SIGMOID", **shape)).values[0, 0, 112]
    straight = read(write_dicom(FILM, VOILUTFunction="LINEAR_EXACT", **shape)).values[0, 0, 112]

    assert straight[20] == 0 < bent[20]
    assert straight[200] == 1 > bent[200]


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_a_voi_table_is_used(write_dicom, bits):
    table = Dataset()
    table.LUTDescriptor = [4096, 0, bits]
    table.LUTData = np.where(np.arange(4096) < 2048, 0, 2**bits - 1).astype(np.uint16).tobytes()
    table["LUTData"].VR = "OW"

    picture = read(write_dicom(FILM, VOILUTSequence=[table])).values[0, 0]

    assert set(np.unique(picture[:, :100])) == {0.0}
    assert set(np.unique(picture[:, 130:])) == {1.0}


def test_padding_is_black_and_does_not_spoil_the_contrast(write_dicom):
    stored = FILM.astype(np.int16) + 100
    stored[:, :20] = -2000

    picture = read(write_dicom(stored, PixelPaddingValue=-2000)).values[0, 0]

    assert picture[:, :60].max() < 0.05
    assert picture[:, 150].mean() < 0.6


def test_proportions_are_kept_and_the_rest_is_black(write_dicom):
    got = read(write_dicom(np.vstack([FILM, FILM]) + np.uint16(500)))

    picture = got.values[0, 0]
    assert picture[:, : SIDE // 4].max() == picture[:, -SIDE // 4 :].max() == 0
    assert picture[:, SIDE // 2 :].max() == 1


def test_pixels_that_are_not_square_are_shown_at_their_true_proportions(write_dicom):
    got = read(write_dicom(FILM, PixelSpacing=[2.0, 1.0]))

    assert got.values[0, 0, :, : SIDE // 4].max() == 0
    np.testing.assert_allclose(got.facts["spacing_mm"], [128 / SIDE, 128 / SIDE])


def test_spacing_is_that_of_the_resized_picture(write_dicom):
    got = read(write_dicom(FILM, PixelSpacing=[0.7, 0.7]))

    np.testing.assert_allclose(got.facts["spacing_mm"], [0.7 * 64 / SIDE] * 2)


def test_colour_stays_colour_and_grey_stored_as_colour_becomes_grey(write_dicom):
    grey = np.repeat((FILM // 16).astype(np.uint8)[..., None], 3, axis=2)
    red = grey.copy()
    red[..., 1:] //= 2

    assert read(write_dicom(grey, PhotometricInterpretation="RGB")).values.shape[1] == 1
    assert read(write_dicom(red, PhotometricInterpretation="RGB")).values.shape[1] == 3


def test_a_case_of_grey_and_colour_views_has_three_channels(write_dicom):
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = FILM // 16

    got = read(
        write_dicom(FILM, "a.dcm"), write_dicom(red, "b.dcm", PhotometricInterpretation="RGB")
    )

    assert got.values.shape == (2, 3, SIDE, SIDE)
    assert (got.values[0, 0] == got.values[0, 2]).all()
    assert got.facts["names"] == ["view 0", "view 1"]


def test_a_long_film_gives_evenly_spaced_frames_with_their_time(write_dicom):
    frames = np.stack([FILM + np.uint16(place) for place in range(40)])

    got = read(write_dicom(frames, FrameTime=50))

    assert len(got.values) == MAX_FRAMES
    assert got.facts["names"][0] == "view 0 2/40"
    assert got.facts["seconds_per_frame"] == pytest.approx(0.125, rel=0.03)
    assert any("16 evenly spaced of 40" in each for each in got.remarks)


def test_slices_given_in_any_order_are_ordered_by_where_they_lie(write_dicom):
    def piece(place: int) -> Path:
        pixels = FILM.copy()
        pixels[:8] = 500 * place
        return write_dicom(
            pixels, f"{place}.dcm", SeriesInstanceUID="1.2.3", ImagePositionPatient=[0, 0, place],
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        )  # fmt: skip

    got = read(*[piece(place) for place in (3, 0, 4, 1, 2)])

    marks = got.values[:, 0, 4, 112]
    assert (np.diff(marks) > 0).all()
    assert any("5 slices of one series" in each for each in got.remarks)


def test_more_views_than_fit_are_thinned_out_and_said(write_dicom):
    paths = [write_dicom(FILM, f"{place}.dcm") for place in range(20)]

    got = read(*paths)

    assert len(got.values) == MAX_FRAMES
    assert any("20 views are given" in each for each in got.remarks)


def test_a_picture_of_one_grey_value_is_read_and_said(write_dicom):
    got = read(write_dicom(np.full((64, 64), 7, np.uint8)))

    assert got.values.max() == 0
    assert any("nothing to see" in each for each in got.remarks)


def test_no_caption_or_remark_tells_who_the_patient_is(write_dicom):
    path = write_dicom(
        FILM, PatientName="Doe^Jane", PatientID="4711", PatientBirthDate="19700101",
        InstitutionName="Mercy", StudyDescription="Doe follow-up", Modality="CR", ViewPosition="PA",
    )  # fmt: skip

    preview, got = PIPELINE.preview([Source("chest", path)]), read(path)

    said = " ".join([c for _, c in preview.images] + [*preview.windows, *preview.remarks])
    said += repr(got.facts) + " ".join(got.remarks)
    assert "chest · 64 × 64 · CR · PA" in said
    assert not any(secret in said for secret in ("Doe", "Jane", "4711", "1970", "Mercy"))


def test_ct_previews_come_in_the_usual_windows(shared):
    preview = PIPELINE.preview([Source("ct", shared / "formats" / "dicom" / "CT_small.dcm")])

    names = " ".join(preview.windows)
    assert all(each in names for each in ("Lung", "Soft tissue", "Bone", "Brain", "Full range"))
    brain = next(picture for name, picture in preview.windows.items() if name.startswith("Brain"))
    assert brain.dtype == np.uint8
    assert min(brain.shape) >= 256


def test_16_bit_png_tiff_and_dicom_of_the_same_pixels_are_the_same(write_dicom, tmp_path):
    film = FILM * 16
    for name in ("film.png", "film.tif"):
        Image.fromarray(film).save(tmp_path / name)

    expected = read(write_dicom(film)).values

    for name in ("film.png", "film.tif"):
        np.testing.assert_allclose(read(tmp_path / name).values, expected, atol=1 / 255)


def test_palette_one_bit_and_transparent_pictures_are_read_as_they_look(tmp_path):
    grey = Image.fromarray((FILM // 16).astype(np.uint8))
    grey.convert("P").save(tmp_path / "palette.png")
    grey.convert("1").save(tmp_path / "bits.png")
    layered = np.dstack([np.asarray(grey)] * 3 + [np.where(FILM > 2000, 255, 0)]).astype(np.uint8)
    Image.fromarray(layered).save(tmp_path / "layered.png")

    assert read(tmp_path / "palette.png").values[0, 0, :, -1].mean() > 0.95
    assert set(np.unique(read(tmp_path / "bits.png").values.round())) == {0, 1}
    layered_got = read(tmp_path / "layered.png")
    assert layered_got.values[0, 0, :, :100].max() == 0
    assert any("transparent" in each for each in layered_got.remarks)


@pytest.mark.parametrize("name", ["film.jpg", "film.bmp", "film.webp", "film.tiff"])
def test_every_picture_format_is_read(tmp_path, name):
    Image.fromarray((FILM // 16).astype(np.uint8)).save(tmp_path / name)

    got = read(tmp_path / name)

    assert got.values.shape == (1, 1, SIDE, SIDE)
    assert got.values[0, 0, :, -4:].mean() > 0.9 > 0.1 > got.values[0, 0, :, :4].mean()


def test_a_float_tiff_and_one_with_white_as_zero_are_read_the_right_way_round(tmp_path):
    ramp = np.tile(np.linspace(-1, 1, 64, dtype=np.float32), (64, 1))
    ramp[0, 0] = np.nan
    Image.fromarray(ramp).save(tmp_path / "float.tif")
    Image.fromarray(FILM).save(tmp_path / "white.tif", tiffinfo={262: 0})

    assert read(tmp_path / "float.tif").values[0, 0, :, -1].mean() > 0.9
    assert read(tmp_path / "white.tif").values[0, 0, :, -1].mean() < 0.1


def test_the_pages_of_a_tiff_are_its_slices(tmp_path):
    pages = [Image.fromarray(FILM + np.uint16(place)) for place in range(20)]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])

    assert len(read(tmp_path / "stack.tif").values) == MAX_FRAMES


def test_a_photograph_lying_on_its_side_is_turned(tmp_path):
    exif = Image.Exif()
    exif[274] = 6  # to be turned a quarter clockwise
    grey = Image.fromarray((FILM // 16).astype(np.uint8)[:40])
    grey.save(tmp_path / "side.jpg", exif=exif)

    picture = read(tmp_path / "side.jpg").values[0, 0]

    assert picture[-3:, SIDE // 2].mean() > 0.9 > 0.1 > picture[:3, SIDE // 2].mean()
    assert picture[:, 0].max() == 0


@pytest.mark.parametrize("name", ["head.nii", "head.nii.gz"])
@pytest.mark.parametrize("axes", ["RAS", "LPS", "SRA"])
def test_a_volume_is_shown_as_axial_slices_seen_from_the_feet(tmp_path, name, axes):
    # Bright towards the patient's right in the lower slices, towards the front in the upper ones.
    volume = np.zeros((20, 24, 30), np.float32)
    volume[10:, :, :15] = 1
    volume[:, 12:, 15:] = 1
    image = nib.Nifti1Image(volume, np.diag([2.0, 2.0, 3.0, 1.0]))
    turned = nib.orientations.ornt_transform(
        nib.io_orientation(image.affine), nib.orientations.axcodes2ornt(axes)
    )
    nib.save(image.as_reoriented(turned), tmp_path / name)

    got = read(tmp_path / name)

    assert got.values.shape == (MAX_FRAMES, 1, SIDE, SIDE)
    lower, upper = got.values[0, 0], got.values[-1, 0]
    # The patient's right is on the left of the picture, the front on top.
    assert lower[112, 40] == 1
    assert lower[112, 170] == 0
    assert upper[60, 112] == 1
    assert upper[160, 112] == 0
    np.testing.assert_allclose(got.facts["spacing_mm"], [48 / SIDE, 48 / SIDE], rtol=1e-5)


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
)  # fmt: skip
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
        {"Rows": 0}, {"Columns": 65535, "Rows": 65535}, {"NumberOfFrames": -1},
        {"NumberOfFrames": 1_000_000_000}, {"SamplesPerPixel": 7}, {"BitsAllocated": 13},
    ],
    ids=str,
)  # fmt: skip
def test_56_57_58_a_header_that_does_not_fit_the_pixels_is_refused(write_dicom, elements):
    refusal(write_dicom(FILM, **elements))


def test_56_compressed_pixels_that_declare_another_size_are_not_decoded(write_dicom):
    # A JPEG 2000 codestream that asks for 4 billion by 4 billion pixels (SIZ marker).
    stream = (
        b"\xff\x4f\xff\x51" + struct.pack(">HHIIII", 41, 0, 2**32 - 1, 2**32 - 1, 0, 0) + bytes(64)
    )
    path = write_dicom(FILM, syntax=JPEG2000Lossless, PixelData=encapsulate([stream]))

    assert "its compressed picture 4294967295 x 4294967295" in refusal(path).message


def test_56_frames_that_are_only_declared_are_refused_before_decoding(write_dicom):
    path = write_dicom(
        FILM, syntax=RLELossless, PixelData=encapsulate([bytes(100)]), Rows=8192, Columns=8192,
        NumberOfFrames=2000,
    )  # fmt: skip

    assert "declares 2000 frames" in refusal(path).message


def test_55_a_deflated_bomb_is_stopped(write_dicom, tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.dicom.MAX_INFLATED_BYTES", 1_000_000)
    content = write_dicom(FILM, syntax=DeflatedExplicitVRLittleEndian).read_bytes()
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    bomb = packer.compress(bytes(50_000_000)) + packer.flush()
    meta = pydicom.filereader.read_file_meta_info(tmp_path / "film.dcm")
    start = 128 + 4 + 12 + meta.FileMetaInformationGroupLength
    (tmp_path / "bomb.dcm").write_bytes(content[:start] + bomb)

    assert "inflates to more than 1 MB" in refusal(tmp_path / "bomb.dcm").message


def test_60_twenty_thousand_nested_sequences_are_refused(write_dicom, tmp_path):
    content = write_dicom(FILM).read_bytes()
    meta = pydicom.filereader.read_file_meta_info(tmp_path / "film.dcm")
    start = 128 + 4 + 12 + meta.FileMetaInformationGroupLength
    nest = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF)
    nest += struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    (tmp_path / "nest.dcm").write_bytes(content[:start] + nest * 20_000)

    refusal(tmp_path / "nest.dcm")


def test_75_a_picture_larger_than_any_film_is_not_decoded(tmp_path):
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


def test_76_extreme_shapes_are_read(tmp_path):
    for shape in ((1, 1), (1, 5000), (3000, 2)):
        Image.fromarray((np.indices(shape).sum(0) % 256).astype(np.uint8)).save(tmp_path / "x.png")
        assert read(tmp_path / "x.png").values.shape == (1, 1, SIDE, SIDE)
