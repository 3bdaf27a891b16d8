"""Made-up cases: (seed, index) -> two to six modalities of one patient, in memory.

The same seed and index give the same case, whatever was made before. `MAKERS` gives single inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from data_samples.varied import clips, curves, films, sounds, tables, texts
from data_samples.varied.made import Made, chance, pick
from data_samples.varied.patient import draw_patient

MAKERS: Mapping[str, Callable[[np.random.Generator], Made]] = {
    "radiology": films.draw,
    "device_logs": curves.draw,
    "audio": sounds.draw,
    "video": clips.draw,
    "ehr": tables.draw,
    "notes": texts.draw,
}
_SEEN = {
    "radiology": films.draw,
    "device_logs": curves.draw,
    "audio": sounds.draw,
    "video": clips.draw,
    "ehr": tables.draw,
}


def case(seed: int, index: int) -> dict[str, Made]:
    """Two to six modalities of one made-up patient, by name; a note speaks of the others."""
    rng = np.random.default_rng((seed, index))
    patient = draw_patient(rng)
    names = [name for name in _SEEN if chance(rng, 0.5)] or [pick(rng, tuple(_SEEN))]
    made = {name: _SEEN[name](rng, patient) for name in names}
    if len(made) < 2 or chance(rng, 0.7):
        made["notes"] = texts.draw(rng, patient, list(made.values()))
    return made


def single(modality: str, seed: int, index: int) -> Made:
    """One input of one modality of some patient."""
    place = tuple(MAKERS).index(modality)
    return MAKERS[modality](np.random.default_rng((seed, index, place)))
