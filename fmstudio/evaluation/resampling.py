"""95 % intervals by resampling patients: figures of case weights in, intervals out.

A figure is a function of case weights (R, n) -> (R,). With all weights 1 it is the figure itself;
with weights drawn by resampling patients it is the bootstrap (Efron and Tibshirani 1993, chapter
13), for all R resamples at once. Patients, not cases, are drawn: two cases of one patient are not
two independent observations.

Shape letters: n cases, R resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache

import numpy as np

from fmstudio.types import Interval

BLOCK = 4_000_000  # weights in memory at a time, so that 10 000 cases cost 32 MB, not 80
RESAMPLES = 1000

Figure = Callable[[np.ndarray], np.ndarray]
Patients = Sequence[object] | np.ndarray


def resampled(patients: Patients, seed: int, resamples: int) -> Iterator[np.ndarray]:
    """Case weights (r, n) of patients drawn with replacement, in blocks of r <= R rows.

    Patients count in the order of their first cases: by whatever names they go, the same cases in
    the same order get the same weights, and a figure has one interval wherever it is shown.
    """
    _, first, named = np.unique(
        np.asarray(patients, dtype=str), return_index=True, return_inverse=True
    )
    patient_of_case = np.argsort(np.argsort(first))[named]
    count = int(patient_of_case.max(initial=-1)) + 1
    rows = max(1, BLOCK // max(1, len(patient_of_case)))
    if resamples <= rows:  # many figures of the same cases are resampled one after the other
        yield _times(count, seed, resamples)[:, patient_of_case].astype(float)
        return
    random = np.random.default_rng(seed)
    for start in range(0, resamples, rows):
        times = _draw(random, count, min(rows, resamples - start))
        yield times[:, patient_of_case].astype(float)


@lru_cache(maxsize=4)
def _times(count: int, seed: int, resamples: int) -> np.ndarray:
    return _draw(np.random.default_rng(seed), count, resamples)


def _draw(random: np.random.Generator, count: int, resamples: int) -> np.ndarray:
    """How often each of `count` patients is drawn: (R, count)."""
    if not count:
        return np.zeros((resamples, 0), int)
    return random.multinomial(count, np.full(count, 1 / count), size=resamples)


def drawn(
    figures: Mapping[str, Figure],
    patients: Patients,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, np.ndarray]:
    """Each figure in every resample, (R,) or (R, T); nothing, (0,), for a single patient."""
    several = len(set(patients)) > 1
    found: dict[str, list[np.ndarray]] = {name: [] for name in figures}
    for weights in resampled(patients, seed, resamples if several else 0):
        for name, figure in figures.items():
            found[name].append(figure(weights))
    return {name: np.concatenate(parts or [np.empty(0)]) for name, parts in found.items()}


def intervals(
    figures: Mapping[str, Figure],
    n: int,
    patients: Patients,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, Interval]:
    """Each figure of `n` cases with its 95 % percentile interval."""
    whole, several = np.ones((1, n)), drawn(figures, patients, seed, resamples)
    return {
        name: interval(float(figure(whole)[0]), several[name]) for name, figure in figures.items()
    }


def interval(value: float, resamples: np.ndarray) -> Interval:
    """A value with the middle 95 % of its resamples (R,), those that are defined."""
    defined = resamples[~np.isnan(resamples)]
    if np.isnan(value) or not len(defined):
        return Interval(value, np.nan, np.nan)
    low, high = np.percentile(defined, [2.5, 97.5])
    return Interval(value, float(low), float(high))


def at_edges(found: Interval, hits: int, of: int) -> Interval:
    """The interval of a share; where nobody or everybody was hit, the exact one of Clopper and
    Pearson (1934), as resampling sees no spread in 0 of 7."""
    if not of or 0 < hits < of:
        return found
    low, high = 0.025 ** (1 / of), 1 - 0.025 ** (1 / of)
    return Interval(1.0, low, 1.0) if hits else Interval(0.0, 0.0, high)


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """above / below, NaN where below is 0."""
    below = np.asarray(below, float)
    shares: np.ndarray = np.full(below.shape, np.nan)
    np.divide(above, below, out=shares, where=below > 0)
    return shares
