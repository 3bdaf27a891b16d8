"""A volume shows the same slices however its file is packed, scaled and laid out."""

from __future__ import annotations

import gzip
import struct
from itertools import pairwise

import nibabel as nib
import numpy as np
import pytest

from fmstudio.errors import UnreadableFile
from fmstudio.types import Source
from pipelines.radiology import PIPELINE, open_stack

VOLUME = (
    np.arange(40)[:, None, None] * 10
    + np.arange(50)[None, :, None]
    + np.arange(3)[None, None, :] * 1000
).astype(np.int16)
AFFINE = np.diag([2.0, 2, 4, 1])
SLOPE, QFORM, SFORM = 112, slice(252, 280), slice(280, 328)
# From the feet: rows from front to back, columns from the patient's right, where R and A count up.
EXPECTED = [VOLUME[::-1, ::-1, k].T.astype(float) for k in range(3)]


def volume(data=VOLUME, affine=AFFINE, **codes) -> bytearray:
    image = nib.Nifti1Image(data, affine)
    image.set_qform(affine, codes.get("qform", 1))
    image.set_sform(affine, codes.get("sform", 1))
    return bytearray(image.to_bytes())


def slices(path) -> list[np.ndarray]:
    stack = open_stack(Source("ct", path))
    return list(stack.pictures(range(stack.count)))


def remarks(path) -> str:
    return " ".join(PIPELINE.read([Source("ct", path)]).remarks)


@pytest.mark.parametrize("cuts", [(), (100,), (1, 2, 348), (6_000, 12_000)])
@pytest.mark.parametrize("filled", [b"", bytes(512)])
def test_a_volume_packed_in_several_members_is_whole(tmp_path, cuts, filled):
    content = bytes(volume())
    pieces = [content[a:b] for a, b in pairwise((0, *cuts, None))]
    path = tmp_path / "v.nii.gz"
    path.write_bytes(b"".join(map(gzip.compress, [*pieces[:1], b"", *pieces[1:]])) + filled)

    np.testing.assert_array_equal(slices(path), EXPECTED)


def test_a_packed_volume_that_lacks_its_last_member_is_cut_short(tmp_path):
    content = bytes(volume())
    (tmp_path / "v.nii.gz").write_bytes(gzip.compress(content[:6_000]))

    with pytest.raises(UnreadableFile, match="cut short"):
        slices(tmp_path / "v.nii.gz")


FLAT, STRANGE = bytes(48), struct.pack("<12f", *([float("nan")] * 12))
ONE_LINE = struct.pack("<12f", 2, 0, 0, 0, 4, 0, 0, 0, 6, 0, 0, 0)  # three axes on one line


@pytest.mark.parametrize("damage", [FLAT, STRANGE, ONE_LINE])
def test_a_good_qform_stands_in_for_an_sform_that_is_unusable(tmp_path, damage):
    content = volume(affine=np.diag([-2.0, 2, 4, 1]))
    content[SFORM] = damage
    (tmp_path / "v.nii").write_bytes(content)

    # The first axis now counts to the left.
    np.testing.assert_array_equal(slices(tmp_path / "v.nii")[0], VOLUME[:, ::-1, 0].T)
    assert "sform is unusable" in remarks(tmp_path / "v.nii")


@pytest.mark.parametrize("damage", [struct.pack("<3f", 2, 2, 2), struct.pack("<3f", *[np.nan] * 3)])
def test_a_good_sform_is_used_beside_a_qform_that_is_none(tmp_path, damage):
    content = volume(affine=np.diag([-2.0, 2, 4, 1]))
    content[256:268] = damage
    (tmp_path / "v.nii").write_bytes(content)

    np.testing.assert_array_equal(slices(tmp_path / "v.nii")[0], VOLUME[:, ::-1, 0].T)


def test_a_volume_that_does_not_say_how_it_lies_is_read_and_says_so(tmp_path):
    broken = volume()
    broken[SFORM], broken[256:260] = FLAT, struct.pack("<f", 3)  # and quaternions that are none
    for name, content in (("none.nii", volume(qform=0, sform=0)), ("broken.nii", broken)):
        (tmp_path / name).write_bytes(content)
        assert "does not say how it lies" in remarks(tmp_path / name)
        # As nibabel reads it: the first axis runs to the left.
        np.testing.assert_array_equal(slices(tmp_path / name)[0], VOLUME[:, ::-1, 0].T)


@pytest.mark.parametrize("size", [0.0, float("nan")])
def test_voxels_of_unknown_size_have_no_spacing(tmp_path, size):
    content = volume()
    content[80:88] = struct.pack("<2f", size, size)
    (tmp_path / "v.nii").write_bytes(content)

    assert PIPELINE.read([Source("ct", tmp_path / "v.nii")]).facts["spacing_mm"] is None
    assert "how large its voxels are" in remarks(tmp_path / "v.nii")


@pytest.mark.parametrize(
    "affine",
    [
        [[0, 0, 4, 0], [2, 0, 0, 0], [0, 2, 0, 0]],
        [[-2, 0, 0, 0], [0, -2, 0, 0], [0, 0, -4, 0]],
        [[0, -2, 0.5, 0], [0, 0.5, 4, 0], [2, 0, 0, 0]],
    ],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_layout_is_shown_as_nibabel_orients_it(tmp_path, affine, order):
    whole = np.vstack([affine, [0, 0, 0, 1]]).astype(float)
    header = nib.Nifti1Header(endianness=order)
    image = nib.Nifti1Image(VOLUME.astype(f"{order}i2"), whole, header)
    (tmp_path / "v.nii").write_bytes(image.to_bytes())

    canonical = np.asarray(nib.as_closest_canonical(image).dataobj)
    expected = [canonical[::-1, ::-1, k].T for k in range(canonical.shape[2])]
    # The patient's right is on the left, and the canonical first axis counts to the right.
    expected = [np.fliplr(each)[:, ::-1] for each in expected]
    np.testing.assert_array_equal(slices(tmp_path / "v.nii"), expected)


@pytest.mark.parametrize(
    ("slope", "intercept", "factor", "offset"),
    [(0, 7, 1, 0), (np.nan, np.nan, 1, 0), (np.inf, 0, 1, 0), (2, -1000, 2, -1000)],
)
def test_values_are_scaled_where_the_header_says_how(tmp_path, slope, intercept, factor, offset):
    content = volume()
    content[SLOPE : SLOPE + 8] = struct.pack("<ff", slope, intercept)
    (tmp_path / "v.nii").write_bytes(content)

    np.testing.assert_array_equal(
        slices(tmp_path / "v.nii"), [each * factor + offset for each in EXPECTED]
    )


@pytest.mark.parametrize("intercept", [np.nan, np.inf])
def test_a_scale_without_its_offset_is_a_damaged_header(tmp_path, intercept):
    content = volume()
    content[SLOPE : SLOPE + 8] = struct.pack("<ff", 2, intercept)
    (tmp_path / "v.nii").write_bytes(content)

    with pytest.raises(UnreadableFile, match="header is damaged: scl_inter"):
        slices(tmp_path / "v.nii")


@pytest.mark.parametrize("named", ["v.hdr", "v.img"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("capitals", [False, True])
def test_a_volume_in_two_files_is_read_from_either_name(tmp_path, named, packed, capitals):
    image = nib.Nifti1Pair(VOLUME, AFFINE)
    nib.save(image, tmp_path / ("v.img.gz" if packed else "v.img"))
    named += ".gz" * packed
    if capitals:
        for path in list(tmp_path.iterdir()):
            path.rename(path.with_name(path.name.replace("v.", "V.").upper()))
        named = named.upper()

    np.testing.assert_array_equal(slices(tmp_path / named), EXPECTED)
    assert {p.name for p in PIPELINE.parts(tmp_path / named)} == {
        p.name for p in tmp_path.iterdir()
    }
    both = PIPELINE.read([Source("ct", path) for path in sorted(tmp_path.iterdir())])
    assert len(both.values) == 3


def test_half_of_a_volume_in_two_files_says_what_is_missing(tmp_path):
    nib.save(nib.Nifti1Pair(VOLUME, AFFINE), tmp_path / "v.img")
    (tmp_path / "v.img").unlink()

    with pytest.raises(UnreadableFile, match="img file is not beside it"):
        slices(tmp_path / "v.hdr")


def test_colours_are_read_as_colours(tmp_path):
    colours = np.random.default_rng(1).integers(0, 256, (40, 50, 3, 3), np.uint8)
    colours[..., 0] = 200
    packed = colours.view([("R", "u1"), ("G", "u1"), ("B", "u1")])[..., 0]
    nib.save(nib.Nifti1Image(packed, AFFINE), tmp_path / "voxels.nii")
    vectors = nib.Nifti1Image(colours[:, :, :, None], AFFINE)
    vectors.header.set_intent(2003)
    nib.save(vectors, tmp_path / "vectors.nii")

    for name in ("voxels.nii", "vectors.nii"):
        got = slices(tmp_path / name)
        np.testing.assert_array_equal(got[1], colours[::-1, ::-1, 1].swapaxes(0, 1))
        assert PIPELINE.read([Source("ct", tmp_path / name)]).values.shape[:2] == (3, 3)


def test_complex_numbers_are_not_cut_down_to_their_real_part(tmp_path):
    nib.save(nib.Nifti1Image(VOLUME.astype(np.complex64), AFFINE), tmp_path / "v.nii")

    with pytest.raises(UnreadableFile, match="complex numbers"):
        slices(tmp_path / "v.nii")


def test_an_analyze_header_is_refused_for_what_it_does_not_say(tmp_path):
    header = nib.AnalyzeHeader()
    header.set_data_shape((2, 2, 2))
    (tmp_path / "v.hdr").write_bytes(bytes(header.binaryblock))

    with pytest.raises(UnreadableFile, match="left and right"):
        slices(tmp_path / "v.hdr")
