"""Lung ultrasound: (patient) -> eight frames of a linear or a curved probe.

Drawn along the beams and then spread over the fan, so that shadows, A-lines and B-lines behave as
they do (Volpicelli et al., Intensive Care Med 2012;38:577-591): A-lines repeat the pleural line in
depth, B-lines start at it, do not fade and move with the lung, fluid is dark, consolidated lung
looks like liver with bright air in it.
"""

from __future__ import annotations

import numpy as np

from data_samples.varied.made import between, chance, finding, mottle, near, pick, seen
from data_samples.varied.patient import Patient
from data_samples.varied.shapes import bell, edge

Array = np.ndarray
_FRAMES, _SIDE, _BEAMS, _DEPTHS = 8, 112, 72, 104


def draw_lung(rng: np.random.Generator, patient: Patient) -> tuple[Array, dict[str, float], float]:
    """Frames (8, 112, 112) in about [0, 1], findings, seconds between frames."""
    ill = patient.states
    dense = seen(rng, max(ill["pneumonia"], 0.5 * ill["malignancy"]), 0.15) * chance(rng, 0.8)
    fluid = seen(rng, max(ill["heart_failure"], ill["malignancy"], ill["liver"]), 0.15) * chance(
        rng, 0.6
    )
    wet = seen(
        rng, max(ill["heart_failure"], 0.8 * ill["pneumonia"], 0.7 * ill["bronchiolitis"]), 0.2
    )
    rough = max(
        0.6 * dense, near(rng, 0.7 * max(ill["pneumonia"], ill["bronchiolitis"]), 0.2, 0, 1)
    )
    still = seen(rng, ill["pneumothorax"], 0.06)
    if still > 0.5:
        wet, dense = 0.0, 0.0
    lines_a = max(0.0, near(rng, 0.8 - 1.2 * max(wet, dense, fluid), 0.15, 0, 1))
    curved = chance(rng, 0.6)
    findings = {
        "b_lines": finding(wet),
        "a_lines": finding(lines_a),
        "lung_consolidation": finding(dense),
        "pleural_effusion": finding(fluid),
        "pleura_rough": finding(rough),
        "sliding_lost": finding(still),
        "curved_probe": 1.0 if curved else -1.0,
    }
    step = pick(rng, (0.05, 0.1, 0.15, 0.2, 0.3, 0.4))
    beams = _beams(rng, wet, lines_a, dense, fluid, rough, still, curved, step)
    return _spread(rng, beams, curved), findings, step


def _beams(
    rng: np.random.Generator,
    wet: float,
    lines_a: float,
    dense: float,
    fluid: float,
    rough: float,
    still: float,
    curved: bool,
    step: float,
) -> Array:
    """Echo strength (8, depths, beams) with depth along axis 1."""
    a = np.linspace(-1, 1, _BEAMS, dtype=np.float32)[None, None, :]
    d = np.linspace(0, 1, _DEPTHS, dtype=np.float32)[None, :, None]
    time = np.arange(_FRAMES, dtype=np.float32)[:, None, None] * np.float32(step)
    breath = np.sin(2 * np.pi * time / between(rng, 2.5, 5) + rng.random() * 6)
    skin = between(rng, 0.10, 0.24) if curved else between(rng, 0.18, 0.36)
    wavy = mottle(rng, (1, _BEAMS), 14)[:1][None]
    pleura = (
        skin
        + 0.006 * wavy
        + between(rng, -0.02, 0.05) * a
        + 0.012 * rough * mottle(rng, (2, _BEAMS), 4)[:1][None]
        + 0.006 * breath
    )
    ribs = np.zeros((1, 1, _BEAMS), np.float32)
    if chance(rng, 0.7):
        first, gap = between(rng, -1, -0.3), between(rng, 0.8, 1.5)
        width = between(rng, 0.10, 0.22)
        for place in (first, first + gap):
            ribs = np.maximum(ribs, edge(width - np.abs(a - place), 40))
    layers = (
        0.30
        + 0.16 * np.cos(d * between(rng, 60, 140) + 3 * a * between(rng, -0.3, 0.3))
        + 0.1 * mottle(rng, (_DEPTHS, _BEAMS), 7)[None]
    )
    above = edge(pleura - d, 120)
    echo = layers * above
    slide = np.float32((1 - still) * 0.05) * breath
    moved = _moving(rng, _BEAMS, slide)
    bright = np.clip(1 - 0.6 * rough * (moved > 0.3), 0.15, 1) * (0.85 + 0.2 * moved)
    echo = echo + bright * bell(d - pleura, 0.010 + 0.012 * rough)
    below = edge(d - pleura - 0.01, 120)
    depth = d - pleura
    haze = (0.16 + 0.06 * rng.random()) * np.exp(-np.maximum(depth, 0) * 2.2)
    lung = np.broadcast_to(haze, (1, _DEPTHS, _BEAMS)) if haze.shape[0] == 1 else haze
    if lines_a > 0:
        repeats = [
            0.75 * lines_a * 0.62**k * bell(d - (k + 1) * pleura, 0.009 + 0.003 * k)
            for k in range(1, 4)
        ]
        lung = lung + sum(repeats)
    if wet > 0.05:
        lung = np.maximum(lung, _b_lines(rng, a, depth, wet, slide))
    if dense > 0.05:
        lung = _hepatised(rng, lung, a, d, depth, dense, breath)
    if fluid > 0.05:
        lung = _fluid(rng, lung, a, depth, fluid, breath, curved)
    echo = echo + lung * below
    shadow = ribs * edge(d - skin * 0.8, 60)
    cap = ribs * bell(d - skin * 0.8, 0.012)
    return np.maximum(echo * (1 - 0.9 * shadow) + 0.8 * cap, 0)


def _moving(rng: np.random.Generator, beams: int, slide: Array) -> Array:
    """Texture along the pleura (8, 1, beams) that moves with the lung."""
    fixed = mottle(rng, (2, 2 * beams), 5)[0]
    at = np.arange(beams)[None] + beams / 2 + (slide[:, 0] * beams)
    return np.stack([np.interp(row, np.arange(2 * beams), fixed) for row in at])[:, None].astype(
        np.float32
    )


def _b_lines(rng: np.random.Generator, a: Array, depth: Array, wet: float, slide: Array) -> Array:
    number = 1 + int(wet * 6)
    lines = np.zeros((_FRAMES, 1, _BEAMS), np.float32)
    for _ in range(number):
        place, width = (
            between(rng, -0.9, 0.9),
            between(rng, 0.025, 0.05) * (1 + 3 * max(wet - 0.6, 0)),
        )
        flicker = 0.75 + 0.25 * np.sin(np.arange(_FRAMES) * between(rng, 0.3, 2) + rng.random() * 6)
        lines = np.maximum(lines, flicker[:, None, None] * bell(a - place - slide, width))
    if wet > 0.75 and chance(rng, 0.6):
        lines = np.maximum(lines, 0.75)
    return between(rng, 0.45, 0.8) * lines * (1 - 0.15 * np.clip(depth, 0, 1))


def _hepatised(
    rng: np.random.Generator,
    lung: Array,
    a: Array,
    d: Array,
    depth: Array,
    dense: float,
    breath: Array,
) -> Array:
    place, reach = between(rng, -0.5, 0.5), 0.25 + 0.55 * dense
    shred = 0.05 * mottle(rng, (_DEPTHS, _BEAMS), 6)[None]
    region = edge(
        0.10
        + 0.45 * dense
        - depth
        - 0.5 * np.square((a - place) / reach) * dense
        + shred
        - 0.01 * breath,
        45,
    )
    tissue = 0.26 + 0.07 * mottle(rng, (_DEPTHS, _BEAMS), 4)[None]
    specks = np.maximum(mottle(rng, (_DEPTHS, _BEAMS), 6) - 1.4, 0)[None] * 0.6
    rim = 0.5 * region * (1 - region) * 4
    return lung * (1 - region) + (tissue + specks) * region + 0.35 * rim


def _fluid(
    rng: np.random.Generator,
    lung: Array,
    a: Array,
    depth: Array,
    fluid: float,
    breath: Array,
    curved: bool,
) -> Array:
    side = pick(rng, (-1, 1))
    thick = (0.05 + 0.40 * fluid) * (1 + 0.1 * breath)
    floor = thick - 0.25 * (1 - fluid) * (side * a + 0.4)
    dark = edge(floor - depth, 70) * edge(depth + 0.02, 90)
    surface = 0.6 * bell(depth - floor, 0.014) * (floor > 0.02)
    lung = lung * (1 - 0.95 * dark) + surface + 0.02 * dark
    if curved and chance(rng, 0.6):  # diaphragm with liver or spleen beside the fluid
        wall = side * a - 0.35 - 0.5 * np.square(depth - 0.3) + 0.06 * breath
        organ = 0.30 + 0.06 * mottle(rng, (_DEPTHS, _BEAMS), 4)[None]
        inside = edge(wall, 40)
        lung = lung * (1 - inside) + organ * inside + 0.6 * bell(wall, 0.03)
    return lung


def _spread(rng: np.random.Generator, beams: Array, curved: bool) -> Array:
    """Beams to pictures: speckle, compression, and the fan of the probe."""
    waves = rng.standard_normal((2, *beams.shape), np.float32)
    waves = waves[..., 1:] + 0.8 * waves[..., :-1]
    waves = np.concatenate([waves, waves[..., -1:]], -1)
    grain = np.sqrt(np.square(waves).sum(0)) / np.float32(1.6)
    d = np.linspace(0, 1, beams.shape[1], dtype=np.float32)[None, :, None]
    loud = beams * (0.45 + 0.55 * grain) * np.exp(-between(rng, 0.0, 0.9) * d) + 0.02 * grain
    grey = np.log1p(loud * between(rng, 6, 18)) / np.log1p(between(rng, 9, 14))
    line = (np.arange(_SIDE, dtype=np.float32) + 0.5) / _SIDE
    x, y = line[None, :] - 0.5, line[:, None]
    if curved:
        radius, half = between(rng, 0.15, 0.5), np.radians(between(rng, 24, 40))
        zoom = between(rng, 0.95, 1.08)
        far = np.hypot(x * zoom, y + radius)
        depth = (far - radius) / np.float32(between(rng, 0.92, 1.0))
        angle = np.arctan2(x * zoom, y + radius) / np.float32(half)
    else:
        wide = between(rng, 0.3, 0.5)
        depth, angle = (
            np.broadcast_to(y / np.float32(between(rng, 0.9, 1.0)), (_SIDE, _SIDE)),
            np.broadcast_to(x / np.float32(wide), (_SIDE, _SIDE)),
        )
    inside = (np.abs(angle) < 1) & (depth > 0) & (depth < 1)
    row = np.clip(depth * (beams.shape[1] - 1), 0, beams.shape[1] - 1).astype(np.int32)
    column = np.clip((angle + 1) / 2 * (beams.shape[2] - 1), 0, beams.shape[2] - 1).astype(np.int32)
    return grey[:, row, column] * inside
