"""Radiology images: DICOM, NIfTI, PNG, JPEG, TIFF, BMP, WEBP -> frames (L, C, 224, 224) in [0, 1].

L is the number of views, or up to 16 evenly spaced slices or frames shared out over the files.
Proportions are kept, the rest of the square is black; a large picture is averaged over areas. Grey
values go through the file's own window where that shows something, else from the 1st to the 99th
percentile; MONOCHROME1 is inverted so that bone is always bright (DICOM PS3.3 C.7.6.3.1.2).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from fmstudio.types import ModalityInput, Preview, Source
from pipelines.burned_in import with_burned_in
from pipelines.formats.content import DICOM, expect, starts_as
from pipelines.formats.dicom import open_dicom
from pipelines.formats.images import open_picture
from pipelines.frames import (
    Stack,
    Window,
    assemble,
    eight_bits,
    evenly,
    fitted_spacing,
    percentiles,
    render,
    seconds_between,
    share,
    shrink,
)
from pipelines.headers import about_files, without_headers
from pipelines.slices import in_order, missing, volumes

SIDE = 224
MAX_FRAMES = 16
PREVIEW_SIDE = 768
STRIP_SIDE = 384
# Small pictures are enlarged for the eye until they reach this side.
LEGIBLE_SIDE = 256

_IN_TWO = (".hdr", ".hdr.gz", ".img", ".img.gz")  # a NIfTI volume may be stored in two files
FAMILIES = ("DICOM", "NIfTI", "picture")
FORMATS = "a DICOM, NIfTI, PNG, JPEG, TIFF, BMP or WEBP file"

# Usual settings at the workstation, (centre, width) in Hounsfield units
# (Hofer, CT Teaching Manual; Seeram, Computed Tomography).
CT_WINDOWS: Mapping[str, tuple[float, float]] = {
    "Lung": (-600, 1500),
    "Soft tissue (mediastinum)": (40, 400),
    "Bone": (480, 2500),
    "Brain": (40, 80),
}


@dataclass(frozen=True)
class Radiology:
    """The pipeline of radiology images."""

    name: str = "radiology"
    label: str = "Radiology images"
    kind: str = "frames"
    suffixes: tuple[str, ...] = (
        ".dcm",
        ".dicom",
        ".ima",
        ".nii",
        ".nii.gz",
        ".hdr",
        ".hdr.gz",
        ".img",
        ".img.gz",
        ".png",
        ".jpg",
        ".jpeg",
        ".tif",
        ".tiff",
        ".bmp",
        ".webp",
    )
    order: int = 0
    version: int = 2
    inline: bool = False
    hints: tuple[str, ...] = (
        "image",
        "film",
        "xray",
        "cxr",
        "chest",
        "ct",
        "mri",
        "scan",
        "slice",
        "mammogram",
        "radiograph",
        "dicom",
    )

    def read(self, sources: Sequence[Source]) -> ModalityInput:
        """Read the views or slices of one case, in the order given. No files gives L = 0.

        Raises UnreadableFile, naming the file, if one is not an image or cannot be decoded.
        """
        remarks: list[str] = []
        pictures: list[np.ndarray] = []
        names: list[str] = []
        chosen = list(_chosen(_open(sources, remarks), remarks))
        for stack, indices in chosen:
            pictures += render(stack, indices, SIDE, remarks)
            names += _names(stack, indices)
        facts = {
            "names": names,
            "seconds_per_frame": seconds_between(*chosen[0]) if len(chosen) == 1 else None,
            "spacing_mm": _spacing([stack for stack, _ in chosen]),
        }
        values = assemble(pictures, SIDE)
        return ModalityInput("frames", values, np.ones(len(names), bool), facts, tuple(remarks))

    def preview(self, sources: Sequence[Source]) -> Preview:
        """The same views and slices, larger, with captions; the middle one in other windows.

        Raises UnreadableFile as `read` does.
        """
        remarks: list[str] = []
        chosen = list(_chosen(_open(sources, remarks), remarks))
        shown = sum(len(indices) for _, indices in chosen)
        side = PREVIEW_SIDE if shown <= 4 else STRIP_SIDE
        images: list[tuple[np.ndarray, str]] = []
        for stack, indices in chosen:
            captions = [f"{each} · {_caption(stack)}" for each in _names(stack, indices)]
            pictures = render(stack, indices, side, remarks)
            images += zip(map(_visible, pictures), captions, strict=True)
        windows = _windows(*chosen[0]) if chosen else {}
        return Preview(images=tuple(images), windows=windows, remarks=tuple(remarks))

    def about(self, sources: Sequence[Source]) -> Mapping[str, Sequence[str]]:
        """What the files say beside their pictures, and text that is burned into these.

        Raises UnreadableFile, naming the file.
        """
        return with_burned_in(about_files(sources), map(open_stack, sources))

    def parts(self, path: Path) -> tuple[Path, ...]:
        """Both files of a volume that is stored in two; none for any other file."""
        return _parts(path)

    def recognises(self, path: Path) -> bool:
        """True for the first bytes of an image or volume, and for the second file of a volume."""
        return starts_as(path, FAMILIES) or bool(_parts(path))

    def stripped(self, source: Source) -> bytes | None:
        """The file without what it says of the patient; None where it says nothing.

        Raises UnreadableFile, naming the file.
        """
        return without_headers(source)


def open_stack(source: Source) -> Stack:
    """The pictures of one file, whatever its format.

    Raises UnreadableFile if it is not an image that can be read.
    """
    if source.path is not None and source.path.name.lower().endswith(_IN_TWO):
        from pipelines.formats.nifti import header_of

        source = replace(source, path=header_of(source.path))
    path, content, remarks = expect(source, FAMILIES, "radiology image", FORMATS)
    if content is DICOM:
        stack = open_dicom(path, source.name)
    elif content.family == "NIfTI":
        # nibabel takes a second to import, and few cohorts hold volumes.
        from pipelines.formats.nifti import open_nifti

        stack = open_nifti(path, source.name, content)
    else:
        stack = open_picture(path, source.name)
    return replace(stack, remarks=(*remarks, *stack.remarks))


def _open(sources: Sequence[Source], remarks: list[str]) -> list[Stack]:
    """One stack per file, single slices of one series put together in anatomical order."""
    stacks = [open_stack(source) for source in _once(sources)]
    series: dict[tuple[object, ...], list[Stack]] = defaultdict(list)
    for stack in stacks:
        if stack.series and stack.count == 1:
            series[stack.series].append(stack)
    merged: list[Stack] = []
    for stack in stacks:
        slices = series.get(stack.series, []) if stack.count == 1 else []
        if len(slices) < 2:
            merged.append(stack)
        elif stack is slices[0]:
            merged.append(_series(slices, remarks))
    return merged


def _once(sources: Sequence[Source]) -> list[Source]:
    """The sources without the second file of a volume that is stored in two."""
    found: dict[object, Source] = {}
    for number, source in enumerate(sources):
        parts = _parts(source.path) if source.path is not None else ()
        found.setdefault(frozenset(parts) or number, source)
    return list(found.values())


def _parts(path: Path) -> tuple[Path, ...]:
    """Both files of a volume that is stored in two; () for any other file."""
    if not path.name.lower().endswith(_IN_TWO):
        return ()
    # nibabel takes a second to import, and few cohorts hold volumes.
    from pipelines.formats.nifti import parts_of

    return parts_of(path)


def _series(slices: Sequence[Stack], remarks: list[str]) -> Stack:
    """Single slices as one stack, ordered along their normal; what was given twice is read once."""
    once = list({(each.instance or each, each.place): each for each in slices}.values())
    if twice := len(slices) - len(once):
        remarks.append(f"{twice} slice{'s' * (twice > 1)} of one series given twice, read once.")
    places = [each.place for each in once]
    ordered = [once[index] for index in in_order(places)]
    remarks.append(f"{len(ordered)} slices of one series, ordered by their position.")
    if (several := volumes(places)) > 1:
        remarks.append(f"Up to {several} of them lie at one place; they are read volume by volume.")
    if absent := missing(places):
        remarks.append(f"{absent} slice{'s' * (absent > 1)} seem to be missing between others.")
    windows = tuple(each.window for each in ordered)
    noted: list[str] = []

    def pictures(indices: Sequence[int]) -> Iterator[np.ndarray]:
        for index in indices:
            yield from ordered[index].pictures([0])
            noted.extend(ordered[index].noted)

    return replace(
        ordered[0],
        count=len(ordered),
        pictures=pictures,
        windows=windows if len(set(windows)) > 1 else (),
        remarks=tuple(dict.fromkeys(remark for each in ordered for remark in each.remarks)),
        noted=noted,
    )


def _chosen(stacks: Sequence[Stack], remarks: list[str]) -> Iterator[tuple[Stack, list[int]]]:
    """Which pictures of which stack are taken: all, or `MAX_FRAMES` of them, evenly spaced."""
    if len(stacks) > MAX_FRAMES:
        remarks.append(f"{len(stacks)} views are given; {MAX_FRAMES} evenly spaced ones are read.")
        stacks = [stacks[index] for index in evenly(len(stacks), MAX_FRAMES)]
    places = share([stack.count for stack in stacks], MAX_FRAMES)
    for stack, wanted in zip(stacks, places, strict=True):
        if wanted < stack.count:
            remarks.append(
                f"{stack.file}: {wanted} evenly spaced of {stack.count} slices or frames are read."
            )
        yield stack, evenly(stack.count, wanted)


def _names(stack: Stack, indices: Sequence[int]) -> list[str]:
    if stack.count == 1:
        return [stack.name]
    return [f"{stack.name} {index + 1}/{stack.count}" for index in indices]


def _spacing(stacks: Sequence[Stack]) -> list[float] | None:
    """Millimetres per pixel of the frames, if known and the same (to 5 %) for all views."""
    spacings = [fitted_spacing(stack, SIDE) for stack in stacks]
    known = [spacing for spacing in spacings if spacing is not None]
    if not known or len(known) < len(spacings) or not np.allclose(known, known[0], rtol=0.05):
        return None
    return [float(each) for each in known[0]]


def _caption(stack: Stack) -> str:
    rows, columns = stack.size
    return " · ".join([f"{columns} × {rows}", *stack.about])


def _visible(picture: np.ndarray) -> np.ndarray:
    """A picture in [0, 1] as uint8, small ones enlarged in whole steps so that pixels stay true."""
    shown = eight_bits(picture)
    factor = -(-LEGIBLE_SIDE // max(shown.shape[:2]))
    size = (shown.shape[1] * factor, shown.shape[0] * factor)
    if factor <= 1:
        return shown
    return np.asarray(Image.fromarray(shown).resize(size, Image.Resampling.NEAREST))


def _windows(stack: Stack, indices: Sequence[int]) -> dict[str, np.ndarray]:
    """The middle picture of a stack in the windows that people look for; none for colour."""
    middle = indices[len(indices) // 2]
    picture = next(iter(stack.pictures([middle])))
    if picture.ndim == 3:
        return {}
    picture = shrink(picture, PREVIEW_SIDE, stack.aspect)
    presets = {}
    if stack.hounsfield:
        presets = {
            f"{name}: centre {centre:g}, width {width:g} HU": Window(
                centre - width / 2, centre + width / 2
            )
            for name, (centre, width) in CT_WINDOWS.items()
        }
    presets |= {
        "Full range": percentiles([picture], 0, 100),
        "1st to 99th percentile": percentiles([picture], 1, 99),
        "High contrast": percentiles([picture], 10, 90),
    }
    own = stack.window_of(middle)
    if own is not None:
        presets[own.name[:1].upper() + own.name[1:]] = own
    shown = {name: window.apply(picture) for name, window in presets.items()}
    return {name: _visible(1 - each if stack.inverted else each) for name, each in shown.items()}


PIPELINE = Radiology()
