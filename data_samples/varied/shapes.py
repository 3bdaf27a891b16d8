"""Shapes with soft borders on a plane, of which pictures are put together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_samples.varied.made import between, near

Array = np.ndarray


def edge(distance: Array, sharpness: float) -> Array:
    """1 inside (positive distance), 0 outside, with a soft border."""
    return 0.5 + 0.5 * np.tanh(np.float32(0.5 * sharpness) * distance)


def bell(distance: Array, width: float) -> Array:
    """A ridge of this half width."""
    return np.exp(-np.square(distance * np.float32(1 / width)))


def oval(x: Array, y: Array, at: tuple[float, float], size: tuple[float, float]) -> Array:
    """Positive inside an ellipse, 1 at its centre, 0 on its border."""
    return 1 - np.hypot((x - at[0]) / size[0], (y - at[1]) / size[1])


@dataclass(frozen=True)
class Grid:
    """Where each pixel of a picture (H, W) lies, in half sides from the centre, y down."""

    x: Array
    y: Array
    size: tuple[int, int]


def placed(
    rng: np.random.Generator,
    size: tuple[int, int],
    tilt: float,
    zoom: tuple[float, float],
    apart: float = 0.05,
) -> Grid:
    """A grid for something that lies off (`apart`), tilted (spread in degrees), near or far."""
    rows, columns = size
    y = np.linspace(-1, 1, rows, dtype=np.float32)[:, None] * np.float32(rows / max(size))
    x = np.linspace(-1, 1, columns, dtype=np.float32)[None, :] * np.float32(columns / max(size))
    turn, scale = np.radians(near(rng, 0, tilt, -3.5 * tilt, 3.5 * tilt)), between(rng, *zoom)
    x = x - np.float32(near(rng, 0, apart, -4 * apart, 4 * apart))
    y = y - np.float32(near(rng, 0, apart, -4 * apart, 4 * apart))
    cos, sin = np.float32(np.cos(turn) * scale), np.float32(np.sin(turn) * scale)
    wide = np.float32(between(rng, 0.94, 1.06))
    return Grid((x * cos + y * sin) * wide, y * cos - x * sin, size)
