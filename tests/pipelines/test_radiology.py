"""What a radiologist relies on: bone is bright, windows are right, nothing odd gets through."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from fmstudio.contracts import Pipeline
from fmstudio.types import ModalityInput, Source
from pipelines.radiology import MAX_FRAMES, PIPELINE, SIDE

# A film: dark on the left (air), bright on the right (bone).
FILM = np.tile(np.linspace(0, 4095, 64), (64, 1)).astype(np.uint16)


def read(*paths: Path) -> ModalityInput:
    return PIPELINE.read([Source(f"view {place}", path) for place, path in enumerate(paths)])


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
        stored,
        Modality="CT",
        RescaleSlope=0.5,
        RescaleIntercept=-1024,
        WindowCenter=40,
        WindowWidth=400,
    )

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


def test_colour_of_16_bits_is_read_as_8_bits_and_it_is_said(write_dicom):
    path = write_dicom(
        np.full((32, 32, 3), (0xC000, 0x8000, 0x4000), np.uint16), PhotometricInterpretation="RGB"
    )
    got = PIPELINE.read([Source("view", path)])

    assert got.values[0, :, 16, 16] * 255 == pytest.approx([0xC0, 0x80, 0x40])
    assert "film.dcm: its colours of 16 bits are read as 8 bits." in got.remarks


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
            pixels,
            f"{place}.dcm",
            SeriesInstanceUID="1.2.3",
            ImagePositionPatient=[0, 0, place],
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        )

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
        FILM,
        PatientName="Doe^Jane",
        PatientID="4711",
        PatientBirthDate="19700101",
        InstitutionName="Mercy",
        StudyDescription="Doe follow-up",
        Modality="CR",
        ViewPosition="PA",
    )

    preview, got = PIPELINE.preview([Source("chest", path)]), read(path)

    said = " ".join([c for _, c in preview.images] + [*preview.windows, *preview.remarks])
    said += repr(got.facts) + " ".join(got.remarks)
    assert "chest · 64 × 64 · CR · PA" in said
    assert not any(secret in said for secret in ("Doe", "Jane", "4711", "1970", "Mercy"))


def test_ct_previews_come_in_the_usual_windows(write_dicom):
    path = write_dicom(FILM, Modality="CT", RescaleSlope=1, RescaleIntercept=-1024)

    preview = PIPELINE.preview([Source("ct", path)])

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


def test_extreme_shapes_are_read(tmp_path):
    for shape in ((1, 1), (1, 5000), (3000, 2)):
        Image.fromarray((np.indices(shape).sum(0) % 256).astype(np.uint8)).save(tmp_path / "x.png")
        assert read(tmp_path / "x.png").values.shape == (1, 1, SIDE, SIDE)
