"""Chest films from the front: a patient's lungs, heart, bones and devices as sums of density.

Density adds up along the ray, as a detector with logarithmic response stores it; more on the way
is brighter. Coordinates: x to the viewer's right (the patient's left), y down, in half sides.
"""

from __future__ import annotations

import numpy as np

from data_samples.varied import chest_build as build
from data_samples.varied import chest_signs as signs
from data_samples.varied.chest_build import Chest
from data_samples.varied.made import between, chance, finding, near, pick, seen, signed
from data_samples.varied.patient import Patient
from data_samples.varied.shapes import Array, placed


def draw_chest(
    rng: np.random.Generator, size: tuple[int, int], patient: Patient
) -> tuple[Array, dict[str, float]]:
    """Density (H, W), air 0 and soft tissue about 1, and the findings."""
    findings = choose(rng, patient)
    grid = placed(rng, size, 3.5, (0.86, 1.12))
    young = float(np.exp(-patient.age / 2.5))
    inflation = findings["hyperinflation"]
    volume = dict.fromkeys((-1, 1), 0.0)
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
    body = build.body(grid, rng, chest, patient)
    middle, windpipe = build.middle(grid, rng, chest, findings)
    fields = {side: build.lung(grid, rng, chest, side, volume[side]) for side in (-1, 1)}
    behind = between(rng, 0.08, 0.3)  # how much of the lung behind the heart shines through
    lungs = {side: field * (1 - (1 - behind) * middle) for side, field in fields.items()}
    air = lungs[-1] + lungs[1]
    density = body - between(rng, 0.55, 0.75) * air * (1 + 0.12 * inflation)
    density += between(rng, 0.02, 0.16) * middle - 0.13 * windpipe
    density += build.vessels(grid, rng, air, chest, findings)
    density += build.bones(grid, rng, chest, body, findings)
    for side in (-1, 1):
        density += signs.shadows(grid, rng, chest, lungs[side], side, findings)
    density += signs.collapse(grid, rng, chest, lungs, findings)
    density = signs.free_air(grid, rng, chest, lungs, density, findings)
    density += signs.devices(grid, rng, chest, findings)
    return density, findings


def choose(rng: np.random.Generator, patient: Patient) -> dict[str, float]:
    """What is to be seen on the film of this patient."""
    ill = patient.states
    young = float(np.exp(-patient.age / 2.5))

    def shows(*causes: str, alone: float = 0.15) -> float:
        return seen(rng, patient.severity(*causes), alone)

    failing = max(ill["heart_failure"], 0.6 * ill["valve"])
    heart = near(rng, -0.25 + 1.4 * failing + 0.2 * young, 0.35, -1, 1.4)
    found: dict[str, float] = {"heart_size": signed(heart), "age_film": signed(1 - 2 * young)}
    dense = shows("pneumonia", "malignancy" if chance(rng, 0.3) else "pneumonia", alone=0.25)
    found["consolidation"] = finding(dense)
    if dense > 0.1:
        form = pick(rng, ("lobar", "lobar", "patchy", "peripheral"))
        for name in ("lobar", "patchy", "peripheral"):
            found[f"consolidation_{name}"] = 1.0 if name == form else -1.0
        side = 0.0 if form == "peripheral" else pick(rng, (-1.0, -1.0, 1.0, 0.0))
        found["consolidation_side"] = side
        found["consolidation_zone"] = signed(near(rng, 0.3, 0.5, -0.9, 1))
    found["interstitial"] = finding(shows("bronchiolitis"))
    found["congestion"] = finding(shows("heart_failure", alone=0.08))
    fluid = shows("heart_failure", "liver", "malignancy", alone=0.12)
    sides = pick(rng, ((1, 0), (0, 1), (1, 1))) if fluid > 0.1 else (0, 0)
    found["effusion_right"] = finding(fluid * sides[0] * between(rng, 0.6, 1))
    found["effusion_left"] = finding(fluid * sides[1] * between(rng, 0.6, 1))
    lost = shows("trauma", "malignancy", alone=0.12) if chance(rng, 0.6) else 0.0
    found["atelectasis"] = finding(lost)
    if lost > 0.1:
        found["atelectasis_side"] = pick(rng, (-1.0, 1.0))
    free = shows("pneumothorax", alone=0.05)
    found["pneumothorax"] = finding(free)
    if free > 0:
        found["pneumothorax_side"] = pick(rng, (-1.0, 1.0))
    found["hyperinflation"] = signed(
        near(rng, -0.4 + 1.4 * ill["obstruction"] + 0.9 * ill["bronchiolitis"], 0.35, -1, 1.2)
    )
    found["nodules"] = finding(shows("malignancy", alone=0.06))
    sick = max(ill["sepsis"], ill["shock"], ill["coma"])
    found["tube"] = 1.0 if chance(rng, 0.05 + 0.5 * sick) else -1.0
    found["line"] = 1.0 if chance(rng, 0.08 + 0.5 * sick) else -1.0
    found["pacemaker"] = 1.0 if chance(rng, 0.02 + 0.25 * ill["arrhythmia"]) else -1.0
    found["wires"] = 1.0 if chance(rng, 0.15 + 0.3 * sick) else -1.0
    return found
