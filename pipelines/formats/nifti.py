"""A NIfTI volume (.nii, .nii.gz, .hdr with .img) -> a `Stack` of its axial slices, feet to head.

Slices are turned to the way radiologists look at them: from the feet, front up, the patient's
right on the left. Orientation comes from the file's own transforms
(https://nifti.nimh.nih.gov/nifti-1): the sform where it is usable, else the qform.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.fileholders import FileHolder
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

from fmstudio.errors import UnreadableFile
from pipelines.formats.content import NIFTI_PAIR, Content
from pipelines.formats.decoding import check_size, decoding
from pipelines.formats.gzipped import MAGIC, read_gzip
from pipelines.frames import Stack, plausible

MAX_VOLUME_BYTES = 1_000_000_000
_HEADER_BYTES = 1024
_KINDS = {
    b"n+1\0": nib.Nifti1Image,
    b"ni1\0": nib.Nifti1Pair,
    b"n+2\0": nib.Nifti2Image,
    b"ni2\0": nib.Nifti2Pair,
}
_LABELS, _RGB_VECTOR, _RGBA_VECTOR = 1002, 2003, 2004  # intent codes (nifti1.h)
_PAIR = {".hdr": ".img", ".hdr.gz": ".img.gz", ".img": ".hdr", ".img.gz": ".hdr.gz"}


@dataclass(frozen=True)
class _Volume:
    """A volume in memory, and which of its axes are shown how (see `_stack`)."""

    image: nib.Nifti1Pair
    file: str
    order: list[int]
    turn: np.ndarray
    colour: bool


def open_nifti(path: Path, name: str, content: Content) -> Stack:
    """The axial slices of a volume; `name` is that of the view.

    Raises UnreadableFile if it is damaged, cut short, too large, or not a volume.
    """
    with decoding(path.name):
        head = _bytes(path, _HEADER_BYTES)
        kind = _KINDS.get(head[4:8]) or _KINDS[head[344:348]]
        header = kind.header_class(head[: kind.header_class.sizeof_hdr], check=False)
        shape, offset = header.get_data_shape(), int(header.get_data_offset())
        dtype = header.get_data_dtype()
        needed = int(np.prod(shape, dtype=object)) * dtype.itemsize + offset
    _check(path.name, header)
    if needed > MAX_VOLUME_BYTES:
        raise UnreadableFile(
            f"{path.name} declares {needed:,} bytes, more than can be read.",
            hint=f"Give a volume of at most {MAX_VOLUME_BYTES // 1_000_000} MB.",
        )
    pair = _partner(path) if kind in (nib.Nifti1Pair, nib.Nifti2Pair) else path
    if pair is None:
        raise UnreadableFile(
            f"{path.name} is {NIFTI_PAIR}, and its .img file is not beside it.",
            hint="Put both files into one folder, or save the volume as one .nii file.",
        )
    with decoding(path.name):
        data = _bytes(pair, needed)
    if len(data) < needed:
        raise UnreadableFile(
            f"{pair.name} is cut short: it declares {needed:,} bytes and holds {len(data):,}.",
            hint="Copy or export it again; this copy is not complete.",
        )
    with decoding(path.name):
        holders = {
            "header": FileHolder(fileobj=io.BytesIO(head if pair != path else data)),
            "image": FileHolder(fileobj=io.BytesIO(data)),
        }
        # nibabel mends a header on its way in; sizes are taken as the file states them.
        zooms = [*map(float, header["pixdim"][1:4])]
        return _stack(kind.from_file_map(holders), zooms, path.name, name)


def header_of(path: Path) -> Path:
    """The header of a pair whose .img file is named; any other file itself."""
    if path.name.lower().endswith((".img", ".img.gz")):
        return _partner(path) or path
    return path


def parts_of(path: Path) -> tuple[Path, ...]:
    """Both files of a pair that is there; none for any other file."""
    partner = _partner(path)
    return (path, partner) if partner else ()


def _partner(path: Path) -> Path | None:
    """The other file of a pair, in capitals or not, or None."""
    lower = path.name.lower()
    ending = next((each for each in sorted(_PAIR, key=len)[::-1] if lower.endswith(each)), None)
    if ending is None:
        return None
    other = _PAIR[ending].removesuffix(".gz")
    stem = lower.removesuffix(ending)
    wanted = (stem + other, stem + other + ".gz")
    try:
        beside = sorted(each for each in path.parent.iterdir() if each.name.lower() in wanted)
    except OSError:
        return None
    return next((each for each in beside if each.is_file()), None)


def _check(file: str, header: nib.Nifti1Header) -> None:
    """Raise UnreadableFile for a header of something else than a volume of numbers or colours."""
    shape, dtype = header.get_data_shape(), header.get_data_dtype()
    is_colour = dtype.names is not None and set("RGB") <= set(dtype.names)
    if len(shape) < 2 or min(shape) < 1 or not (is_colour or dtype.kind in "iuf"):
        what = "complex numbers" if dtype.kind == "c" else f"type {dtype}"
        raise UnreadableFile(
            f"{file} is a NIfTI file of {len(shape)} dimensions and {what}, not a grey volume "
            "or one of colours.",
            hint="Export a volume of numbers (such as the magnitude) of at least two dimensions.",
        )
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope and np.isfinite(slope) and not np.isfinite(intercept):
        raise UnreadableFile(
            f"{file}: its header is damaged: scl_inter is no number.",
            hint="Export it again; without it the grey values have no meaning.",
        )


def _bytes(path: Path, limit: int) -> bytes:
    """The first `limit` bytes of what a file, packed or not, holds."""
    with path.open("rb") as stream:
        packed = stream.read(2) == MAGIC
        stream.seek(0)
        return read_gzip(path, limit) if packed else stream.read(limit)


def _affine(header: nib.Nifti1Header, file: str, remarks: list[str]) -> np.ndarray:
    """The transform from voxels to the patient, (4, 4) in mm.

    The standard leaves the choice between sform (method 3) and qform (method 2); nibabel takes the
    sform first. A transform that turns the volume into a point, or holds what is no number, is
    unusable whatever its code says.
    """
    forms: tuple[tuple[str, Callable[[], Any], str], ...] = (
        ("sform_code", header.get_sform, "sform"),
        ("qform_code", header.get_qform, "qform"),
    )
    for code, get, name in forms:
        if not int(header[code]):
            continue
        try:
            affine = np.asarray(get(), np.float64)
        except (ValueError, nib.spatialimages.HeaderDataError):
            affine = np.full((4, 4), np.nan)  # quaternions that are none
        if np.isfinite(affine).all() and abs(np.linalg.det(affine[:3, :3])) > 1e-12:
            return affine
        remarks.append(f"{file}: its {name} is unusable and is left out.")
    # Method 1: only voxel sizes. As nibabel does, the first axis is taken to run to the left.
    remarks.append(f"{file}: it does not say how it lies; shown as most volumes are stored.")
    return np.diag([-1.0, 1.0, 1.0, 1.0])


def _stack(image: nib.Nifti1Pair, zooms: Sequence[float], file: str, name: str) -> Stack:
    header, remarks = image.header, list[str]()
    affine = _affine(header, file, remarks)
    shape = (*image.shape, 1)[:3]
    # Axes as displayed: rows from front to back, columns from the patient's right, slices upwards.
    turn = ornt_transform(io_orientation(affine), axcodes2ornt(("L", "P", "S")))
    order = [int(np.flatnonzero(turn[:, 0] == axis)[0]) for axis in (1, 0, 2)]
    rows, columns, count = (shape[axis] for axis in order)
    check_size(file, rows, columns)
    spacing = abs(zooms[order[0]]), abs(zooms[order[1]])
    known = min(spacing) > 0 and bool(np.isfinite(spacing).all())
    if not known:
        remarks.append(f"{file}: it does not say how large its voxels are; shown as cubes.")
    intent = int(header["intent_code"])
    vector = intent in (_RGB_VECTOR, _RGBA_VECTOR) and image.shape[3:5] in ((1, 3), (1, 4))
    if not vector and len(image.shape) > 3 and int(np.prod(image.shape[3:])) > 1:
        remarks.append(f"{file} holds several volumes; only the first is read.")
    if intent == _LABELS:
        remarks.append(f"{file} is a map of labels (a mask), not a picture of a patient.")
    volume = _Volume(image, file, order, turn, vector or image.get_data_dtype().names is not None)
    return Stack(
        name=name,
        file=file,
        count=count,
        size=(rows, columns),
        pictures=lambda indices: _slices(volume, indices),
        aspect=plausible(spacing[0] / spacing[1]) if known else 1.0,
        spacing_mm=spacing if known else None,
        about=("NIfTI, axial",),
        remarks=tuple(remarks),
    )


def _slices(volume: _Volume, indices: Sequence[int]) -> Iterator[np.ndarray]:
    """Axial slices: grey (rows, columns) float32, scaled as the header says, or colour uint8."""
    image, order, turn = volume.image, volume.order, volume.turn
    count = (*image.shape, 1)[order[2]]
    for index in indices:
        with decoding(volume.file):
            place: list[int | slice] = [slice(None)] * 3 + [0] * (len(image.shape) - 3)
            place[order[2]] = index if turn[order[2], 1] > 0 else count - 1 - index
            if volume.colour:
                picture = _colours(image, place)
            else:
                picture = np.asarray(image.dataobj[tuple(place[: len(image.shape)])], np.float32)
            if order[0] > order[1]:
                picture = picture.swapaxes(0, 1)
            picture = picture[:: int(turn[order[0], 1]), :: int(turn[order[1], 1])]
            finite = np.isfinite(picture)
            if not finite.all():
                picture = np.where(finite, picture, picture[finite].min() if finite.any() else 0)
        yield np.ascontiguousarray(picture)


def _colours(image: nib.Nifti1Pair, place: list[int | slice]) -> np.ndarray:
    """One slice (…, 3) uint8 of a volume of colours, one to a voxel or one to a volume."""
    if image.get_data_dtype().names:
        voxels = np.asarray(image.dataobj[tuple(place[: len(image.shape)])])
        return np.stack([voxels[each] for each in "RGB"], -1).astype(np.uint8)
    planes = [image.dataobj[(*place[:4], channel)] for channel in range(3)]
    colours: np.ndarray = np.clip(np.rint(np.stack(planes, -1)), 0, 255).astype(np.uint8)
    return colours
