"""How a chest is built: trunk, lungs, heart and vessels, bones, as densities on a grid.

Coordinates: x to the viewer's right (the patient's left), y down, in half sides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_samples.varied.made import between, chance, mottle, near
from data_samples.varied.patient import Patient
from data_samples.varied.shapes import Array, Grid, bell, edge


@dataclass(frozen=True)
class Chest:
    """The build of one chest on one film, in half sides of the picture."""

    wide: float  # outer edge of the lungs
    top: float
    floor: float  # domes of the diaphragm
    flat: float  # 1 is a flat diaphragm
    middle: float  # half width of the mediastinum
    young: float  # 1 in a newborn, 0 in an adult
    shift: float  # of the mediastinum, positive to the viewer's right


def body(grid: Grid, rng: np.random.Generator, chest: Chest, patient: Patient) -> Array:
    """Trunk, neck, shoulders and arms; breasts where there are any."""
    x, y = grid.x, grid.y
    out = np.abs(x)
    wide = chest.wide + between(rng, 0.07, 0.16) + 0.05 * patient.habitus
    neck = between(rng, 0.18, 0.28)
    slope = np.clip((y - chest.top + between(rng, 0.12, 0.3)) * between(rng, 3.0, 7.0), 0, 1)
    half = neck + (wide + between(rng, 0.2, 0.8) * np.clip(-0.25 - y, 0, 0.5) - neck) * np.sqrt(
        slope
    )
    body = (1 + 0.08 * patient.habitus) * (
        0.72 + 0.28 * np.sqrt(np.clip(1 - np.square(x / half), 0, 1))
    )
    body *= edge(half - out, 40)
    if chance(rng, 0.25 + 0.5 * chest.young):  # arms beside the trunk, or raised in a baby
        lean = between(rng, -0.5, 0.3)
        arm = out - (wide + 0.20 + lean * y)
        body = np.maximum(body, 0.5 * bell(arm, 0.11) + 0.25 * bell(arm, 0.035))
    if patient.female and patient.age > 14:
        drop, far = between(rng, 0.25, 0.5), between(rng, 0.35, 0.5)
        reach = np.hypot((out - far) / 0.26, (y - drop) / 0.24)
        body += between(rng, 0.04, 0.14) * edge(1 - reach, 8) * (body > 0.1)
    if patient.age > 0.3:
        body += (
            0.10
            * bell(out - between(rng, 0.5, 0.6), 0.03)
            * edge(-0.45 - y + 0.8 * (out - 0.55), 20)
        )
    belly = y - chest.floor - 0.2
    body += 0.10 * edge(belly, 8) * (body > 0.1)
    if chance(rng, 0.6):  # gas in the stomach, below the left dome
        spot = np.hypot((x - 0.32) / between(rng, 0.08, 0.2), (y - chest.floor - 0.22) / 0.09)
        body -= between(rng, 0.15, 0.45) * edge(1 - spot, 7) * (body > 0.1)
    if chest.young > 0.3 and chance(rng, 0.5):
        body -= (
            0.18
            * np.maximum(mottle(rng, grid.size, grid.size[0] / 14), 0)
            * edge(belly - 0.05, 20)
            * (body > 0.1)
        )
    return np.maximum(body, 0)


def lung(grid: Grid, rng: np.random.Generator, chest: Chest, side: int, lost: float) -> Array:
    """Air on the way, 0 to 1, in the lung of a side (-1 is the patient's right)."""
    x, y = grid.x * side, grid.y
    floor = chest.floor + (0.04 if side > 0 else 0) - 0.22 * lost + near(rng, 0, 0.02, -0.05, 0.05)
    wide = chest.wide - 0.08 * lost
    rise = (y - chest.top) * np.float32(1 / (floor + 0.2 - chest.top))
    outer = wide * np.sqrt(np.clip(1 - np.square((0.68 - rise) * 0.85), 0.05, 1))
    inner = 0.35 * chest.middle + side * chest.shift
    apex = y - chest.top - between(rng, 1.2, 2.4) * np.square(x - 0.33)
    across = (x - inner) / np.maximum(outer - inner, 0.05)
    slope = (1 - 0.75 * chest.flat) * np.square(x - 0.36) * (0.5 + 1.8 * (x > 0.36))
    inside = edge(outer - x, 45) * edge(x - inner, 40) * edge(floor + slope - y, 45)
    return inside * edge(apex, 22) * np.clip(0.62 + 1.5 * across * (1 - across), 0.45, 1)


def middle(
    grid: Grid, rng: np.random.Generator, chest: Chest, findings: dict[str, float]
) -> tuple[Array, Array]:
    """Heart, great vessels, thymus of the young: 1 where they hide the lung; and the windpipe."""
    x, y = grid.x - np.float32(chest.shift), grid.y
    ratio = 0.46 + 0.075 * findings["heart_size"] + 0.05 * chest.young
    whole = 2 * ratio * chest.wide - 0.05 * max(findings["hyperinflation"], 0)
    low = chest.floor + 0.02
    lean = between(rng, 0.45, 0.8) * (1 - 0.3 * max(findings["hyperinflation"], 0))
    tall = near(rng, 0.34, 0.02, 0.28, 0.4) * whole
    cos, sin = np.float32(np.cos(lean)), np.float32(np.sin(lean))
    dx, dy = x - 0.17 * whole, y - low + 0.36 * whole
    ventricle = 1 - np.hypot((dx * cos + dy * sin) / (0.54 * whole), (dy * cos - dx * sin) / tall)
    atrium = 1 - np.hypot(
        (x + 0.04 * whole) / (0.29 * whole), (y - low + 0.36 * whole) / (0.36 * whole)
    )
    knob = 1 - np.hypot((x - 0.09) / (0.10 - 0.03 * chest.young), (y + 0.33) / 0.11)
    trunk = 1 - np.hypot((x - 0.10) / 0.10, (y + 0.14) / 0.14)
    half = chest.middle * (between(rng, 0.75, 1.1) + 0.3 * np.clip(y + 0.4, 0, 1))
    middle = np.maximum(
        edge(np.maximum(ventricle, atrium), 22), edge(half - np.abs(x), 45) * edge(low - y, 20)
    )
    if chest.young < 0.6:
        middle = np.maximum(middle, edge(np.maximum(knob, trunk), 12))
    elif chance(rng, 0.6):
        sail = 1 - np.abs((x + 0.03) / between(rng, 0.2, 0.36)) - np.abs((y + 0.22) / 0.45)
        middle = np.maximum(middle, edge(sail, 14))
    windpipe = bell(x + 0.01 - 0.5 * chest.shift, 0.04) * edge(-0.2 - y, 20)
    return middle, windpipe


def vessels(
    grid: Grid, rng: np.random.Generator, air: Array, chest: Chest, findings: dict[str, float]
) -> Array:
    """Hila and branching markings; fluid and thickened walls make them coarse and wide."""
    out, y = np.abs(grid.x - np.float32(chest.shift)), grid.y
    reach = np.hypot((out - 0.17) / 0.9, y - 0.03)
    full, mesh = (findings[key] * 0.5 + 0.5 for key in ("congestion", "interstitial"))
    texture = mottle(rng, grid.size, grid.size[0] / 60)
    threads = np.maximum(1 - 2.2 * np.abs(mottle(rng, grid.size, grid.size[0] / 26)), 0)
    marks = 0.03 * np.maximum(texture, 0) + 0.10 * threads
    marks = marks * np.exp(-reach / (0.28 + 0.5 * full))
    hilum = bell(reach, 0.13 + 0.07 * full) * (0.10 + 0.16 * full) * (1 + 0.5 * texture)
    wings = 0.24 * full * bell(reach - 0.10, 0.26) * (1 + 0.3 * texture)
    fine = np.maximum(1 - 1.8 * np.abs(mottle(rng, grid.size, grid.size[0] / 48)), 0)
    net = mesh * (0.10 * threads + 0.20 * fine + 0.08 * np.abs(texture) + 0.06) * edge(y + 0.6, 6)
    kerley = 0.0
    if full > 0.55:
        lines = np.maximum(np.cos(y * between(rng, 70, 110)), 0) ** 6
        kerley = 0.10 * full * lines * bell(out - chest.wide + 0.10, 0.07) * edge(y - 0.1, 12)
    return air * (marks * (1 + full) + hilum + wings + net + kerley)


def bones(
    grid: Grid, rng: np.random.Generator, chest: Chest, body: Array, findings: dict[str, float]
) -> Array:
    """Ribs behind and in front, clavicles, spine, shoulder blades."""
    x, y = grid.x, grid.y
    bend = near(rng, 0, 0.04, -0.12, 0.12)  # scoliosis
    x = x - np.float32(bend) * np.cos(2.5 * y)
    out = np.abs(x)
    strong = between(rng, 0.6, 1.25) * (1 - 0.25 * chest.young)
    gap = near(rng, 0.165 + 0.02 * max(findings["hyperinflation"], 0), 0.012, 0.13, 0.2)
    start = between(rng, 0, gap)
    steep = between(rng, 0.25, 0.6) * (1 - 0.6 * chest.young)
    cage = (
        edge(chest.wide + 0.03 - out, 45)
        * edge(chest.floor + 0.25 - y, 10)
        * edge(y - chest.top, 20)
    )
    behind = _bands(y - start - steep * np.square(out - 0.1) * 1.2 - 0.06 * out, gap, out - 0.07)
    front = _bands(y - start - steep * 1.1 * (chest.wide - out), gap, out - 0.30)
    ribs = (0.13 * behind + (0.07 - 0.05 * chest.young) * front) * cage
    lift = between(rng, -0.08, 0.12)
    collar = y - chest.top - 0.14 + lift * out - 0.10 * bell(out, 0.25) + 0.06 * np.sin(6 * out)
    clavicle = bell(collar, 0.03) * edge(0.66 - out, 25) * edge(out - 0.06, 40)
    discs = np.cos(y * (2 * np.pi / between(rng, 0.10, 0.16)))
    spine = edge(0.075 - out, 60) * (0.07 + 0.03 * discs)
    line = 0.05 * bell(out - 0.45 - 0.25 * (y + 0.3), 0.02) * edge(0.2 - y, 10) * edge(y + 0.55, 10)
    return strong * (ribs + 0.17 * clavicle + spine + line) * (body > 0.05)


def _bands(height: Array, gap: float, reach: Array) -> Array:
    """Rib-like bands with brighter rims, one every `gap`, where `reach` is positive."""
    phase = np.abs((height * np.float32(1 / gap)) % 1 - 0.5) * 2
    return (0.6 * edge(0.45 - phase, 13) + 0.5 * bell(phase - 0.38, 0.12)) * edge(reach, 40)
