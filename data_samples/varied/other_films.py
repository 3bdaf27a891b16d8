"""Chests from the side, and bones: densities as in `chest.py`."""

from __future__ import annotations

import numpy as np

from data_samples.varied.made import between, chance, finding, mottle, near, pick, seen, signed
from data_samples.varied.patient import Patient
from data_samples.varied.shapes import Array, bell, edge, oval, placed


def draw_lateral(
    rng: np.random.Generator, size: tuple[int, int], patient: Patient, findings: dict[str, float]
) -> Array:
    """The density of a chest from the side, with the findings of its frontal film."""
    plane = placed(rng, size, 3, (0.95, 1.2), 0.04)
    x, y = plane.x, plane.y
    body = edge(0.72 - np.abs(x + 0.05 * np.cos(3 * y)), 25) * edge(y + 1.1 - 0.3 * np.abs(x), 20)
    lung = edge(oval(x, y, (-0.02, -0.12), (0.62, 0.78)), 12) * edge(
        0.42 + 0.25 * (x + 0.2) ** 2 + 0.1 * findings["hyperinflation"] - y, 30
    )
    density = body * (1 + 0.06 * patient.habitus) - 0.6 * lung
    heart = 0.32 + 0.06 * findings["heart_size"]
    density += 0.4 * edge(oval(x, y, (-0.25, 0.2), (heart, heart * 0.95)), 9)
    phase = np.cos(y * between(rng, 38, 50) + 1.2 * x)
    density += (
        0.22 * edge(0.10 - np.abs(x - 0.55 - 0.08 * np.cos(2 * y)), 40) * (0.75 + 0.35 * phase)
    )
    density += 0.08 * bell(np.cos((y - 0.5 * x) * 17), 0.25) * lung
    density += 0.03 * mottle(rng, size, size[0] / 40) * lung
    dense = findings["consolidation"] * 0.5 + 0.5
    if dense > 0.1:
        spot = oval(
            x,
            y,
            (between(rng, -0.3, 0.3), 0.5 * findings["consolidation_zone"] - 0.1),
            (0.28, 0.24),
        )
        density += 0.45 * dense * edge(spot + 0.1 * mottle(rng, size, size[0] / 18), 9) * lung
    wet = max(findings["effusion_left"], findings["effusion_right"]) * 0.5 + 0.5
    if wet > 0.05:
        density += (
            0.5
            * wet
            * edge(y - 0.45 + 0.4 * wet - 0.3 * np.square(x), 20)
            * edge(0.6 - np.abs(x), 25)
        )
    return density


def draw_bone(
    rng: np.random.Generator, size: tuple[int, int], patient: Patient
) -> tuple[Array, dict[str, float]]:
    """The density of a limb with one or two long bones, whole or broken, straight or in a joint."""
    plane = placed(rng, size, 12, (0.95, 1.2), 0.04)
    x, y = plane.x, plane.y
    broken = seen(rng, patient.severity("trauma"), 0.35)
    mineral = near(rng, 0.9 - patient.age / 110 + 0.1 * (not patient.female), 0.15, 0.1, 1)
    lytic = seen(rng, patient.severity("malignancy"), 0.05)
    soft = between(rng, 0.26, 0.5) * (1 + 0.1 * patient.habitus)
    density = 0.5 * np.sqrt(np.clip(1 - np.square(x / soft), 0, 1)) + 0.1 * edge(
        soft - np.abs(x), 30
    )
    breaks, slant = between(rng, -0.45, 0.45), between(rng, -0.6, 0.6)
    step = 0.16 * broken * pick(rng, (-1, 1))
    bones = pick(rng, ((0.0,), (-0.16, 0.16), (-0.13, 0.15)))
    joint = between(rng, 0.4, 0.8) * pick(rng, (-1, 1)) if chance(rng, 0.6) else 3.0
    for number, middle in enumerate(bones):
        width = between(rng, 0.07, 0.12) * (1.5 if len(bones) == 1 else 1)
        cut = y - breaks - slant * (x - middle)
        hurt = broken > 0 and number == 0
        bent = x - middle - (step * edge(cut, 40) + 0.25 * step * np.maximum(cut, 0) if hurt else 0)
        flare = width * (1 + 0.8 * bell(y - joint, 0.22) + 0.05 * np.cos(3 * y))
        shaft = edge(flare - np.abs(bent), 60)
        rim = bell(np.abs(bent) - flare * 0.82, width * 0.22)
        trabecular = 0.12 * mottle(rng, size, 2.5) * bell(y - joint, 0.35)
        bone = shaft * ((0.25 + 0.3 * mineral) + 0.45 * mineral * rim + trabecular * mineral)
        if hurt:
            bone = bone * (1 - (0.5 + 0.5 * broken) * bell(cut, 0.012 + 0.03 * broken))
        if lytic > 0.1 and number == 0:
            bone = bone * (1 - 0.6 * lytic * edge(oval(bent, y, (0, -breaks), (width, 0.16)), 8))
        density = density + bone * (1 - 0.9 * bell(y - joint - 0.12 * np.sign(joint), 0.03))
    plate = chance(rng, 0.3 * (broken > 0))
    if plate:
        density = density + 0.9 * edge(0.02 - np.abs(x - bones[0] - 0.1), 90) * edge(
            0.3 - np.abs(y - breaks), 50
        )
    findings = {
        "fracture": finding(broken),
        "bone_density": signed(2 * mineral - 1),
        "bone_lysis": finding(lytic),
        "metal_plate": 1.0 if plate else -1.0,
    }
    if broken > 0:
        findings["displacement"] = finding(abs(step) / 0.16)
    return density, findings
