"""The hidden state that all modalities of one made-up patient share: who it is and what is wrong.

Illnesses are severities in [0, 1], most of them 0. They come together as they do in wards: valve
disease with heart failure, pneumonia with sepsis, diabetes with kidney disease.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from data_samples.varied.made import between, chance, pick

ILLNESSES = (
    "heart_failure",
    "pneumonia",
    "obstruction",
    "sepsis",
    "arrhythmia",
    "valve",
    "diabetes",
    "low_mood",
    "trauma",
    "kidney",
    "liver",
    "anaemia",
    "pneumothorax",
    "malignancy",
    "stroke",
    "bronchiolitis",
    "colic",
)
# illness: (youngest, oldest) in years
_AGES = {
    "heart_failure": (0, 120),
    "pneumonia": (0, 120),
    "obstruction": (4, 120),
    "sepsis": (0, 120),
    "arrhythmia": (10, 120),
    "valve": (0, 120),
    "diabetes": (5, 120),
    "low_mood": (12, 120),
    "trauma": (2, 120),
    "kidney": (10, 120),
    "liver": (20, 120),
    "anaemia": (0, 120),
    "pneumothorax": (0, 120),
    "malignancy": (25, 120),
    "stroke": (35, 120),
    "bronchiolitis": (0, 3),
    "colic": (0, 1),
}
# (cause, consequence, how likely, how much of it)
_FOLLOWS = (
    ("valve", "heart_failure", 0.35, 0.8),
    ("pneumonia", "sepsis", 0.35, 0.9),
    ("diabetes", "kidney", 0.35, 0.8),
    ("heart_failure", "arrhythmia", 0.3, 0.8),
    ("heart_failure", "kidney", 0.25, 0.6),
    ("trauma", "anaemia", 0.4, 0.8),
    ("trauma", "pneumothorax", 0.3, 0.8),
    ("kidney", "anaemia", 0.4, 0.7),
    ("malignancy", "anaemia", 0.4, 0.7),
    ("malignancy", "pneumonia", 0.2, 0.8),
    ("liver", "anaemia", 0.3, 0.6),
    ("obstruction", "pneumonia", 0.2, 0.7),
    ("stroke", "low_mood", 0.2, 0.7),
    ("diabetes", "low_mood", 0.15, 0.6),
)


@dataclass(frozen=True)
class Patient:
    """One made-up patient. `habitus` is standard normal (heavy is positive); `course` runs from
    -1 (recovering) to 1 (getting worse).
    """

    age: float
    female: bool
    habitus: float
    course: float
    illnesses: Mapping[str, float]

    def severity(self, *names: str) -> float:
        """The worst of some illnesses, in [0, 1]."""
        return max(self.illnesses.get(name, 0.0) for name in names)

    @property
    def states(self) -> dict[str, float]:
        """Illnesses and what they lead to in the body, all in [0, 1]."""
        ill = {name: self.illnesses.get(name, 0.0) for name in ILLNESSES}
        lung = max(ill["pneumonia"], ill["bronchiolitis"])
        infection = max(0.75 * lung, ill["sepsis"])
        hypoxia = 1 - (1 - 0.7 * lung) * (1 - 0.6 * ill["heart_failure"]) * (
            1 - 0.6 * max(ill["obstruction"], ill["pneumothorax"])
        )
        shock = 1 - (1 - 0.8 * ill["sepsis"]) * (1 - 0.4 * ill["heart_failure"]) * (
            1 - 0.5 * ill["trauma"]
        )
        coma = max(0.8 * ill["stroke"], 0.5 * ill["trauma"], 0.35 * ill["sepsis"])
        return ill | {"infection": infection, "hypoxia": hypoxia, "shock": shock, "coma": coma}


def draw_patient(rng: np.random.Generator, youngest: float = 0, oldest: float = 95) -> Patient:
    """A patient of any age in the range with none to four illnesses."""
    age = youngest - 1
    while not youngest <= age <= oldest:
        age = between(rng, *pick(rng, ((0, 0.1), (0, 2), (1, 16), (16, 95), (16, 60), (50, 95))))
    possible = [name for name in ILLNESSES if _AGES[name][0] <= age <= _AGES[name][1]]
    ill: dict[str, float] = {}
    for _ in range(pick(rng, (0, 1, 1, 1, 2, 2, 3))):
        ill[pick(rng, possible)] = between(rng, 0.25, 1.0)
    for cause, consequence, likely, share in _FOLLOWS:
        if cause in ill and consequence not in ill and chance(rng, likely):
            ill[consequence] = ill[cause] * share * between(rng, 0.5, 1.0)
    habitus = float(np.clip(rng.standard_normal(), -2.2, 2.5))
    return Patient(age, chance(rng, 0.5), habitus, between(rng, -1, 1), ill)
