"""Echo clips: (patient) -> eight frames of a beating heart in one of three views.

The left ventricle's size follows its volume over the beat; a fan, speckle and gain make the rest.
Normal values as in Lang et al., J Am Soc Echocardiogr 2015;28:1-39.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter

from data_samples.varied.made import between, chance, finding, mottle, near, pick, seen, signed
from data_samples.varied.patient import Patient
from data_samples.varied.shapes import bell, edge

Array = np.ndarray
_FRAMES, _SIDE = 8, 112


def draw_echo(rng: np.random.Generator, patient: Patient) -> tuple[Array, dict[str, float], float]:
    """Frames (8, 112, 112) in about [0, 1], findings, seconds between frames."""
    ill = patient.states
    weak = near(rng, 1.1 * ill["heart_failure"] - 0.1, 0.22, -0.3, 1.1)
    ejected = min(max(0.64 - 0.48 * max(weak, -0.2), 0.1), 0.78)
    size = near(rng, 0.55 * max(weak, 0) + 0.3 * ill["valve"], 0.25, -0.6, 1.2)
    thick = near(rng, 0.6 * max(ill["kidney"], ill["valve"]), 0.35, -0.8, 1.4)
    sac = seen(rng, 0.5 * max(ill["malignancy"], ill["kidney"]), 0.08) if chance(rng, 0.4) else 0.0
    patchy = seen(rng, ill["heart_failure"], 0.1) if chance(rng, 0.4) else 0.0
    pulse = near(rng, 75 + 50 * np.exp(-patient.age / 4) + 45 * ill["shock"], 10, 45, 180)
    step = pick(rng, (0.033, 0.04, 0.06, 0.08, 0.1))
    phase = (np.arange(_FRAMES) * step * pulse / 60 + rng.random()) % 1
    empty = np.where(
        phase < 0.38,
        np.sin(np.pi / 2 * phase / 0.38) ** 2,
        np.cos(np.pi / 2 * np.clip((phase - 0.38) / 0.42, 0, 1)) ** 2,
    )
    squeeze = ((1 - ejected * empty) ** (1 / 3)).astype(np.float32)
    view = pick(rng, (_apical, _apical, _short_axis, _long_axis))
    x, y = _pose(rng)
    wall = 0.042 + 0.020 * thick
    still = patchy * pick(rng, (-1, 1))
    open_valve = np.clip(np.sin(np.pi * (phase - 0.45) / 0.5), 0, 1)
    echo = np.stack(
        [
            view(x, y, 1 + 0.16 * size, s, wall, still, sac, v)
            for s, v in zip(squeeze, open_valve, strict=True)
        ]
    )
    shown = _shown(rng, echo.astype(np.float32))
    findings = {
        "ejection_low": signed(2 * (0.64 - ejected) / 0.5 - 1),
        "ventricle_wide": signed(size),
        "wall_thick": signed(thick),
        "pericardial_effusion": finding(sac),
        "wall_motion_patchy": finding(patchy),
        "echo_rate": signed((pulse - 95) / 55),
    }
    return shown, findings, step


def _pose(rng: np.random.Generator) -> tuple[Array, Array]:
    line = (np.arange(_SIDE, dtype=np.float32) + 0.5) / _SIDE
    turn, zoom = np.radians(near(rng, 0, 9, -25, 25)), between(rng, 0.85, 1.2)
    x = line[None, :] - 0.5 - np.float32(near(rng, 0, 0.03, -0.1, 0.1))
    y = line[:, None] - 0.5 - np.float32(near(rng, 0, 0.03, -0.1, 0.1))
    if chance(rng, 0.2):
        x = -x
    cos, sin = np.float32(np.cos(turn) * zoom), np.float32(np.sin(turn) * zoom)
    return x * cos + y * sin + 0.5, y * cos - x * sin + 0.5


def _egg(x: Array, y: Array, wide: float, long: float) -> Array:
    return np.hypot(x / wide, y / long) - 1


def _muscle(inside: Array, wall: float, wide: float) -> Array:
    return np.exp(-np.power(np.maximum(inside, 0) / (wall / wide), 4))


def _apical(
    x: Array,
    y: Array,
    size: float,
    squeeze: float,
    wall: float,
    still: float,
    sac: float,
    valve: float,
) -> Array:
    """Four chambers from the apex."""
    long, wide, top = 0.23 * size * squeeze, 0.145 * size * squeeze, 0.14
    x = x + still * (1 - squeeze) * 0.12 * ((x - 0.55) * still > 0)
    base, septum = top + 2 * long, 0.55 - wide - wall
    left = _egg(x - 0.55, y - top - long, wide, long)
    tissue = 0.05 + 0.05 * edge(-_egg(x - 0.5, y - 0.5, 0.4, 0.48), 12)
    for at in (
        (septum - 0.085, 0.42, 0.085, 0.2),
        (septum - 0.085, base + 0.11, 0.11, 0.11),
        (0.57, base + 0.12, 0.12 + 0.03 * (size - 1), 0.11),
    ):
        inside = _egg(x - at[0], y - at[1], at[2], at[3])
        tissue = np.where(inside < 0, 0.015, tissue + 0.2 * bell(inside, 0.2))
    if sac > 0:
        around = _egg(x - 0.5, y - 0.42, 0.30 + 0.05 * size, 0.36)
        tissue = tissue * (
            1 - 0.9 * bell(around - 0.10 - 0.1 * sac, 0.05 + 0.12 * sac)
        ) + 0.4 * bell(around - 0.25 - 0.25 * sac, 0.03)
    tissue = np.where(left < 0, 0.012, np.maximum(tissue, 0.75 * _muscle(left, wall, wide)))
    leaf = np.abs(np.abs(x - 0.56) - wide * 0.8 * (1 - 0.9 * valve))
    return np.maximum(
        tissue,
        0.5
        * bell(y - base + 0.08 * valve * bell(x - 0.56, 0.1), 0.010)
        * (leaf > 0.03)
        * (np.abs(x - 0.56) < wide),
    )


def _short_axis(
    x: Array,
    y: Array,
    size: float,
    squeeze: float,
    wall: float,
    still: float,
    sac: float,
    valve: float,
) -> Array:
    """A ring of muscle seen from below, the right ventricle beside it."""
    shift = 0.35 * still * (1 - squeeze) * 0.2
    inside = _egg(x - 0.54 - shift, y - 0.5, 0.17 * size * squeeze, 0.17 * size * squeeze)
    muscle = _muscle(inside, 1.5 * wall + 0.03 * (1 - squeeze), 0.17 * size)
    tissue = 0.07 + 0.02 * np.cos(9 * y)
    right = _egg(x - 0.27, y - 0.42, 0.14, 0.24)
    tissue = np.where(right < 0, 0.015, tissue + 0.2 * bell(right, 0.15))
    if sac > 0:
        tissue = tissue * (
            1
            - 0.9
            * edge(_egg(x - 0.54, y - 0.5, 0.25 * size, 0.25 * size), 20)
            * edge(0.3 + 0.6 * sac - _egg(x - 0.54, y - 0.5, 0.25 * size, 0.25 * size), 20)
        )
    knob = sum(bell(np.hypot(x - 0.54 - s * 0.09 * squeeze, y - 0.57), 0.028) for s in (-1, 1))
    return np.where(inside < 0, 0.012 + 0.5 * knob, np.maximum(tissue, 0.75 * muscle))


def _long_axis(
    x: Array,
    y: Array,
    size: float,
    squeeze: float,
    wall: float,
    still: float,
    sac: float,
    valve: float,
) -> Array:
    """Parasternal long axis: ventricle to the left, atrium and aorta to the right."""
    wide = 0.13 * size * squeeze
    inside = _egg(
        x - 0.36, y - 0.5 - 0.06 * still * (1 - squeeze), 0.27 * size**0.5 * squeeze**0.5, wide
    )
    tissue = 0.06 + 0.03 * np.cos(7 * y)
    for at in (
        (0.42, 0.27, 0.25, 0.075),
        (0.74, 0.40, 0.16, 0.07),
        (0.76, 0.62, 0.13, 0.12 + 0.04 * (size - 1)),
    ):
        room = _egg(x - at[0], y - at[1], at[2], at[3])
        tissue = np.where(room < 0, 0.015, tissue + 0.25 * bell(room, 0.15))
    if sac > 0:
        tissue = tissue * (1 - 0.95 * bell(y - 0.70 - 0.10 * size - 0.04 * sac, 0.02 + 0.06 * sac))
    tissue = np.where(inside < 0, 0.012, np.maximum(tissue, 0.75 * _muscle(inside, wall, wide)))
    leaf = bell(x - 0.60 + 0.12 * valve, 0.012) * edge(0.10 - np.abs(y - 0.53), 60) + bell(
        x - 0.66, 0.01
    ) * edge(0.06 - np.abs(y - 0.41), 60) * (1 - valve)
    return np.maximum(tissue, 0.5 * leaf)


def _shown(rng: np.random.Generator, echo: Array) -> Array:
    """With speckle that partly moves, haze, walls that drop out, a dynamic range, and the fan."""
    size = (_SIDE, _SIDE)
    drop = np.clip(1.05 + 0.45 * mottle(rng, size, between(rng, 12, 30)), 0.12, 1.5)
    haze = np.float32(between(rng, 0.004, 0.05)) * np.clip(1 + mottle(rng, size, 26), 0.1, 4)
    echo = uniform_filter(echo * drop, (1, 3, _beam(rng))) + haze
    waves = rng.standard_normal((2, 1, *size), np.float32) + 0.7 * rng.standard_normal(
        (2, _FRAMES, *size), np.float32
    )
    waves[..., 1:] += between(rng, 0.5, 1.2) * waves[..., :-1]
    waves[..., 1:] += between(rng, 0.2, 0.9) * waves[..., :-1]
    grain = np.sqrt(np.square(waves).sum(0))
    loud = echo * grain / grain.mean()
    line = (np.arange(_SIDE, dtype=np.float32) + 0.5) / _SIDE
    loud = loud * np.exp(-np.float32(between(rng, 0, 1.2)) * line[:, None])
    bottom, top = between(rng, -46, -36), between(rng, -6, 2)
    grey = np.clip((20 * np.log10(np.maximum(loud, 1e-3)) - bottom) / (top - bottom), 0, 1)
    half, tip = np.radians(between(rng, 34, 46)), between(rng, 0.0, 0.06)
    x, y = line[None, :] - 0.5, line[:, None] + np.float32(0.03 - tip)
    far = np.hypot(x, y)
    fan = (np.abs(np.arctan2(x, y)) < half) & (far < between(rng, 0.9, 1.02)) & (far > 0.03)
    return grey * fan


def _beam(rng: np.random.Generator) -> int:
    """How many pixels a beam is wide."""
    return int(pick(rng, (3, 3, 5, 7)))
