"""Slices of head, chest and belly (CT, MR): (patient) -> grey pictures in [0, 1]."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from data_samples.varied.made import between, chance, finding, mottle, near, pick, seen
from data_samples.varied.patient import Patient
from data_samples.varied.shapes import Array, bell, edge, oval, placed


def draw_slices(
    rng: np.random.Generator, side: int, patient: Patient
) -> tuple[list[Array], dict[str, float], str]:
    """One to six neighbouring slices in [0, 1], their findings, and a name."""
    make, name = pick(
        rng, ((_head, "head"), (_head, "head"), (_thorax, "chest"), (_belly, "abdomen"))
    )
    count = pick(rng, (1, 1, 1, 3, 4, 6))
    name = f"{pick(rng, ('ct', 'mri', 'scan', 'CT', 'slice'))}_{name}"
    slices, findings = make(rng, side, patient, count)
    low, high = between(rng, -0.05, 0.08), between(rng, 0.85, 1.15)
    noise, blur = between(rng, 0.005, 0.06), between(rng, 0.3, 1.0)
    shown = []
    for each in slices:
        grain = gaussian_filter(rng.standard_normal(each.shape, np.float32), 0.7, truncate=2)
        grey = gaussian_filter(each, blur, truncate=2.5) + noise * grain
        shown.append(np.clip((grey - low) / (high - low), 0, 1))
    return shown, findings, name


def _head(
    rng: np.random.Generator, side: int, patient: Patient, count: int
) -> tuple[list[Array], dict[str, float]]:
    """Axial slices of a head: CT (bright skull) or MR T1, T2 or FLAIR."""
    size = (side, side)
    plane = placed(rng, size, 5, (0.95, 1.2), 0.04)
    x, y = plane.x, plane.y
    magnetic = chance(rng, 0.5)
    # grey of: outside the skull, bone, grey matter, white matter, water
    if not magnetic:
        scalp, bone, cortex, white, water = 0.42, 1.0, 0.50, 0.44, 0.24
    else:
        scalp, bone, cortex, white, water = pick(
            rng,
            (
                (0.9, 0.08, 0.45, 0.65, 0.12),
                (0.7, 0.05, 0.55, 0.4, 0.95),
                (0.6, 0.06, 0.58, 0.45, 0.10),
            ),
        )
    lesion = seen(rng, patient.severity("stroke", "malignancy"), 0.35)
    bleeding = chance(rng, 0.5)
    where = pick(rng, (-1.0, 1.0))
    shrunk = min(max(near(rng, (patient.age - 45) / 60, 0.3, 0, 1), 0), 1)
    shift = 0.10 * lesion * where * (0.3 if lesion < 0.4 else 1)
    wide, tall = between(rng, 0.60, 0.7), between(rng, 0.76, 0.88)
    spot_at = (where * -between(rng, 0.2, 0.36), between(rng, -0.35, 0.35))
    spot_size = (0.05 + 0.20 * lesion, 0.05 + 0.20 * lesion * between(rng, 0.7, 1.3))
    folds = mottle(rng, size, side / 16)
    slices = []
    for index in range(count):
        level = (index - (count - 1) / 2) * 0.18
        head = oval(
            x, y, (0, 0), (wide * (1 - 0.35 * level**2) + 0.08, tall * (1 - 0.35 * level**2) + 0.08)
        )
        brain = head - 0.15
        grey = scalp * edge(head, 60)
        grey = grey + (bone - grey) * edge(head - 0.035, 60)
        sulci = np.maximum(1 - (5 - 3 * shrunk) * np.abs(folds), 0) * edge(0.30 - brain, 10)
        matter = white + (cortex - white) * edge(0.14 - brain + 0.05 * folds, 25)
        matter = matter + (water - matter) * (0.35 + 0.65 * shrunk) * sulci
        out = np.abs(x - shift)
        thick = (0.05 + 0.07 * shrunk) * (1 + level)
        horns = np.maximum(
            oval(out, y, (0.10 + 0.05 * shrunk, -0.16), (thick, 0.22)),
            oval(out, y, (0.17, 0.22), (thick, 0.18)),
        )
        matter = matter + (water - matter) * edge(horns, 9)
        matter = matter + (cortex - white) * 0.8 * edge(oval(out, y, (0.22, 0.0), (0.08, 0.14)), 9)
        falx = bell(x - shift * (1 - np.square(y / tall)), 0.012)
        matter = matter + (cortex - matter) * 0.3 * falx
        if lesion > 0:
            spot = (
                oval(x, y, spot_at, (spot_size[0] * (1 - level**2), spot_size[1] * (1 - level**2)))
                + 0.12 * folds
            )
            swelling = edge(spot + 0.55, 8)
            matter = matter + (0.7 * water + 0.3 * white - matter) * 0.4 * swelling
            tone = 0.85 if bleeding else (0.6 * water + 0.4 * white)
            matter = matter + (tone - matter) * edge(spot, 8)
        slices.append(grey + (matter - grey) * edge(brain, 45))
    findings = {"brain_lesion": finding(lesion), "atrophy": finding(shrunk)}
    if lesion > 0:
        findings |= {
            "brain_bleeding": 1.0 if bleeding else -1.0,
            "midline_shift": finding(abs(shift) * 10),
        }
    return slices, findings


def _trunk(
    rng: np.random.Generator, x: Array, y: Array, patient: Patient
) -> tuple[Array, Array, float]:
    """Body with its layer of fat, the inside, and the half width."""
    wide, tall = (
        near(rng, 0.82 + 0.05 * patient.habitus, 0.03, 0.65, 0.95),
        near(rng, 0.58 + 0.05 * patient.habitus, 0.03, 0.42, 0.75),
    )
    body = 1 - np.power(np.power(np.abs(x / wide), 2.4) + np.power(np.abs(y / tall), 2.4), 1 / 2.4)
    inside = body - (0.06 + 0.03 * max(patient.habitus + 1, 0))
    return body, inside, wide


def _thorax(
    rng: np.random.Generator, side: int, patient: Patient, count: int
) -> tuple[list[Array], dict[str, float]]:
    """Axial slices of a chest in a lung or a soft tissue window."""
    size = (side, side)
    plane = placed(rng, size, 4, (0.95, 1.2), 0.04)
    x, y = plane.x, plane.y
    ill = patient.states
    glass, wet = seen(rng, ill["pneumonia"], 0.25), seen(rng, 0.8 * ill["heart_failure"], 0.05)
    lump = seen(rng, ill["malignancy"], 0.1)
    body, inside, wide = _trunk(rng, x, y, patient)
    lung_window = chance(rng, 0.65)
    air, soft, bone, fat = (0.12, 0.85, 1.0, 0.7) if lung_window else (0.0, 0.55, 1.0, 0.3)
    rough = mottle(rng, size, side / 9)
    fine = mottle(rng, size, side / 30)
    at = pick(rng, (-1, 1)) * between(rng, 0.3, 0.5), between(rng, -0.25, 0.25)
    slices = []
    for index in range(count):
        level = (index - (count - 1) / 2) * 0.15
        grey = fat * edge(body, 60) + (soft - fat) * edge(inside, 50)
        lung = np.zeros(size, np.float32)
        for lobe in (-1, 1):
            field = oval(x, y, (lobe * 0.42 * wide / 0.8, 0.0), (0.31, 0.40 - 0.1 * abs(level)))
            field = np.minimum(field, 1.2 * oval(x, y, (0, 0), (0.78, 0.5)))
            lung = np.maximum(lung, edge(field, 14))
        heart = edge(
            oval(x, y, (0.10, -0.14 + 0.3 * level), (0.24 + 0.5 * max(level, 0), 0.22)), 10
        )
        lung = lung * (1 - heart)
        vessels = 0.5 * np.maximum(fine - 1.2, 0) + 0.25 * np.maximum(1 - 5 * np.abs(rough), 0)
        filling = np.clip(vessels, 0, 0.9)
        if glass > 0:
            cloud = edge(rough + fine * 0.2 - 0.9 + 1.2 * glass - level, 4) * edge(
                0.15 + 0.9 * glass - oval(x, y, (0, 0), (0.78, 0.55)), 6
            )
            filling = np.maximum(filling, (0.35 + 0.45 * glass) * cloud)
        if lump > 0:
            radius = (0.05 + 0.12 * lump) * (1 - level**2)
            filling = np.maximum(filling, edge(oval(x, y, at, (radius, radius)) + 0.15 * fine, 8))
        if wet > 0.05:
            filling = np.maximum(
                filling, edge(y - 0.42 + 0.45 * wet - 0.2 * np.abs(np.abs(x) - 0.4), 40)
            )
        grey = grey + ((air + (soft - air) * filling) - grey) * lung
        grey = np.maximum(grey, bone * _skeleton(x, y, inside))
        slices.append(grey)
    return slices, {
        "ground_glass": finding(glass),
        "ct_effusion": finding(wet),
        "ct_mass": finding(lump),
        "lung_window": 1.0 if lung_window else -1.0,
    }


def _skeleton(x: Array, y: Array, inside: Array) -> Array:
    """Spine with its arch, and ribs cut across, just inside the fat."""
    spine = edge(oval(x, y, (0, 0.33), (0.11, 0.09)), 14)
    arch = bell(np.hypot(x, y - 0.46) - 0.06, 0.02)
    ring = bell(inside - 0.05, 0.025)
    dashes = edge(np.sin(13 * np.arctan2(y, x)) - 0.1, 6)
    return np.maximum(np.maximum(spine, 0.9 * arch), 0.9 * ring * dashes)


def _belly(
    rng: np.random.Generator, side: int, patient: Patient, count: int
) -> tuple[list[Array], dict[str, float]]:
    """Axial slices of a belly: liver, spleen, kidneys, bowel."""
    size = (side, side)
    plane = placed(rng, size, 4, (0.95, 1.2), 0.04)
    x, y = plane.x, plane.y
    body, inside, _ = _trunk(rng, x, y, patient)
    sick, lump = patient.severity("liver"), seen(rng, patient.severity("malignancy", "trauma"), 0.2)
    stones = near(rng, patient.severity("kidney"), 0.2, 0, 1)
    ascites = seen(rng, sick, 0.1)
    rough = mottle(rng, size, side / 12)
    tone = between(rng, 0.5, 0.68) - 0.14 * sick
    at = (-0.42 + between(rng, -0.12, 0.15), -0.08 + between(rng, -0.12, 0.12))
    slices = []
    for index in range(count):
        level = (index - (count - 1) / 2) * 0.15
        grey = 0.28 * edge(body, 60) + 0.24 * edge(inside, 50) * (
            1 - 0.4 * edge(oval(x, y, (0, 0), (0.7, 0.42)), 12)
        )
        bowel = edge(rough - 0.2, 5) * edge(oval(x, y, (0.1, -0.12), (0.5, 0.28)), 10)
        grey = grey + (0.5 - grey) * bowel
        grey = grey + (0.0 - grey) * edge(rough - 1.5, 8) * bowel
        if ascites > 0.1:
            grey = grey + (0.40 - grey) * ascites * edge(0.28 - inside, 12) * edge(
                inside - 0.02, 30
            )
        liver = (
            oval(
                x,
                y,
                (-0.38, -0.08 + 0.2 * level),
                (0.40 * (1 - 0.2 * sick), 0.36 - 0.3 * abs(level)),
            )
            + 0.06 * sick * rough
        )
        grey = grey + (tone - grey) * edge(liver, 14)
        grey = grey + (0.55 - grey) * edge(oval(x, y, (0.56, 0.06), (0.15 + 0.06 * sick, 0.2)), 12)
        for lobe in (-1, 1):
            kidney = oval(
                x, y, (lobe * 0.34, 0.24 + 0.1 * level), (0.12 * (1 - 0.3 * stones), 0.14)
            )
            grey = grey + (0.66 - grey) * edge(kidney, 12)
            grey = grey + (0.35 - grey) * edge(kidney - 0.6, 12)
        if lump > 0:
            radius = 0.05 + 0.14 * lump
            grey = grey + (pick(rng, (0.36, 0.36, 0.75)) - grey) * edge(
                oval(x, y, at, (radius, radius)), 9
            )
        grey = np.maximum(grey, _skeleton(x, y, inside))
        slices.append(grey)
    return slices, {"liver_lesion": finding(lump), "ascites": finding(ascites)}
