"""A NIfTI volume (.nii, .nii.gz) -> a `Stack` of its axial slices, from feet to head.

Slices are turned to the way radiologists look at them: from the feet, front up, the patient's
right on the left. Orientation comes from the file's affine (https://nifti.nimh.nih.gov/nifti-1).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

from fmstudio.errors import UnreadableFile
from pipelines.content import NIFTI_GZ, Content
from pipelines.decoding import check_size, decoding
from pipelines.frames import Stack, plausible

MAX_VOLUME_BYTES = 1_000_000_000
_HEADER_BYTES = 1024


def open_nifti(path: Path, name: str, content: Content) -> Stack:
    """The axial slices of a volume; `name` is that of the view.

    Raises UnreadableFile if it is damaged, cut short, too large, or not a volume.
    """
    packed = content is NIFTI_GZ
    with decoding(path.name):
        with path.open("rb") as stream:
            head = stream.read(_HEADER_BYTES)
        if packed:
            head = zlib.decompressobj(wbits=31).decompress(head, _HEADER_BYTES)
        kind = nib.Nifti2Image if head[4:8] == b"n+2\0" else nib.Nifti1Image
        header = kind.header_class(head[: kind.header_class.sizeof_hdr], check=False)
        shape, offset = header.get_data_shape(), int(header.get_data_offset())
        needed = int(np.prod(shape, dtype=object)) * header.get_data_dtype().itemsize + offset
    if len(shape) < 2 or header.get_data_dtype().names:
        raise UnreadableFile(
            f"{path.name} is a NIfTI file of {len(shape)} dimensions and type "
            f"{header.get_data_dtype()}, not a grey volume.",
            hint="Export a volume of numbers with at least two dimensions.",
        )
    if needed > MAX_VOLUME_BYTES:
        raise UnreadableFile(
            f"{path.name} declares {needed:,} bytes, more than can be read.",
            hint=f"Give a volume of at most {MAX_VOLUME_BYTES // 1_000_000} MB.",
        )
    with decoding(path.name):
        data = _bytes(path, packed, needed)
    if len(data) < needed:
        raise UnreadableFile(
            f"{path.name} is cut short: it declares {needed:,} bytes and holds {len(data):,}.",
            hint="Copy or export it again; this copy is not complete.",
        )
    with decoding(path.name):
        return _stack(kind.from_bytes(data), path.name, name)


def _bytes(path: Path, packed: bool, needed: int) -> bytes:
    """The volume's bytes, never more than `needed` of them."""
    with path.open("rb") as stream:
        content = stream.read()
    return zlib.decompressobj(wbits=31).decompress(content, needed) if packed else content[:needed]


def _stack(image: nib.Nifti1Image, file: str, name: str) -> Stack:
    shape = (*image.shape, 1)[:3]
    # Axes as displayed: rows from front to back, columns from the patient's right, slices upwards.
    turn = ornt_transform(io_orientation(image.affine), axcodes2ornt(("L", "P", "S")))
    order = [int(np.flatnonzero(turn[:, 0] == axis)[0]) for axis in (1, 0, 2)]
    rows, columns, count = (shape[axis] for axis in order)
    check_size(file, rows, columns)
    zooms = [*map(float, image.header.get_zooms()[:3]), 1.0]
    spacing = abs(zooms[order[0]]), abs(zooms[order[1]])
    known = min(spacing) > 0 and np.isfinite(spacing).all()
    remarks = []
    if len(image.shape) > 3 and int(np.prod(image.shape[3:])) > 1:
        remarks.append(f"{file} holds several volumes; only the first is read.")
    return Stack(
        name=name,
        file=file,
        count=count,
        size=(rows, columns),
        pictures=lambda indices: _slices(image, file, order, turn, indices),
        aspect=plausible(spacing[0] / spacing[1]) if known else 1.0,
        spacing_mm=spacing if known else None,
        about=("NIfTI, axial",),
        remarks=tuple(remarks),
    )


def _slices(
    image: nib.Nifti1Image, file: str, order: list[int], turn: np.ndarray, indices: Sequence[int]
) -> Iterator[np.ndarray]:
    """Axial slices (rows, columns) float32, scaled as the header says."""
    count = (*image.shape, 1)[order[2]]
    for index in indices:
        with decoding(file):
            place: list[int | slice] = [slice(None)] * 3 + [0] * (len(image.shape) - 3)
            place[order[2]] = index if turn[order[2], 1] > 0 else count - 1 - index
            picture = np.asarray(image.dataobj[tuple(place[: len(image.shape)])], np.float32)
            if order[0] > order[1]:
                picture = picture.T
            picture = picture[:: int(turn[order[0], 1]), :: int(turn[order[1], 1])]
            finite = np.isfinite(picture)
            if not finite.all():
                picture = np.where(finite, picture, picture[finite].min() if finite.any() else 0)
        yield np.ascontiguousarray(picture, np.float32)
