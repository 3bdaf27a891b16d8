"""Clips: (patient) -> eight frames (8, C, 112, 112), as `pipelines/video.py` delivers them.

Ultrasound of lung and heart, pupils in light, people who walk.
"""

from __future__ import annotations

import numpy as np

from data_samples.varied import echo, lung_ultrasound, movements
from data_samples.varied.made import Made, between, chance, frames, pick
from data_samples.varied.patient import Patient, draw_patient
from data_samples.varied.phrases import describe

FRAMES, SIDE = 8, 112
_NAMES = ("video", "clip", "us", "echo", "loop", "cine")


def draw(rng: np.random.Generator, patient: Patient | None = None) -> Made:
    """A clip of a patient."""
    patient = patient or draw_patient(rng)
    ill, what = patient.states, rng.random()
    lung = 0.45 + 0.2 * max(ill["pneumonia"], ill["pneumothorax"], ill["bronchiolitis"])
    lung -= 0.2 * max(ill["valve"], ill["arrhythmia"])
    if what < lung:
        pictures, findings, step = lung_ultrasound.draw_lung(rng, patient)
    elif what < lung + 0.35:
        pictures, findings, step = echo.draw_echo(rng, patient)
    else:
        pictures, findings, step = movements.draw_movement(rng, patient)
    if pictures.ndim == 3:
        pictures = _shown(rng, pictures)
    name = pick(rng, _NAMES)
    every = pick(rng, (1, 2, 3, 4))
    names = [f"{name} {(i + 1) * every}/{FRAMES * every}" for i in range(FRAMES)]
    words = " ".join(describe(rng, findings, limit=pick(rng, (2, 3, 4))))
    return Made(frames(pictures, names, round(step, 4)), findings, words)


def _shown(rng: np.random.Generator, pictures: np.ndarray) -> np.ndarray:
    """Grey frames (L, H, W) with the gain, the crop and the lettering of a machine."""
    pictures = np.clip(pictures, 0, 1) ** np.float32(between(rng, 0.7, 1.4)) * np.float32(
        between(rng, 0.75, 1.15)
    )
    if chance(rng, 0.3):
        for _ in range(pick(rng, (1, 2, 3))):
            row, column = int(rng.random() * 100), int(pick(rng, (2, 6, 80, 90)))
            width = int(between(rng, 6, 20))
            letters = rng.random((5, width)) > 0.45
            pictures[:, row : row + 5, column : column + width] = np.maximum(
                pictures[:, row : row + 5, column : column + width],
                letters[:, : 112 - column] * 0.8,
            )
    if chance(rng, 0.2):
        ruler = np.zeros(SIDE, bool)
        ruler[:: int(between(rng, 6, 14))] = True
        pictures[:, ruler, 1:3] = 0.7
    if chance(rng, 0.08):
        tint = np.array(pick(rng, ((1, 0.9, 0.7), (0.8, 0.9, 1.0), (1.0, 0.8, 0.6))), np.float32)
        return pictures[:, None] * tint[:, None, None]
    return pictures
