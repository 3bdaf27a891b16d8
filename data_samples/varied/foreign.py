"""A few sentences on a patient in German, French or Spanish."""

from __future__ import annotations

import numpy as np

from data_samples.varied.made import chance, pick
from data_samples.varied.patient import Patient
from data_samples.varied.wording import options, rows

_LANGUAGES = tuple(
    {row["state"]: options(row[language]) for row in rows("foreign") if row[language]}
    for language in ("german", "french", "spanish")
)


def foreign_sentences(rng: np.random.Generator, patient: Patient) -> str:
    """One to five sentences in one other language."""
    said = pick(rng, _LANGUAGES)
    sentences = [
        pick(rng, said[name]) for name in patient.illnesses if name in said and chance(rng, 0.85)
    ]
    sentences += [pick(rng, said["any"]) for _ in range(pick(rng, (1, 1, 2)))]
    return " ".join(dict.fromkeys(sentences))
