"""An echo clip: (weak heart, thick wall) -> one and a half seconds of MP4, 16 frames a second.

The view is the four-chamber view from the apex: a fan with the probe on top, in it the left
ventricle as a dark egg in a bright wall. It beats by its ejection fraction: the share of its
volume that leaves with each beat, about 0.6 in health. A weak heart is also a wide one.
Coordinates: x and y in picture sides, the probe's tip at (0.5, 0).
"""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from scipy.ndimage import gaussian_filter

from data_samples.generator.state import State

FRAMES_PER_SECOND = 16
FRAMES = 24
SIDES = {"north": 128, "harbour": 112, "valley": 144}  # site: pixels


def write(path: Path, state: State, site: str, rng: np.random.Generator) -> None:
    """Write the clip of one case as the machine of a site stores it."""
    frames = beating_heart(*state.signs["clip"], side=SIDES[site], rng=rng)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=FRAMES_PER_SECOND)
        stream.width = stream.height = SIDES[site]
        stream.pix_fmt = "yuv420p"
        # one thread and no look-ahead over macroblocks: else the same clip gives other bytes
        stream.codec_context.thread_count = 1
        stream.options = {"crf": "28", "preset": "superfast"}
        for frame in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="gray")))
        file.mux(stream.encode(None))


def beating_heart(weak: float, thick: float, side: int, rng: np.random.Generator) -> np.ndarray:
    """The clip (FRAMES, side, side) uint8; both signs are standard normal."""
    x, y = _pose(side, rng)
    squeeze = _squeeze(ejection_fraction(weak), rng)
    size = 1 + 0.11 * weak + rng.normal(0, 0.03)
    wall = 0.038 + 0.007 * thick + rng.normal(0, 0.002)
    echo = np.stack([_heart(x, y, size * shrink, wall) for shrink in squeeze])
    speckle = _speckle(side, rng)
    depth = np.exp(-rng.uniform(0.3, 0.7) * y)  # less comes back from deep
    loud = 20 * np.log10(np.maximum(echo * speckle * depth, 1e-3))
    bottom = rng.uniform(-43, -39)  # dB, the machine's dynamic range
    grey = np.clip((loud - bottom) / (6 - bottom), 0, 1) * rng.uniform(0.85, 1.0)
    return np.round(255 * grey * _fan(side, rng)).astype(np.uint8)


def ejection_fraction(weak: float) -> float:
    """From 0.75 in a strong heart to 0.12 in a failing one."""
    return float(np.clip(0.46 - 0.15 * weak, 0.10, 0.75))


def _squeeze(ejected: float, rng: np.random.Generator) -> np.ndarray:
    """Length scale (FRAMES,) of the ventricle: 1 when full, cube root of what stays when empty."""
    beats = rng.uniform(1.15, 1.75)  # per second
    phase = (np.arange(FRAMES) / FRAMES_PER_SECOND * beats + rng.uniform(0, 1)) % 1
    systole = 0.38  # share of the beat in which the ventricle empties
    empty = np.where(
        phase < systole,
        np.sin(np.pi / 2 * phase / systole) ** 2,
        np.cos(np.pi / 2 * np.clip((phase - systole) / 0.45, 0, 1)) ** 2,
    )
    return (1 - ejected * empty) ** (1 / 3)


def _pose(side: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of each pixel, with the heart a little off, turned, near or far."""
    line = (np.arange(side) + 0.5) / side
    x, y = np.meshgrid(line, line)
    turn, zoom = np.radians(rng.normal(0, 4)), 1 + rng.normal(0, 0.03)
    x, y = x - 0.5 - rng.normal(0, 0.015), y - 0.5 - rng.normal(0, 0.015)
    return (
        (x * np.cos(turn) + y * np.sin(turn)) * zoom + 0.5,
        (y * np.cos(turn) - x * np.sin(turn)) * zoom + 0.5,
    )


def _heart(x: np.ndarray, y: np.ndarray, size: float, wall: float) -> np.ndarray:
    """How strongly each place sends the sound back, 0 to 1, for a ventricle of this size."""
    # volume goes with the cube of the size: length and both widths shrink alike, the apex stays
    length, width, top = 0.235 * size, 0.150 * size, 0.15
    base, septum = top + 2 * length, 0.55 - width - wall
    ventricle = _egg(x - 0.55, y - top - length, width, length)
    muscle = np.exp(-((np.maximum(ventricle, 0) / (wall / width)) ** 4))
    around = _egg(x - 0.50, y - 0.50, 0.36, 0.46)  # the heart in its sac; lung beyond it is dim
    tissue = 0.02 + 0.07 * np.exp(-((np.maximum(around, 0) / 0.25) ** 2))
    tissue += 0.20 * np.exp(-(((around - 0.05) / 0.05) ** 2))
    for chamber in (
        _egg(x - septum + 0.085, y - 0.42, 0.080, 0.20),  # right ventricle
        _egg(x - septum + 0.085, y - base - 0.10, 0.105, 0.105),  # right atrium
        _egg(x - 0.57, y - base - 0.115, 0.120, 0.105),  # left atrium
    ):
        rim = 0.18 * np.exp(-((chamber / 0.22) ** 2))
        tissue = np.where(chamber < 0, 0.014, tissue + rim)
    tissue = np.where(ventricle < 0, 0.012, np.maximum(tissue, 0.75 * muscle))
    valve = np.exp(-(((y - base) / 0.010) ** 2)) * (np.abs(x - 0.56) < width * 0.8)
    return np.maximum(tissue, 0.45 * valve)


def _egg(x: np.ndarray, y: np.ndarray, width: float, length: float) -> np.ndarray:
    """Below 0 inside an ellipse, above 0 outside, 1 at twice its size."""
    return np.hypot(x / width, y / length) - 1


def _speckle(side: int, rng: np.random.Generator) -> np.ndarray:
    """Interference of many small echoes (FRAMES, side, side): Rayleigh, mean 1, part of it moves.

    Fully developed speckle: Burckhardt, IEEE Trans Sonics Ultrason 25:1, 1978.
    """
    still = rng.standard_normal((2, 1, side, side), dtype=np.float32)
    moving = rng.standard_normal((2, FRAMES, side, side), dtype=np.float32)
    waves = gaussian_filter(0.8 * still + 0.6 * moving, (0, 0, side / 200, side / 90))
    loudness = np.hypot(*waves)
    return loudness / loudness.mean()


def _fan(side: int, rng: np.random.Generator) -> np.ndarray:
    """1 where the beam sweeps, 0 outside."""
    line = (np.arange(side) + 0.5) / side
    x, y = np.meshgrid(line - 0.5, line + 0.02)
    half = np.radians(rng.uniform(38, 44))
    inside = (np.abs(np.arctan2(x, y)) < half) & (np.hypot(x, y) < 0.99) & (np.hypot(x, y) > 0.05)
    return inside.astype(np.float32)
