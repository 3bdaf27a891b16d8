"""Movements in front of a camera: (patient) -> eight frames of pupils in light or of a walk."""

from __future__ import annotations

import numpy as np

from data_samples.varied.made import between, chance, finding, mottle, near, pick, seen, signed
from data_samples.varied.patient import Patient
from data_samples.varied.shapes import bell, edge

Array = np.ndarray
_FRAMES, _SIDE = 8, 112


def draw_movement(
    rng: np.random.Generator, patient: Patient
) -> tuple[Array, dict[str, float], float]:
    """Frames (8, 112, 112) or (8, 3, 112, 112), findings, seconds between frames."""
    if chance(rng, 0.5) or patient.age < 3:
        return _pupils(rng, patient)
    return _walk(rng, patient)


def _plane(rng: np.random.Generator) -> tuple[Array, Array]:
    line = np.linspace(-1, 1, _SIDE, dtype=np.float32)
    zoom = between(rng, 0.8, 1.25)
    return line[None, :] * zoom + np.float32(near(rng, 0, 0.06, -0.2, 0.2)), line[
        :, None
    ] * zoom + np.float32(near(rng, 0, 0.06, -0.2, 0.2))


def _pupils(rng: np.random.Generator, patient: Patient) -> tuple[Array, dict[str, float], float]:
    """Two eyes, or one, when a light comes on."""
    step = pick(rng, (0.1, 0.2, 0.25))
    wide = near(rng, 0.5, 0.22, 0.05, 1)
    fixed = seen(rng, patient.severity("stroke", "trauma"), 0.12)
    uneven = seen(rng, patient.severity("stroke"), 0.12) * pick(rng, (-1, 1))
    light = between(rng, 0.1, 0.5) * _FRAMES * step
    time = np.arange(_FRAMES) * step
    reaction = 0.55 * (1 - fixed) * (1 - np.exp(-np.clip(time - light, 0, 9) / 0.3))
    x, y = _plane(rng)
    both = chance(rng, 0.6)
    places = ((-0.5, 1), (0.5, -1)) if both else ((0.0, 1),)
    size = 0.36 if both else 0.62
    skin = np.array(
        [between(rng, 0.35, 0.85), between(rng, 0.3, 0.65), between(rng, 0.2, 0.5)], np.float32
    )
    iris = np.array(pick(rng, ((0.25, 0.4, 0.55), (0.35, 0.22, 0.1), (0.3, 0.42, 0.3))), np.float32)
    texture = mottle(rng, (_SIDE, _SIDE), 9)
    pictures = np.zeros((_FRAMES, 3, _SIDE, _SIDE), np.float32)
    gaze = near(rng, 0, 0.05, -0.15, 0.15)
    for index in range(_FRAMES):
        frame = (
            skin[:, None, None] * (0.9 + 0.06 * texture) * np.ones((3, _SIDE, _SIDE), np.float32)
        )
        for place, sign in places:
            cx = x - place
            lid = edge(1 - np.square(cx / size) - np.abs(y) / (0.62 * size), 25)
            frame += (0.9 - frame) * lid
            reach = np.hypot(cx - gaze, y)
            ring = edge(0.5 * size - reach, 60) * lid
            frame += (
                iris[:, None, None] * (0.8 + 0.2 * np.cos(18 * np.arctan2(y, cx - gaze))) - frame
            ) * ring
            hole = size * (0.08 + 0.34 * wide) * (1 + 0.4 * uneven * sign) * (1 - reaction[index])
            frame = frame * (1 - edge(hole - reach, 70) * lid)
            frame += (
                0.8 * bell(np.hypot(cx - gaze - 0.08, y + 0.08), 0.03) * (time[index] > light) * lid
            )
        pictures[index] = frame * (0.75 + 0.25 * (time[index] > light))
    findings = {"pupil_wide": signed(2 * wide - 1), "pupil_fixed": finding(fixed)}
    if both:
        findings["pupils_uneven"] = finding(abs(uneven))
    pictures += 0.02 * rng.standard_normal(pictures.shape, np.float32)
    return (pictures if chance(rng, 0.7) else pictures.mean(1)), findings, step


def _walk(rng: np.random.Generator, patient: Patient) -> tuple[Array, dict[str, float], float]:
    """A person of sticks who walks past, seen from the side."""
    step = pick(rng, (0.08, 0.12, 0.16))
    limp = seen(rng, max(patient.severity("stroke"), patient.severity("trauma")), 0.2)
    slow = near(
        rng, max(0.2 + patient.age / 200, 0.6 * patient.severity("stroke", "low_mood")), 0.2, 0, 1
    )
    bent = near(rng, patient.age / 120, 0.15, 0, 1)
    shake = seen(rng, 0.0, 0.15)
    x, y = _plane(rng)
    x, y = x * 1.15, y * 1.15
    stride, pace = 0.55 * (1 - 0.6 * slow), 1.1 * (1 - 0.5 * slow)
    speed = 0.9 * (1 - 0.7 * slow) * pick(rng, (-1, 1))
    start = -0.5 * speed * _FRAMES * step + between(rng, -0.2, 0.2)
    phase0 = rng.random() * 6.28
    ground = 0.2 + 0.25 * mottle(rng, (_SIDE, _SIDE), 30) * between(rng, 0, 0.5)
    dark = chance(rng, 0.5)
    pictures = np.zeros((_FRAMES, _SIDE, _SIDE), np.float32)
    for index in range(_FRAMES):
        phase = phase0 + 2 * np.pi * pace * index * step
        hip = np.array([start + speed * index * step, 0.05 + 0.02 * np.cos(2 * phase)])
        lean = np.sign(speed) * (0.05 + 0.5 * bent)
        neck = hip + np.array([np.sin(lean), -np.cos(lean)]) * 0.5
        sticks = [(hip, neck)]
        for leg in (0, 1):
            swing = stride * np.sin(phase + leg * np.pi) * (1 - 0.75 * limp * leg)
            knee = hip + 0.36 * np.array([np.sin(swing), np.cos(swing)])
            fold = swing - np.sign(speed) * 0.5 * max(np.cos(phase + leg * np.pi), 0) * (
                1 - limp * leg
            )
            sticks += [(hip, knee), (knee, knee + 0.36 * np.array([np.sin(fold), np.cos(fold)]))]
            arm = -0.8 * swing + 0.25 * shake * np.sin(11 * index + leg)
            hand = neck + 0.45 * np.array([np.sin(arm), np.cos(arm)])
            sticks.append((neck, hand))
        body = bell(np.hypot(x - neck[0] - 0.1 * np.sin(lean), y - neck[1] + 0.13), 0.10)
        for one, two in sticks:
            body = np.maximum(body, bell(_distance(x, y, one, two), 0.055))
        pictures[index] = ground * (1 - body) + body * 0.9
    if dark:
        pictures = 1 - pictures
    pictures += 0.03 * rng.standard_normal(pictures.shape, np.float32)
    findings = {
        "limp": finding(limp),
        "gait_slow": signed(2 * slow - 1),
        "stooped": signed(2 * bent - 1),
        "tremor": finding(shake),
    }
    return pictures, findings, step


def _distance(x: Array, y: Array, one: Array, two: Array) -> Array:
    """From each pixel to the stick from `one` to `two`."""
    dx, dy = (two - one).astype(np.float32)
    along = np.clip(((x - one[0]) * dx + (y - one[1]) * dy) / max(dx * dx + dy * dy, 1e-6), 0, 1)
    return np.hypot(x - one[0] - along * dx, y - one[1] - along * dy).astype(np.float32)
