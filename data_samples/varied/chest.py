"""Chest films from the front: a patient's lungs, heart, bones and devices as sums of density.

Density adds up along the ray, as a detector with logarithmic response stores it; more on the way
is brighter. Coordinates: x to the viewer's right (the patient's left), y down, in half sides.
Signs after Hansell et al., Fleischner Society glossary, Radiology 2008;246:697-722.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_samples.varied.made import between, chance, finding, mottle, near, pick, signed
from data_samples.varied.patient import Patient

Array = np.ndarray


def edge(distance: Array, sharpness: float) -> Array:
    """1 inside (positive distance), 0 outside, with a soft border."""
    return 0.5 + 0.5 * np.tanh(np.float32(0.5 * sharpness) * distance)


def bell(distance: Array, width: float) -> Array:
    """A ridge of this half width."""
    return np.exp(-np.square(distance * np.float32(1 / width)))


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


@dataclass(frozen=True)
class _Grid:
    x: Array
    y: Array
    size: tuple[int, int]


def draw_chest(
    rng: np.random.Generator, size: tuple[int, int], patient: Patient
) -> tuple[Array, dict[str, float]]:
    """Density (H, W), air 0 and soft tissue about 1, and the findings."""
    findings = choose(rng, patient)
    grid = _grid(rng, size)
    young = float(np.exp(-patient.age / 2.5))
    inflation = findings["hyperinflation"]
    volume = {side: 0.0 for side in (-1, 1)}
    if "atelectasis_side" in findings and findings["atelectasis"] > -0.5:
        volume[int(findings["atelectasis_side"])] = 0.5 + 0.5 * findings["atelectasis"]
    tension = 0.0
    if findings["pneumothorax"] > 0.3:
        tension = -findings["pneumothorax_side"] * 0.10 * findings["pneumothorax"]
    chest = Chest(
        wide=near(rng, 0.80 - 0.04 * young, 0.04, 0.66, 0.92),
        top=near(rng, -0.80 + 0.10 * young, 0.04, -0.92, -0.6),
        floor=near(rng, 0.50 - 0.08 * young, 0.05, 0.32, 0.66) + 0.13 * max(inflation, -0.5),
        flat=min(max(0.3 + 0.5 * inflation, 0), 1),
        middle=near(rng, 0.13 + 0.05 * young, 0.015, 0.1, 0.24),
        young=young,
        shift=tension + 0.10 * (volume[1] - volume[-1]) + near(rng, 0, 0.02, -0.05, 0.05),
    )
    body = _body(grid, rng, chest, patient)
    middle, windpipe = _middle(grid, rng, chest, findings)
    fields = {side: _lung(grid, rng, chest, side, volume[side]) for side in (-1, 1)}
    behind = between(rng, 0.08, 0.3)  # how much of the lung behind the heart shines through
    lungs = {side: field * (1 - (1 - behind) * middle) for side, field in fields.items()}
    air = lungs[-1] + lungs[1]
    density = body - between(rng, 0.55, 0.75) * air * (1 + 0.12 * inflation)
    density += between(rng, 0.02, 0.16) * middle - 0.13 * windpipe
    density += _vessels(grid, rng, air, chest, findings)
    density += _bones(grid, rng, chest, body, findings)
    for side in (-1, 1):
        density += _shadows(grid, rng, chest, lungs[side], side, findings)
    density += _collapse(grid, rng, chest, lungs, findings)
    density = _free_air(grid, rng, chest, lungs, density, findings)
    density += _devices(grid, rng, chest, findings)
    return density, findings


def choose(rng: np.random.Generator, patient: Patient) -> dict[str, float]:
    """What is to be seen on the film of this patient."""
    ill = patient.states
    young = float(np.exp(-patient.age / 2.5))

    def seen(*causes: str, alone: float = 0.12) -> float:
        worst = max(ill[cause] for cause in causes) if causes else 0.0
        if worst > 0:
            return near(rng, worst, 0.2, 0, 1)
        return between(rng, 0.2, 1) if chance(rng, alone) else 0.0

    failing = max(ill["heart_failure"], 0.6 * ill["valve"])
    heart = near(rng, -0.25 + 1.4 * failing + 0.2 * young, 0.35, -1, 1.4)
    found: dict[str, float] = {"heart_size": signed(heart), "age_film": signed(1 - 2 * young)}
    dense = seen("pneumonia", "malignancy" if chance(rng, 0.3) else "pneumonia")
    found["consolidation"] = finding(dense)
    if dense > 0.1:
        form = pick(rng, ("lobar", "lobar", "patchy", "peripheral"))
        for name in ("lobar", "patchy", "peripheral"):
            found[f"consolidation_{name}"] = 1.0 if name == form else -1.0
        side = 0.0 if form == "peripheral" else pick(rng, (-1.0, -1.0, 1.0, 0.0))
        found["consolidation_side"] = side
        found["consolidation_zone"] = signed(near(rng, 0.3, 0.5, -0.9, 1))
    found["interstitial"] = finding(seen("bronchiolitis", "bronchiolitis"))
    found["congestion"] = finding(seen("heart_failure", alone=0.08))
    fluid = seen("heart_failure", "liver", "malignancy", alone=0.12)
    sides = pick(rng, ((1, 0), (0, 1), (1, 1))) if fluid > 0.1 else (0, 0)
    found["effusion_right"] = finding(fluid * sides[0] * between(rng, 0.6, 1))
    found["effusion_left"] = finding(fluid * sides[1] * between(rng, 0.6, 1))
    lost = seen("trauma", "malignancy", alone=0.12) if chance(rng, 0.6) else 0.0
    found["atelectasis"] = finding(lost)
    if lost > 0.1:
        found["atelectasis_side"] = pick(rng, (-1.0, 1.0))
    free = seen("pneumothorax", alone=0.05)
    found["pneumothorax"] = finding(free)
    if free > 0:
        found["pneumothorax_side"] = pick(rng, (-1.0, 1.0))
    found["hyperinflation"] = signed(near(rng, -0.4 + 1.4 * ill["obstruction"] + 0.9 * ill["bronchiolitis"], 0.35, -1, 1.2))
    found["nodules"] = finding(seen("malignancy", alone=0.06))
    sick = max(ill["sepsis"], ill["shock"], ill["coma"])
    found["tube"] = 1.0 if chance(rng, 0.05 + 0.5 * sick) else -1.0
    found["line"] = 1.0 if chance(rng, 0.08 + 0.5 * sick) else -1.0
    found["pacemaker"] = 1.0 if chance(rng, 0.02 + 0.25 * ill["arrhythmia"]) else -1.0
    found["wires"] = 1.0 if chance(rng, 0.15 + 0.3 * sick) else -1.0
    return found


def _grid(rng: np.random.Generator, size: tuple[int, int]) -> _Grid:
    """Coordinates of each pixel for a patient placed off, tilted, near or far."""
    rows, columns = size
    y = np.linspace(-1, 1, rows, dtype=np.float32)[:, None] * np.float32(rows / columns)
    x = np.linspace(-1, 1, columns, dtype=np.float32)[None, :]
    tilt = np.radians(near(rng, 0, 3.5, -12, 12))
    zoom = between(rng, 0.82, 1.12)
    x, y = x - np.float32(near(rng, 0, 0.05, -0.2, 0.2)), y - np.float32(near(rng, 0, 0.05, -0.2, 0.2))
    cos, sin = np.float32(np.cos(tilt) * zoom), np.float32(np.sin(tilt) * zoom)
    wide = np.float32(between(rng, 0.93, 1.06))
    return _Grid((x * cos + y * sin) * wide, y * cos - x * sin, size)


def _body(grid: _Grid, rng: np.random.Generator, chest: Chest, patient: Patient) -> Array:
    """Trunk, neck, shoulders and arms; breasts where there are any."""
    x, y = grid.x, grid.y
    out = np.abs(x)
    wide = chest.wide + between(rng, 0.07, 0.16) + 0.05 * patient.habitus
    neck = between(rng, 0.18, 0.28)
    slope = np.clip((y - chest.top + between(rng, 0.12, 0.3)) * between(rng, 3.0, 7.0), 0, 1)
    half = neck + (wide + between(rng, 0.2, 0.8) * np.clip(-0.25 - y, 0, 0.5) - neck) * np.sqrt(slope)
    body = (1 + 0.08 * patient.habitus) * (0.72 + 0.28 * np.sqrt(np.clip(1 - np.square(x / half), 0, 1)))
    body *= edge(half - out, 40)
    if chance(rng, 0.25 + 0.5 * chest.young):  # arms beside the trunk, or raised in a baby
        lean = between(rng, -0.5, 0.3)
        arm = out - (wide + 0.20 + lean * y)
        body = np.maximum(body, 0.5 * bell(arm, 0.11) + 0.25 * bell(arm, 0.035))
    if patient.female and 14 < patient.age:
        drop, far = between(rng, 0.25, 0.5), between(rng, 0.35, 0.5)
        reach = np.hypot((out - far) / 0.26, (y - drop) / 0.24)
        body += between(rng, 0.04, 0.14) * edge(1 - reach, 8) * (body > 0.1)
    if patient.age > 0.3:
        body += 0.10 * bell(out - between(rng, 0.5, 0.6), 0.03) * edge(-0.45 - y + 0.8 * (out - 0.55), 20)
    belly = y - chest.floor - 0.2
    body += 0.10 * edge(belly, 8) * (body > 0.1)
    if chance(rng, 0.6):  # gas in the stomach, below the left dome
        spot = np.hypot((x - 0.32) / between(rng, 0.08, 0.2), (y - chest.floor - 0.22) / 0.09)
        body -= between(rng, 0.15, 0.45) * edge(1 - spot, 7) * (body > 0.1)
    if chest.young > 0.3 and chance(rng, 0.5):
        body -= 0.18 * np.maximum(mottle(rng, grid.size, grid.size[0] / 14), 0) * edge(belly - 0.05, 20) * (body > 0.1)
    return np.maximum(body, 0)


def _lung(
    grid: _Grid, rng: np.random.Generator, chest: Chest, side: int, lost: float
) -> Array:
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


def _middle(
    grid: _Grid, rng: np.random.Generator, chest: Chest, findings: dict[str, float]
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
    atrium = 1 - np.hypot((x + 0.04 * whole) / (0.29 * whole), (y - low + 0.36 * whole) / (0.36 * whole))
    knob = 1 - np.hypot((x - 0.09) / (0.10 - 0.03 * chest.young), (y + 0.33) / 0.11)
    trunk = 1 - np.hypot((x - 0.10) / 0.10, (y + 0.14) / 0.14)
    half = chest.middle * (between(rng, 0.75, 1.1) + 0.3 * np.clip(y + 0.4, 0, 1))
    middle = np.maximum(edge(np.maximum(ventricle, atrium), 22), edge(half - np.abs(x), 45) * edge(low - y, 20))
    if chest.young < 0.6:
        middle = np.maximum(middle, edge(np.maximum(knob, trunk), 12))
    elif chance(rng, 0.6):
        sail = 1 - np.abs((x + 0.03) / between(rng, 0.2, 0.36)) - np.abs((y + 0.22) / 0.45)
        middle = np.maximum(middle, edge(sail, 14))
    windpipe = bell(x + 0.01 - 0.5 * chest.shift, 0.04) * edge(-0.2 - y, 20)
    return middle, windpipe


def _vessels(
    grid: _Grid, rng: np.random.Generator, air: Array, chest: Chest, findings: dict[str, float]
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
    net = mesh * (0.13 * threads + 0.05 * np.abs(texture)) * edge(y + 0.6, 6)
    kerley = 0.0
    if full > 0.55:
        lines = np.maximum(np.cos(y * between(rng, 70, 110)), 0) ** 6
        kerley = 0.10 * full * lines * bell(out - chest.wide + 0.10, 0.07) * edge(y - 0.1, 12)
    return air * (marks * (1 + full) + hilum + wings + net + kerley)


def _bones(
    grid: _Grid, rng: np.random.Generator, chest: Chest, body: Array, findings: dict[str, float]
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
    cage = edge(chest.wide + 0.03 - out, 45) * edge(chest.floor + 0.25 - y, 10) * edge(y - chest.top, 20)
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


def _shadows(
    grid: _Grid, rng: np.random.Generator, chest: Chest, lung: Array, side: int,
    findings: dict[str, float],
) -> Array:  # fmt: skip
    """Consolidation, nodules and fluid of one lung."""
    x, y = grid.x * side, grid.y
    added = np.zeros(grid.size, np.float32)
    dense = findings["consolidation"] * 0.5 + 0.5
    if dense > 0.1 and findings["consolidation_side"] in (0.0, float(side)):
        added += dense * _consolidation(grid, rng, chest, side, findings)
    lumps = findings["nodules"] * 0.5 + 0.5
    if lumps > 0.1:
        for _ in range(1 + int(4 * lumps * rng.random())):
            size = between(rng, 0.035, 0.06 + 0.10 * lumps)
            at = between(rng, 0.22, 0.62), between(rng, -0.5, 0.4)
            added += between(rng, 0.2, 0.4) * edge(1 - np.hypot((x - at[0]) / size, (y - at[1]) / size), 6)
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
    grid: _Grid, rng: np.random.Generator, chest: Chest, side: int, findings: dict[str, float]
) -> Array:
    x, y = grid.x * side, grid.y
    zone = findings["consolidation_zone"]
    centre = chest.top + 0.25 + (zone + 1) / 2 * (chest.floor - chest.top - 0.25)
    rough = mottle(rng, grid.size, grid.size[0] / 20)
    if findings["consolidation_lobar"] > 0:
        reach = np.hypot((x - between(rng, 0.36, 0.48)) / between(rng, 0.22, 0.36), (y - centre) / between(rng, 0.2, 0.36))
        cloud = edge(1 - reach + 0.12 * rough, between(rng, 6, 14))
        if chance(rng, 0.5):  # a fissure cuts it off sharply
            cut = (y - centre) * pick(rng, (-1, 1)) + 0.08
            cloud = cloud * edge(cut, 45)
        bronchi = np.maximum(1 - 4 * np.abs(mottle(rng, grid.size, grid.size[0] / 12)), 0)
        return 0.5 * cloud * (1 - 0.25 * bronchi)
    if findings["consolidation_patchy"] > 0:
        where = bell(y - centre, 0.45) * bell(x - 0.38, 0.35)
        patches = edge(mottle(rng, grid.size, grid.size[0] / between(rng, 6, 11)) - 0.35, 5)
        return 0.52 * patches * where
    outside = edge(x - chest.wide + 0.26 + 0.05 * rough, 12) * bell(y - centre, 0.42)
    return 0.38 * outside * np.clip(0.8 + 0.35 * rough, 0.2, 1.5)


def _collapse(
    grid: _Grid, rng: np.random.Generator, chest: Chest, lungs: dict[int, Array],
    findings: dict[str, float],
) -> Array | float:  # fmt: skip
    """Plate-like or wedge-shaped loss of air."""
    lost = findings["atelectasis"] * 0.5 + 0.5
    if lost < 0.1:
        return 0.0
    side = int(findings["atelectasis_side"])
    x, y = grid.x * side, grid.y
    shade = np.zeros(grid.size, np.float32)
    for _ in range(1 + int(2.5 * lost)):
        slant, at = between(rng, -0.35, 0.35), chest.floor - between(rng, 0.06, 0.32)
        shade += between(rng, 0.14, 0.3) * bell(y - at - slant * (x - 0.4), between(rng, 0.012, 0.03))
    if lost > 0.5:
        wedge = edge(0.5 * (y - chest.floor + 0.55) - (x - chest.middle), 18)
        shade += 0.4 * lost * wedge * edge(y - 0.0, 10)
    return shade * lungs[side]


def _free_air(
    grid: _Grid, rng: np.random.Generator, chest: Chest, lungs: dict[int, Array], density: Array,
    findings: dict[str, float],
) -> Array:  # fmt: skip
    """Pneumothorax: a thin line, and beyond it neither markings nor shadows of the lung."""
    free = findings["pneumothorax"] * 0.5 + 0.5
    if free < 0.05:
        return density
    side = int(findings["pneumothorax_side"])
    x, y = grid.x * side, grid.y
    depth = 0.06 + 0.40 * free
    rim = chest.wide - depth + 0.10 * (y - chest.top - 0.3) - 0.4 * np.square(np.minimum(y + 0.45, 0))
    beyond = edge(x - rim, 60) * np.clip(1.5 * lungs[side], 0, 1)
    line = 0.11 * bell(x - rim, 0.014) * np.clip(1.5 * lungs[side], 0, 1)
    packed = 0.14 * free * edge(rim - x, 20) * lungs[side]
    return density + line + packed - 0.16 * beyond


def _devices(
    grid: _Grid, rng: np.random.Generator, chest: Chest, findings: dict[str, float]
) -> Array:
    """Tube in the windpipe, feeding tube, central line, pacemaker, electrodes."""
    x, y = grid.x, grid.y
    metal = np.zeros(grid.size, np.float32)
    if findings["tube"] > 0:
        tip = between(rng, -0.42, -0.18)
        metal += 0.22 * bell(np.abs(x + 0.01) - 0.018, 0.010) * edge(tip - y, 60)
        if chance(rng, 0.6):
            path = x - 0.03 - 0.30 * np.square(np.maximum(y, 0))
            metal += 0.20 * bell(path, 0.013) * edge(between(rng, 0.5, 0.9) - y, 60)
    if findings["line"] > 0:
        side = pick(rng, (-1, 1, -1))
        tip = between(rng, -0.15, 0.08)
        bend = -0.10 + side * 0.5 * np.square(np.clip(-0.38 - y, 0, 1)) * 3
        metal += 0.22 * bell(x - bend, 0.012) * edge(tip - y, 50) * edge(y + 0.95, 20)
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
            metal += 0.14 * bell(x - at[0] - slope * (y - at[1]), 0.010) * edge((y - at[1]) * pick(rng, (-1, 1)), 30)
    return metal
