"""A picture -> the lines of text that are burned into it, as boxes; no letter is read.

What devices write is drawn: strokes of one width and one brightness, sharp against what lies
behind, letters of one height on one line. Bones and vessels are none of that. After Epshtein,
Ofek and Wexler, "Detecting text in natural scenes with stroke width transform" (CVPR 2010), with
components by threshold in the place of edges. A marker of one or two letters, such as L or R,
is no line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from pipelines.frames import Stack, eight_bits, evenly, look

LARGEST_SIDE = 1600  # a larger picture is looked at in whole steps,
SMALLEST_SIDE = 480  # and a smaller one twice as large: its letters run into each other
FEWEST_LETTERS = 4
LOWEST, HIGHEST = 5, 90  # pixels of a letter
CONTRAST = 40  # of 255, between letters and what lies around them
STEEPNESS = 0.42  # of that contrast, within one pixel of a letter's edge
EVEN_STROKE = 0.65  # standard deviation of the strokes' width over its mean


@dataclass(frozen=True)
class Line:
    """A line of text: its box in pixels of the picture, and how many letters it has."""

    top: int
    left: int
    bottom: int
    right: int
    letters: int


@dataclass(frozen=True)
class _Letter:
    top: int
    left: int
    bottom: int
    right: int
    level: float  # median brightness

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left


def with_burned_in(
    about: Mapping[str, Sequence[str]], stacks: Iterable[Stack]
) -> dict[str, Sequence[str]]:
    """What files say, with `burned_in`: a place for each file whose picture holds text.

    A place is the longest line's box as shares of the picture, and the file: "top left bottom
    right name". Of several slices or frames the first and the middle one are looked at.
    """
    told = [place for stack in stacks for place in _places(stack)]
    return {**about, "burned_in": [*about.get("burned_in", ()), *told]}


def _places(stack: Stack) -> Iterable[str]:
    indices = sorted({0, *evenly(stack.count, 1)})
    pictures = list(stack.pictures(indices))
    show = look(stack, indices, pictures, [])
    for index, picture in zip(indices, pictures, strict=True):
        shown = eight_bits(show(index, picture))
        lines = lines_of_text(shown)
        if lines:
            longest = max(lines, key=lambda line: line.letters)
            height, width = shown.shape[:2]
            box = (
                longest.top / height,
                longest.left / width,
                longest.bottom / height,
                longest.right / width,
            )
            yield " ".join(f"{min(share, 1):.4f}" for share in box) + f" {stack.file}"
            return


def lines_of_text(picture: np.ndarray) -> list[Line]:
    """The lines of text in a picture (H, W) or (H, W, 3) uint8, from top to bottom."""
    grey = picture.max(axis=2) if picture.ndim == 3 else picture
    step: float = max(1, -(-max(grey.shape) // LARGEST_SIDE))
    small = grey[:: int(step), :: int(step)].astype(np.int16)
    if min(small.shape) < 12 * LOWEST:
        return []
    if max(small.shape) < SMALLEST_SIDE:
        step, small = 0.5, ndimage.zoom(small, 2, order=3)
    found: list[Line] = []
    for shades in (small, 255 - small):  # light letters, then dark ones
        found += _lines(_letters(shades))
    return [
        Line(
            int(one.top * step),
            int(one.left * step),
            int(one.bottom * step),
            int(one.right * step),
            one.letters,
        )
        for one in sorted(found, key=lambda one: (one.top, one.left))
    ]


def _letters(shades: np.ndarray) -> list[_Letter]:
    """Light components that are drawn as letters are."""
    behind = ndimage.median_filter(shades[::2, ::2], size=11)
    behind = np.kron(behind, np.ones((2, 2), np.int16))[: shades.shape[0], : shades.shape[1]]
    light = shades - behind > CONTRAST
    labels, count = ndimage.label(light, np.ones((3, 3), bool))
    if not count:
        return []
    letters = []
    for number, place in enumerate(ndimage.find_objects(labels), 1):
        height, width = (axis.stop - axis.start for axis in place)
        if LOWEST <= height <= HIGHEST and 1 <= width <= 2.5 * height:
            letter = _letter(shades, labels[place] == number, place)
            if letter is not None:
                letters.append(letter)
    return letters


def _letter(shades: np.ndarray, inside: np.ndarray, place: Sequence[slice]) -> _Letter | None:
    height, width = inside.shape
    share = inside.mean()
    if share > 0.92 and width > 0.4 * height:
        return None  # a block
    top, left = place[0].start, place[1].start
    rows = slice(max(0, top - 2), place[0].stop + 2)
    columns = slice(max(0, left - 2), place[1].stop + 2)
    mask = np.zeros((rows.stop - rows.start, columns.stop - columns.start), bool)
    mask[
        top - rows.start : top - rows.start + height,
        left - columns.start : left - columns.start + width,
    ] = inside
    patch = shades[rows, columns]
    mask = mask[: patch.shape[0], : patch.shape[1]]
    ring = ndimage.binary_dilation(mask, np.ones((3, 3), bool), 2) & ~ndimage.binary_dilation(mask)
    if not ring.any():
        return None
    level, around = float(np.percentile(patch[mask], 75)), float(np.median(patch[ring]))
    if level - around < CONTRAST or patch[ring].std() > 0.35 * (level - around):
        return None
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    ridge = depth[mask & (depth >= ndimage.maximum_filter(depth, 3) - 1e-6)]
    if 2 * ridge.mean() > 0.45 * height or ridge.std() > EVEN_STROKE * ridge.mean():
        return None
    return _Letter(top, left, place[0].stop, place[1].stop, level)


def _lines(letters: Sequence[_Letter]) -> list[Line]:
    """Letters of one height and brightness beside each other, as lines."""
    waiting = sorted(letters, key=lambda one: one.left)
    lines: list[list[_Letter]] = []
    for letter in waiting:
        fitting = [line for line in lines if _continues(line, letter)]
        if fitting:
            max(fitting, key=lambda line: line[-1].right).append(letter)
        else:
            lines.append([letter])
    return [_as_line(line) for line in lines if _reads_as_text(line)]


def _continues(line: Sequence[_Letter], letter: _Letter) -> bool:
    before = line[-1]
    height = max(one.height for one in line[-3:])
    gap = letter.left - before.right
    overlap = min(before.bottom, letter.bottom) - max(before.top, letter.top)
    return (
        -0.3 * height <= gap <= 1.6 * height
        and overlap >= 0.45 * min(before.height, letter.height)
        and 0.45 <= letter.height / height <= 2.2
        and abs(letter.level - before.level) < 70
    )


def _reads_as_text(line: Sequence[_Letter]) -> bool:
    if len(line) < FEWEST_LETTERS:
        return False
    heights = np.array([one.height for one in line])
    bottoms = np.array([one.bottom for one in line])
    tall = float(np.median(heights))
    on_base = np.abs(bottoms - np.median(bottoms)) <= max(1.5, 0.15 * tall)
    alike = np.abs(heights - tall) <= max(1.5, 0.4 * tall)
    widths = np.array([one.width for one in line])
    return bool(
        on_base.mean() >= 0.6 and alike.mean() >= 0.6 and np.ptp(widths) + np.ptp(heights) > 0
    )


def _as_line(line: Sequence[_Letter]) -> Line:
    return Line(
        min(one.top for one in line),
        line[0].left,
        max(one.bottom for one in line),
        max(one.right for one in line),
        len(line),
    )
