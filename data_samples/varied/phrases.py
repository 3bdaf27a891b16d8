"""Findings as clinicians put them: what they say where it is there, and where it is not.

The sentences are in `vocabulary/phrases.tsv`: `{grade}` becomes a word for how much, `{where}` a
side and zone. A finding without a row there is not spoken of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from data_samples.varied.made import chance, pick
from data_samples.varied.wording import options, rows


@dataclass(frozen=True)
class Phrase:
    """Sentences for a finding that is low or absent, in the middle, or high or present."""

    low: tuple[str, ...]
    middle: tuple[str, ...]
    high: tuple[str, ...]
    signed: bool


PHRASES: dict[str, Phrase] = {
    row["finding"]: Phrase(
        options(row["low"]), options(row["middle"]), options(row["high"]), row["form"] == "signed"
    )
    for row in rows("phrases")
}
_NOTHING = ("Unremarkable.", "Nothing of note.", "No relevant findings.")
_GRADES = (
    ("subtle", "minimal", "mild", "small", "slight", "discrete"),
    ("moderate", "definite", "medium", "clear", "some"),
    ("severe", "marked", "large", "extensive", "massive", "gross"),
)
_SIDES = {
    -1: ("on the right", "in the right lung", "R"),
    0: ("bilaterally", "on both sides", "in both lungs"),
    1: ("on the left", "in the left lung", "L"),
}
_ZONES = (
    ("upper zone", "upper lobe", "apex"),
    ("mid zone", "perihilar region"),
    ("lower zone", "base", "lower lobe"),
)


def describe(
    rng: np.random.Generator, findings: Mapping[str, float], limit: int = 3, denied: float = 0.3
) -> list[str]:
    """Up to `limit` sentences on findings, what is there before what is not, in varied order."""
    present, absent = [], []
    for key, value in findings.items():
        phrase = PHRASES.get(key)
        if phrase is None:
            continue
        sentences, there = _sentences(phrase, value)
        if sentences:
            (present if there else absent).append((key, sentences, value))
    _shuffle(rng, present)
    _shuffle(rng, absent)
    present.sort(key=lambda each: -abs(each[2]) * (0.5 + rng.random()))
    spare = int(rng.random() < 0.6) if denied else 0
    chosen = present[: max(limit - spare, 1)]
    chosen += absent[: limit - len(chosen)] if not chosen or chance(rng, denied + 0.4) else []
    if not chosen:
        return [pick(rng, _NOTHING)]
    if chance(rng, 0.5):
        _shuffle(rng, chosen)
    return [
        _sentence(rng, pick(rng, sentences), key, value, findings)
        for key, sentences, value in chosen
    ]


def _shuffle(rng: np.random.Generator, items: list[Any]) -> None:
    for last in range(len(items) - 1, 0, -1):
        other = int(rng.random() * (last + 1))
        items[last], items[other] = items[other], items[last]


def _sentences(phrase: Phrase, value: float) -> tuple[tuple[str, ...], bool]:
    """The sentences that fit a value, and whether they speak of something that is there."""
    if phrase.signed:
        if value < -0.4:
            return phrase.low, True
        return (phrase.high, True) if value > 0.4 else (phrase.middle, False)
    if value < -0.75:
        return phrase.low, False
    return (phrase.high, True) if value > -0.6 else ((), False)


def _sentence(
    rng: np.random.Generator, template: str, key: str, value: float, findings: Mapping[str, float]
) -> str:
    grade = pick(rng, _GRADES[0 if value < -0.1 else 1 if value < 0.5 else 2])
    if chance(rng, 0.25):
        template = template.replace("{grade} ", "").replace(", {grade}", "")
    said = template.replace("{grade}", grade)
    if "{" in said:
        said = said.replace("{where}", _where(rng, key, findings))
        said = said.replace("{murmur}", _murmur(rng, findings))
        coarse = findings.get("crackles_coarse", 0.0)
        said = said.replace("{crackles}", "coarse" if coarse > 0 else "fine")
    said = " ".join(said.split()).replace(" ,", ",").strip(" ,")
    return said[0].upper() + said[1:] + "."


def _where(rng: np.random.Generator, key: str, findings: Mapping[str, float]) -> str:
    if key == "murmur":
        base = findings.get("murmur_base", 0.0)
        return pick(
            rng,
            ("at the base", "over the aortic area", "at the upper sternal border")
            if base > 0.2
            else ("at the apex", "at the lower sternal border", "radiating to the axilla"),
        )
    side = findings.get(f"{key}_side")
    words = pick(rng, _SIDES[int(side)]) if side is not None else ""
    zone = findings.get(f"{key}_zone")
    if zone is not None and chance(rng, 0.7):
        place = pick(rng, _ZONES[0 if zone < -0.3 else 1 if zone < 0.3 else 2])
        words = f"{words}, {place}"
    if findings.get(f"{key}_peripheral", -1) > 0 and chance(rng, 0.7):
        words = f"{words}, peripheral"
    if findings.get(f"{key}_patchy", -1) > 0 and chance(rng, 0.6):
        words = f"{words}, patchy"
    return words


def _murmur(rng: np.random.Generator, findings: Mapping[str, float]) -> str:
    if findings.get("murmur_systolic", 1) < 0:
        return pick(rng, ("diastolic", "early diastolic"))
    if findings.get("murmur_holosystolic", -1) > 0:
        return pick(rng, ("holosystolic", "pansystolic"))
    return pick(
        rng,
        ("ejection systolic", "crescendo-decrescendo systolic")
        if findings.get("murmur_diamond", -1) > 0
        else ("systolic", "late systolic"),
    )
