"""Lateral chest films, slices of head, chest and belly (CT, MR), and bones.

Same coordinates as in `chest.py`.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from data_samples.varied.chest import bell, edge
from data_samples.varied.made import between, chance, finding, mottle, near, pick, signed
from data_samples.varied.patient import Patient

Array = np.ndarray


def _plane(rng: np.random.Generator, size: tuple[int, int], tilt: float) -> tuple[Array, Array]:
    rows, columns = size
    y = np.linspace(-1, 1, rows, dtype=np.float32)[:, None] * np.float32(rows / max(size))
    x = np.linspace(-1, 1, columns, dtype=np.float32)[None, :] * np.float32(columns / max(size))
    turn, zoom = np.radians(near(rng, 0, tilt, -3 * tilt, 3 * tilt)), between(rng, 0.95, 1.2)
    x, y = x - np.float32(near(rng, 0, 0.04, -0.15, 0.15)), y - np.float32(near(rng, 0, 0.04, -0.15, 0.15))
    cos, sin = np.float32(np.cos(turn) * zoom), np.float32(np.sin(turn) * zoom)
    return x * cos + y * sin, y * cos - x * sin


def _oval(x: Array, y: Array, at: tuple[float, float], size: tuple[float, float]) -> Array:
    """Positive inside an ellipse, 1 at its centre, 0 on its border."""
    return 1 - np.hypot((x - at[0]) / size[0], (y - at[1]) / size[1])


def draw_lateral(
    rng: np.random.Generator, size: tuple[int, int], patient: Patient, findings: dict[str, float]
) -> Array:
    """The density of a chest from the side, with the findings of its frontal film."""
    x, y = _plane(rng, size, 3)
    body = edge(0.72 - np.abs(x + 0.05 * np.cos(3 * y)), 25) * edge(y + 1.1 - 0.3 * np.abs(x), 20)
    lung = edge(_oval(x, y, (-0.02, -0.12), (0.62, 0.78)), 12) * edge(0.42 + 0.25 * (x + 0.2) ** 2 + 0.1 * findings["hyperinflation"] - y, 30)
    density = body * (1 + 0.06 * patient.habitus) - 0.6 * lung
    heart = 0.32 + 0.06 * findings["heart_size"]
    density += 0.4 * edge(_oval(x, y, (-0.25, 0.2), (heart, heart * 0.95)), 9)
    phase = np.cos(y * between(rng, 38, 50) + 1.2 * x)
    density += 0.22 * edge(0.10 - np.abs(x - 0.55 - 0.08 * np.cos(2 * y)), 40) * (0.75 + 0.35 * phase)
    density += 0.08 * bell(np.cos((y - 0.5 * x) * 17), 0.25) * lung
    density += 0.03 * mottle(rng, size, size[0] / 40) * lung
    dense = findings["consolidation"] * 0.5 + 0.5
    if dense > 0.1:
        spot = _oval(x, y, (between(rng, -0.3, 0.3), 0.5 * findings["consolidation_zone"] - 0.1), (0.28, 0.24))
        density += 0.45 * dense * edge(spot + 0.1 * mottle(rng, size, size[0] / 18), 9) * lung
    wet = max(findings["effusion_left"], findings["effusion_right"]) * 0.5 + 0.5
    if wet > 0.05:
        density += 0.5 * wet * edge(y - 0.45 + 0.4 * wet - 0.3 * np.square(x), 20) * edge(0.6 - np.abs(x), 25)
    return density


def draw_slices(
    rng: np.random.Generator, side: int, patient: Patient
) -> tuple[list[Array], dict[str, float], str]:
    """One to six neighbouring slices in [0, 1], their findings, and a name."""
    make, name = pick(rng, ((_head, "head"), (_head, "head"), (_thorax, "chest"), (_belly, "abdomen")))
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
    x, y = _plane(rng, size, 5)
    magnetic = chance(rng, 0.5)
    # grey of: outside the skull, bone, grey matter, white matter, water
    if not magnetic:
        scalp, bone, cortex, white, water = 0.42, 1.0, 0.50, 0.44, 0.24
    else:
        scalp, bone, cortex, white, water = pick(
            rng, ((0.9, 0.08, 0.45, 0.65, 0.12), (0.7, 0.05, 0.55, 0.4, 0.95), (0.6, 0.06, 0.58, 0.45, 0.10))
        )
    illness = patient.severity("stroke", "malignancy")
    lesion = near(rng, illness, 0.2, 0.15, 1) if illness > 0 else (between(rng, 0.2, 1) if chance(rng, 0.35) else 0.0)
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
        head = _oval(x, y, (0, 0), (wide * (1 - 0.35 * level**2) + 0.08, tall * (1 - 0.35 * level**2) + 0.08))
        brain = head - 0.15
        grey = scalp * edge(head, 60)
        grey = grey + (bone - grey) * edge(head - 0.035, 60)
        sulci = np.maximum(1 - (5 - 3 * shrunk) * np.abs(folds), 0) * edge(0.30 - brain, 10)
        matter = white + (cortex - white) * edge(0.14 - brain + 0.05 * folds, 25)
        matter = matter + (water - matter) * (0.35 + 0.65 * shrunk) * sulci
        out = np.abs(x - shift)
        thick = (0.05 + 0.07 * shrunk) * (1 + level)
        horns = np.maximum(_oval(out, y, (0.10 + 0.05 * shrunk, -0.16), (thick, 0.22)), _oval(out, y, (0.17, 0.22), (thick, 0.18)))
        matter = matter + (water - matter) * edge(horns, 9)
        matter = matter + (cortex - white) * 0.8 * edge(_oval(out, y, (0.22, 0.0), (0.08, 0.14)), 9)
        falx = bell(x - shift * (1 - np.square(y / tall)), 0.012)
        matter = matter + (cortex - matter) * 0.3 * falx
        if lesion > 0:
            spot = _oval(x, y, spot_at, (spot_size[0] * (1 - level**2), spot_size[1] * (1 - level**2))) + 0.12 * folds
            swelling = edge(spot + 0.55, 8)
            matter = matter + (0.7 * water + 0.3 * white - matter) * 0.4 * swelling
            tone = 0.85 if bleeding else (0.6 * water + 0.4 * white)
            matter = matter + (tone - matter) * edge(spot, 8)
        slices.append(grey + (matter - grey) * edge(brain, 45))
    findings = {"brain_lesion": finding(lesion), "atrophy": finding(shrunk)}
    if lesion > 0:
        findings |= {"brain_bleeding": 1.0 if bleeding else -1.0, "midline_shift": finding(abs(shift) * 10)}
    return slices, findings


def _trunk(rng: np.random.Generator, x: Array, y: Array, patient: Patient) -> tuple[Array, Array, float]:
    """Body with its layer of fat, the inside, and the half width."""
    wide, tall = near(rng, 0.82 + 0.05 * patient.habitus, 0.03, 0.65, 0.95), near(rng, 0.58 + 0.05 * patient.habitus, 0.03, 0.42, 0.75)
    body = 1 - np.power(np.power(np.abs(x / wide), 2.4) + np.power(np.abs(y / tall), 2.4), 1 / 2.4)
    inside = body - (0.06 + 0.03 * max(patient.habitus + 1, 0))
    return body, inside, wide


def _thorax(
    rng: np.random.Generator, side: int, patient: Patient, count: int
) -> tuple[list[Array], dict[str, float]]:
    """Axial slices of a chest in a lung or a soft tissue window."""
    size = (side, side)
    x, y = _plane(rng, size, 4)
    ill = patient.states
    glass = near(rng, ill["pneumonia"], 0.2, 0.1, 1) if ill["pneumonia"] else (between(rng, 0.2, 1) if chance(rng, 0.25) else 0.0)
    wet = near(rng, 0.8 * ill["heart_failure"], 0.2, 0, 1) if ill["heart_failure"] else 0.0
    lump = near(rng, ill["malignancy"], 0.2, 0.1, 1) if ill["malignancy"] else 0.0
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
            field = _oval(x, y, (lobe * 0.42 * wide / 0.8, 0.0), (0.31, 0.40 - 0.1 * abs(level)))
            field = np.minimum(field, 1.2 * _oval(x, y, (0, 0), (0.78, 0.5)))
            lung = np.maximum(lung, edge(field, 14))
        heart = edge(_oval(x, y, (0.10, -0.14 + 0.3 * level), (0.24 + 0.5 * max(level, 0), 0.22)), 10)
        lung = lung * (1 - heart)
        vessels = 0.5 * np.maximum(fine - 1.2, 0) + 0.25 * np.maximum(1 - 5 * np.abs(rough), 0)
        filling = np.clip(vessels, 0, 0.9)
        if glass > 0:
            cloud = edge(rough + fine * 0.2 - 0.9 + 1.2 * glass - level, 4) * edge(0.15 + 0.9 * glass - _oval(x, y, (0, 0), (0.78, 0.55)), 6)
            filling = np.maximum(filling, (0.35 + 0.45 * glass) * cloud)
        if lump > 0:
            radius = (0.05 + 0.12 * lump) * (1 - level**2)
            filling = np.maximum(filling, edge(_oval(x, y, at, (radius, radius)) + 0.15 * fine, 8))
        if wet > 0.05:
            filling = np.maximum(filling, edge(y - 0.42 + 0.45 * wet - 0.2 * np.abs(np.abs(x) - 0.4), 40))
        grey = grey + ((air + (soft - air) * filling) - grey) * lung
        grey = np.maximum(grey, bone * _skeleton(x, y, inside))
        slices.append(grey)
    return slices, {"ground_glass": finding(glass), "ct_effusion": finding(wet), "ct_mass": finding(lump), "lung_window": 1.0 if lung_window else -1.0}


def _skeleton(x: Array, y: Array, inside: Array) -> Array:
    """Spine with its arch, and ribs cut across, just inside the fat."""
    spine = edge(_oval(x, y, (0, 0.33), (0.11, 0.09)), 14)
    arch = bell(np.hypot(x, y - 0.46) - 0.06, 0.02)
    ring = bell(inside - 0.05, 0.025)
    dashes = edge(np.sin(13 * np.arctan2(y, x)) - 0.1, 6)
    return np.maximum(np.maximum(spine, 0.9 * arch), 0.9 * ring * dashes)


def _belly(
    rng: np.random.Generator, side: int, patient: Patient, count: int
) -> tuple[list[Array], dict[str, float]]:
    """Axial slices of a belly: liver, spleen, kidneys, bowel."""
    size = (side, side)
    x, y = _plane(rng, size, 4)
    body, inside, _ = _trunk(rng, x, y, patient)
    sick, lump = patient.severity("liver"), patient.severity("malignancy", "trauma")
    lump = near(rng, lump, 0.15, 0.1, 1) if lump else 0.0
    stones = near(rng, patient.severity("kidney"), 0.2, 0, 1)
    ascites = near(rng, sick, 0.15, 0, 1) if sick else 0.0
    rough = mottle(rng, size, side / 12)
    tone = between(rng, 0.5, 0.68) - 0.14 * sick
    at = (-0.42 + between(rng, -0.12, 0.15), -0.08 + between(rng, -0.12, 0.12))
    slices = []
    for index in range(count):
        level = (index - (count - 1) / 2) * 0.15
        grey = 0.28 * edge(body, 60) + 0.24 * edge(inside, 50) * (1 - 0.4 * edge(_oval(x, y, (0, 0), (0.7, 0.42)), 12))
        bowel = edge(rough - 0.2, 5) * edge(_oval(x, y, (0.1, -0.12), (0.5, 0.28)), 10)
        grey = grey + (0.5 - grey) * bowel
        grey = grey + (0.0 - grey) * edge(rough - 1.5, 8) * bowel
        if ascites > 0.1:
            grey = grey + (0.40 - grey) * ascites * edge(0.28 - inside, 12) * edge(inside - 0.02, 30)
        liver = _oval(x, y, (-0.38, -0.08 + 0.2 * level), (0.40 * (1 - 0.2 * sick), 0.36 - 0.3 * abs(level))) + 0.06 * sick * rough
        grey = grey + (tone - grey) * edge(liver, 14)
        grey = grey + (0.55 - grey) * edge(_oval(x, y, (0.56, 0.06), (0.15 + 0.06 * sick, 0.2)), 12)
        for lobe in (-1, 1):
            kidney = _oval(x, y, (lobe * 0.34, 0.24 + 0.1 * level), (0.12 * (1 - 0.3 * stones), 0.14))
            grey = grey + (0.66 - grey) * edge(kidney, 12)
            grey = grey + (0.35 - grey) * edge(kidney - 0.6, 12)
        if lump > 0:
            radius = 0.05 + 0.14 * lump
            grey = grey + (pick(rng, (0.36, 0.36, 0.75)) - grey) * edge(_oval(x, y, at, (radius, radius)), 9)
        grey = np.maximum(grey, _skeleton(x, y, inside))
        slices.append(grey)
    return slices, {"liver_lesion": finding(lump), "ascites": finding(ascites)}


def draw_bone(
    rng: np.random.Generator, size: tuple[int, int], patient: Patient
) -> tuple[Array, dict[str, float]]:
    """The density of a limb with one or two long bones, whole or broken, straight or in a joint."""
    x, y = _plane(rng, size, 12)
    broken = near(rng, patient.severity("trauma"), 0.15, 0.2, 1) if patient.severity("trauma") else (between(rng, 0.3, 1) if chance(rng, 0.35) else 0.0)
    mineral = near(rng, 0.9 - patient.age / 110 + 0.1 * (not patient.female), 0.15, 0.1, 1)
    lytic = near(rng, patient.severity("malignancy"), 0.2, 0, 1) if patient.severity("malignancy") else 0.0
    soft = between(rng, 0.26, 0.5) * (1 + 0.1 * patient.habitus)
    density = 0.5 * np.sqrt(np.clip(1 - np.square(x / soft), 0, 1)) + 0.1 * edge(soft - np.abs(x), 30)
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
            bone = bone * (1 - 0.6 * lytic * edge(_oval(bent, y, (0, -breaks), (width, 0.16)), 8))
        density = density + bone * (1 - 0.9 * bell(y - joint - 0.12 * np.sign(joint), 0.03))
    plate = chance(rng, 0.3 * (broken > 0))
    if plate:
        density = density + 0.9 * edge(0.02 - np.abs(x - bones[0] - 0.1), 90) * edge(0.3 - np.abs(y - breaks), 50)
    findings = {"fracture": finding(broken), "bone_density": signed(2 * mineral - 1), "bone_lysis": finding(lytic), "metal_plate": 1.0 if plate else -1.0}
    if broken > 0:
        findings["displacement"] = finding(abs(step) / 0.16)
    return density, findings
