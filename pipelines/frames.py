"""From the pictures of a file, in their own units, to frames (L, C, side, side) in [0, 1].

A `Stack` is one file (or one series of slices) whose pictures are decoded on demand, so that a
file of a thousand frames costs the memory of one. Grey pictures keep their physical units until
they have been resized; then a window maps them to [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from pipelines.slices import NOWHERE, Place

# Channels that differ by no more (of 255) are noise of JPEG or video compression, not colour ...
COLOUR_NOISE = 24
# ... unless more than this share of the pixels differ (a coloured marker is not a colour image).
COLOUR_SHARE = 0.005


@dataclass(frozen=True)
class Window:
    """Grey values from `low` (black) to `high` (white); `sigmoid` bends both ends.

    See DICOM PS3.3 C.11.2.1.
    """

    low: float
    high: float
    name: str = ""
    sigmoid: bool = False

    def apply(self, picture: np.ndarray) -> np.ndarray:
        """`picture` in [0, 1] as float32, same shape."""
        width = self.high - self.low
        if self.sigmoid:
            bent = np.clip(-4 * (picture - (self.low + self.high) / 2) / width, -60, 60)
            return (1 / (1 + np.exp(bent))).astype(np.float32)
        if width <= 0:
            return (picture > self.low).astype(np.float32)
        return np.clip((picture - self.low) / width, 0, 1).astype(np.float32)


@dataclass(frozen=True)
class Stack:
    """The pictures of one file or of one series of slices.

    `pictures(indices)` yields, for ascending indices, grey (H, W) float32 in the file's units or
    colour (H, W, 3) uint8. `size` is (rows, columns); `aspect` is the height of a pixel over its
    width. `windows` holds a window for each picture where they differ. `series` and `place` tell
    which single slices belong together, `instance` which of them are the same one twice. `seconds`
    is the time of each picture where there is time. `about` are facts for captions, none of them
    about the person. `noted` is filled while pictures are decoded, with what was found on the way,
    and `broken` with what could not be decoded whole.
    """

    name: str
    file: str
    count: int
    size: tuple[int, int]
    pictures: Callable[[Sequence[int]], Iterable[np.ndarray]]
    window: Window | None = None
    windows: tuple[Window | None, ...] = ()
    inverted: bool = False
    hounsfield: bool = False
    aspect: float = 1.0
    spacing_mm: tuple[float, float] | None = None
    seconds: tuple[float, ...] = ()
    about: tuple[str, ...] = ()
    series: tuple[object, ...] = ()
    place: Place = NOWHERE
    instance: str = ""
    remarks: tuple[str, ...] = ()
    noted: list[str] = field(default_factory=list)
    broken: set[int] = field(default_factory=set)

    def window_of(self, index: int) -> Window | None:
        """The file's own window of one picture."""
        return self.windows[index] if self.windows else self.window


def evenly(count: int, wanted: int) -> list[int]:
    """Indices of `wanted` of `count` items, the middles of equal stretches; all if too few."""
    wanted = min(count, wanted)
    return [int((place + 0.5) * count / wanted) for place in range(wanted)]


def share(counts: Sequence[int], places: int) -> list[int]:
    """How many of `places` each of several stacks gets: equal; what one leaves, the others get."""
    given = [0] * len(counts)
    while places > 0 and any(given[i] < counts[i] for i in range(len(counts))):
        for i in sorted(range(len(counts)), key=lambda i: given[i]):
            if given[i] < counts[i] and places > 0:
                given[i] += 1
                places -= 1
    return given


def plausible(aspect: float) -> float:
    """An aspect that a scanner may have; beyond a factor of 20 it is a mistake in the header."""
    return aspect if 0.05 <= aspect <= 20 else 1.0


def shrink(picture: np.ndarray, side: int, aspect: float = 1.0) -> np.ndarray:
    """A picture fitted into `side` x `side`, its proportions kept: averaged over areas.

    Grey (H, W) gives float32, colour (H, W, 3) uint8. Smaller pictures are enlarged smoothly.
    """
    height, width = picture.shape[:2]
    scale = side / max(height * aspect, width)
    size = (max(1, round(width * scale)), max(1, round(height * aspect * scale)))
    if size == (width, height):
        return picture
    smaller = size[0] < width or size[1] < height
    method = Image.Resampling.BOX if smaller else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(picture).resize(size, method))


def pad(picture: np.ndarray, side: int) -> np.ndarray:
    """`picture` in the middle of a black square of `side` pixels."""
    height, width = picture.shape[:2]
    square = np.zeros((side, side, *picture.shape[2:]), picture.dtype)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = picture
    return square


def is_grey(picture: np.ndarray) -> bool:
    """True if a picture, (H, W) or (H, W, 3) uint8, has no colour beyond compression noise."""
    if picture.ndim == 2:
        return True
    red, green, blue = (picture[..., channel] for channel in range(3))
    highest = np.maximum(np.maximum(red, green), blue)
    spread = highest - np.minimum(np.minimum(red, green), blue)
    return bool((spread > COLOUR_NOISE).mean() <= COLOUR_SHARE)


def to_grey(picture: np.ndarray) -> np.ndarray:
    """The brightness of a picture (ITU-R BT.601), float32; grey pictures as they are."""
    if picture.ndim == 2:
        return picture
    return picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)


def percentiles(pictures: Sequence[np.ndarray], low: float, high: float, name: str = "") -> Window:
    """The window between two percentiles of all `pictures` together."""
    values = np.concatenate([picture.ravel() for picture in pictures])
    black, white = np.percentile(values, [low, high])
    if white <= black:
        black, white = values.min(), values.max()
    return Window(float(black), float(white), name)


def are_sensible(windows: Sequence[Window], pictures: Sequence[np.ndarray]) -> bool:
    """False for windows, one a picture, that would show blank or nearly flat pictures.

    Files carry windows left over from another rescale: at least 2 % of the pixels must lie inside,
    and the bulk of the pictures must fill 5 % of the window.
    """
    if not all(window.high > window.low for window in windows):
        return False
    values = np.concatenate(
        [
            ((picture - window.low) / (window.high - window.low)).ravel()
            for window, picture in zip(windows, pictures, strict=True)
        ]
    )
    inside = ((values > 0) & (values < 1)).mean()
    bulk = np.subtract(*np.percentile(values, [99, 1]))
    return bool(inside >= 0.02 and bulk >= 0.05)


def grey_window(
    stack: Stack, indices: Sequence[int], pictures: Sequence[np.ndarray], remarks: list[str]
) -> Callable[[int], Window]:
    """The window of each grey picture of a stack: the file's own, else 1st to 99th percentile.

    Decided on the `pictures` that have these `indices`.
    """
    own = [stack.window_of(index) for index in indices]
    told = [window for window in own if window is not None]
    if len(told) == len(own) and are_sensible(told, pictures):
        return lambda index: stack.window_of(index) or told[0]
    window = percentiles(pictures, 1, 99, "1st to 99th percentile")
    if window.high <= window.low:
        remarks.append(f"{stack.file}: one grey value throughout, so there is nothing to see.")
        flat = Window(window.low, window.low + 1)
        return lambda index: flat
    why = " because its own window would show a blank picture" if len(told) == len(own) else ""
    remarks.append(f"{stack.file}: brightness stretched from 1st to 99th percentile{why}.")
    return lambda index: window


def look(
    stack: Stack, indices: Sequence[int], pictures: Sequence[np.ndarray], remarks: list[str]
) -> Callable[[int, np.ndarray], np.ndarray]:
    """How to show the pictures of a stack: a function of index and picture to [0, 1] float32.

    Decided on some `pictures`, which have these `indices`. Colour within the noise of compression
    becomes grey, real colour stays, grey is windowed.
    """
    if not all(is_grey(picture) for picture in pictures):
        return lambda index, picture: picture / np.float32(255)
    window = grey_window(stack, indices, [to_grey(picture) for picture in pictures], remarks)
    if stack.inverted:
        return lambda index, picture: 1 - window(index).apply(to_grey(picture))
    return lambda index, picture: window(index).apply(to_grey(picture))


def render(stack: Stack, indices: Sequence[int], side: int, remarks: list[str]) -> list[np.ndarray]:
    """Pictures of a stack as a person or a network sees them, float32 in [0, 1].

    Grey ones are (h, w), coloured ones (h, w, 3); the longer side has `side` pixels. No padding.
    """
    pictures = [shrink(each, side, stack.aspect) for each in stack.pictures(indices)]
    remarks.extend(stack.remarks)
    remarks.extend(dict.fromkeys(stack.noted))
    show = look(stack, indices, pictures, remarks)
    return [show(index, each) for index, each in zip(indices, pictures, strict=True)]


def eight_bits(picture: np.ndarray) -> np.ndarray:
    """A picture in [0, 1] as uint8."""
    eight: np.ndarray = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    return eight


def assemble(pictures: Sequence[np.ndarray], side: int) -> np.ndarray:
    """Pictures in [0, 1] as frames (L, C, side, side) float32; C is 1 if all are grey, else 3."""
    colour = any(picture.ndim == 3 for picture in pictures)
    frames = np.zeros((len(pictures), 3 if colour else 1, side, side), np.float32)
    for frame, picture in zip(frames, pictures, strict=True):
        square = pad(picture, side)
        frame[:] = square.transpose(2, 0, 1) if square.ndim == 3 else square
    return np.clip(frames, 0, 1)


def seconds_between(stack: Stack, indices: Sequence[int]) -> float | None:
    """The mean time from one chosen picture to the next, None where time is not known."""
    if not stack.seconds or len(indices) < 2:
        return None
    whole = stack.seconds[indices[-1]] - stack.seconds[indices[0]]
    return whole / (len(indices) - 1) if whole > 0 else None


def fitted_spacing(stack: Stack, side: int) -> tuple[float, float] | None:
    """Millimetres per pixel (row, column) once the pictures were fitted into `side` pixels."""
    if stack.spacing_mm is None:
        return None
    rows, columns = stack.size
    scale = max(rows * stack.aspect, columns) / side
    return stack.spacing_mm[0] / stack.aspect * scale, stack.spacing_mm[1] * scale
