"""What illness and treatment add to a chest film, as densities on its grid.

Signs after Hansell et al., Fleischner Society glossary, Radiology 2008;246:697-722.
"""

from __future__ import annotations

import numpy as np

from data_samples.varied.chest_build import Chest
from data_samples.varied.made import between, chance, mottle, pick
from data_samples.varied.shapes import Array, Grid, bell, edge


def shadows(
    grid: Grid,
    rng: np.random.Generator,
    chest: Chest,
    lung: Array,
    side: int,
    findings: dict[str, float],
) -> Array:
    """Consolidation, nodules and fluid of one lung."""
    x, y = grid.x * side, grid.y
    added = np.zeros(grid.size, np.float32)
    dense = findings["consolidation"] * 0.5 + 0.5
    if dense > 0.1 and findings["consolidation_side"] in (0.0, float(side)):
        added += (0.3 + 0.9 * dense) * _consolidation(grid, rng, chest, side, findings)
    lumps = findings["nodules"] * 0.5 + 0.5
    if lumps > 0.1:
        for _ in range(1 + int(5 * lumps)):
            size = between(rng, 0.035, 0.06 + 0.10 * lumps)
            at = between(rng, 0.22, 0.62), between(rng, -0.5, 0.4)
            added += between(rng, 0.3, 0.5) * edge(
                1 - np.hypot((x - at[0]) / size, (y - at[1]) / size), 6
            )
    added = added * np.clip(1.4 * lung, 0, 1)
    fluid = findings["effusion_left" if side > 0 else "effusion_right"] * 0.5 + 0.5
    if fluid > 0.02:
        level = chest.floor + 0.22 - 0.62 * fluid
        if chance(rng, 0.25):  # lying: a veil over the whole side
            added += 0.28 * fluid * lung
        else:
            rim = level - 0.9 * np.square(np.maximum(x - 0.30, 0)) / (0.2 + chest.wide - 0.30)
            wet = edge(y - rim, 22) * edge(x - 0.14, 20) * edge(chest.wide + 0.02 - x, 40)
            added += (0.25 + 0.35 * fluid) * wet * edge(chest.floor + 0.4 - y, 10)
    return added


def _consolidation(
    grid: Grid, rng: np.random.Generator, chest: Chest, side: int, findings: dict[str, float]
) -> Array:
    x, y = grid.x * side, grid.y
    zone = findings["consolidation_zone"]
    centre = chest.top + 0.25 + (zone + 1) / 2 * (chest.floor - chest.top - 0.25)
    rough = mottle(rng, grid.size, grid.size[0] / 20)
    if findings["consolidation_lobar"] > 0:
        reach = np.hypot(
            (x - between(rng, 0.36, 0.48)) / between(rng, 0.22, 0.36),
            (y - centre) / between(rng, 0.2, 0.36),
        )
        cloud = edge(1 - reach + 0.12 * rough, between(rng, 6, 14))
        if chance(rng, 0.5):  # a fissure cuts it off sharply
            cut = (y - centre) * pick(rng, (-1, 1)) + 0.08
            cloud = cloud * edge(cut, 45)
        bronchi = np.maximum(1 - 4 * np.abs(mottle(rng, grid.size, grid.size[0] / 12)), 0)
        return 0.58 * cloud * (1 - 0.25 * bronchi)
    if findings["consolidation_patchy"] > 0:
        where = bell(y - centre, 0.45) * bell(x - 0.38, 0.35)
        patches = edge(mottle(rng, grid.size, grid.size[0] / between(rng, 6, 11)) - 0.35, 5)
        return 0.6 * patches * where
    outside = edge(x - chest.wide + 0.26 + 0.05 * rough, 12) * bell(y - centre, 0.42)
    return 0.5 * outside * np.clip(0.8 + 0.35 * rough, 0.2, 1.5)


def collapse(
    grid: Grid,
    rng: np.random.Generator,
    chest: Chest,
    lungs: dict[int, Array],
    findings: dict[str, float],
) -> Array | float:
    """Plate-like or wedge-shaped loss of air."""
    lost = findings["atelectasis"] * 0.5 + 0.5
    if lost < 0.1:
        return 0.0
    side = int(findings["atelectasis_side"])
    x, y = grid.x * side, grid.y
    shade = np.zeros(grid.size, np.float32)
    for _ in range(1 + int(2.5 * lost)):
        slant, at = between(rng, -0.35, 0.35), chest.floor - between(rng, 0.06, 0.32)
        shade += between(rng, 0.14, 0.3) * bell(
            y - at - slant * (x - 0.4), between(rng, 0.012, 0.03)
        )
    if lost > 0.5:
        wedge = edge(0.5 * (y - chest.floor + 0.55) - (x - chest.middle), 18)
        shade += 0.4 * lost * wedge * edge(y - 0.0, 10)
    return shade * lungs[side]


def free_air(
    grid: Grid,
    rng: np.random.Generator,
    chest: Chest,
    lungs: dict[int, Array],
    density: Array,
    findings: dict[str, float],
) -> Array:
    """Pneumothorax: a thin line, and beyond it neither markings nor shadows of the lung."""
    free = findings["pneumothorax"] * 0.5 + 0.5
    if free < 0.05:
        return density
    side = int(findings["pneumothorax_side"])
    x, y = grid.x * side, grid.y
    depth = 0.06 + 0.40 * free
    rim = (
        chest.wide - depth + 0.10 * (y - chest.top - 0.3) - 0.4 * np.square(np.minimum(y + 0.45, 0))
    )
    beyond = edge(x - rim, 60) * np.clip(1.5 * lungs[side], 0, 1)
    line = 0.11 * bell(x - rim, 0.014) * np.clip(1.5 * lungs[side], 0, 1)
    packed = 0.14 * free * edge(rim - x, 20) * lungs[side]
    inside = density[lungs[side] > 0.5]
    dark = np.float32(np.percentile(inside, 8)) if inside.size else np.float32(0)
    bare = density - 0.55 * beyond * np.maximum(density - dark, 0)
    return bare + line + packed - 0.12 * beyond


def devices(
    grid: Grid, rng: np.random.Generator, chest: Chest, findings: dict[str, float]
) -> Array:
    """Tube in the windpipe, feeding tube, central line, pacemaker, electrodes."""
    x, y = grid.x, grid.y
    metal = np.zeros(grid.size, np.float32)
    if findings["tube"] > 0:
        tip = between(rng, -0.42, -0.18)
        metal += 0.32 * bell(np.abs(x + 0.01) - 0.018, 0.012) * edge(tip - y, 60)
        if chance(rng, 0.6):
            path = x - 0.03 - 0.30 * np.square(np.maximum(y, 0))
            metal += 0.30 * bell(path, 0.014) * edge(between(rng, 0.5, 0.9) - y, 60)
    if findings["line"] > 0:
        side = pick(rng, (-1, 1, -1))
        tip = between(rng, -0.15, 0.08)
        bend = -0.10 + side * 0.5 * np.square(np.clip(-0.38 - y, 0, 1)) * 3
        metal += 0.34 * bell(x - bend, 0.014) * edge(tip - y, 50) * edge(y + 0.95, 20)
    if findings["pacemaker"] > 0:
        side = pick(rng, (1, 1, -1))
        corner = np.maximum(np.abs(x - side * 0.48), np.abs(y + 0.50) * 1.2)
        metal += 0.9 * edge(0.11 - corner, 60)
        lead = x - 0.06 - side * (0.40 * np.square(np.clip(0.25 - y, 0, 1)))
        metal += 0.35 * bell(lead, 0.012) * edge(0.32 - y, 40) * edge(y + 0.50, 40)
    if findings["wires"] > 0:
        for _ in range(2 + int(3 * rng.random())):
            at = between(rng, -0.6, 0.6), between(rng, -0.6, 0.6)
            reach = np.hypot(x - at[0], y - at[1])
            metal += 0.35 * edge(0.03 - reach, 90)
            slope = between(rng, -1.5, 1.5)
            metal += (
                0.14
                * bell(x - at[0] - slope * (y - at[1]), 0.010)
                * edge((y - at[1]) * pick(rng, (-1, 1)), 30)
            )
    return metal
