"""The hidden state of a made-up patient, how it decides the outcome, and what each file may show.

Six severities, each a standard normal number, drawn with a mild correlation, decide the outcome:
P(deterioration) = sigmoid(INTERCEPT + WEIGHTS · severities). Each modality shows one severity
well (its main sign) and another one faintly (its side sign); nothing else of the state is seen.
So the best possible AUROC is known, and no single modality comes near it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

SEVERITIES = ("opacity", "obstruction", "cardiac", "inflammation", "hypoxia", "burden")
WEIGHTS = np.array([1.20, 1.15, 1.10, 1.10, 1.15, 1.10])
CORRELATION = 0.06  # between any two severities: the sick are a little sicker in everything
INTERCEPT = -1.38  # gives 35 % of cases the outcome

# modality: (severity it shows well, severity it shows faintly)
SIGNS = {
    "film": ("opacity", "cardiac"),  # consolidation; heart size
    "table": ("inflammation", "hypoxia"),  # CRP, leukocytes, lactate; saturation on admission
    "note": ("burden", "obstruction"),  # symptoms and history; mention of wheeze
    "monitor": ("hypoxia", "inflammation"),  # desaturation; heart rate and temperature
    "sound": ("obstruction", "opacity"),  # wheeze; crackles
    "clip": ("cardiac", "burden"),  # wall motion; wall thickness
}
MAIN, SIDE = 0.95, 0.45  # correlation of a main and of a side sign with its severity

# Share of cases without this modality; for the table, without blood results.
MISSING = {
    "film": 0.10,
    "table": 0.10,
    "note": 0.12,
    "monitor": 0.12,
    "sound": 0.14,
    "clip": 0.15,
}
SECOND_CASE = 0.07  # chance that a case is the previous patient's return
RETURN_CORRELATION = 0.7  # of the severities of a patient's two cases


@dataclass(frozen=True)
class Person:
    """What stays the same between two cases of one patient. `habitus` is 0 for an average build."""

    patient_id: str
    sex: str
    age: int
    habitus: float
    smoker: str


@dataclass(frozen=True)
class State:
    """One case: who, how ill, what comes of it, and which files there are.

    `severities` are (6,) in the order of SEVERITIES; `signs` give (main, side) per modality.
    """

    index: int
    person: Person
    severities: np.ndarray
    signs: Mapping[str, tuple[float, float]]
    risk: float
    deteriorates: bool
    present: frozenset[str]

    @property
    def case_id(self) -> str:
        """The name of the case in the manifest and of its files."""
        return f"case_{self.index + 1:04d}"


def case_rng(seed: int, index: int, purpose: int) -> np.random.Generator:
    """Random numbers of one case for one purpose: a case is the same in any size of cohort."""
    return np.random.default_rng(np.random.SeedSequence((seed, index, purpose)))


def draw_states(cases: int, seed: int) -> list[State]:
    """The hidden states of a cohort, deterministic by seed."""
    states: list[State] = []
    for index in range(cases):
        rng = case_rng(seed, index, 0)
        severities = _draw_severities(rng)
        person = _draw_person(rng, index, seed)
        returns = rng.random() < SECOND_CASE
        if returns and states and (index < 2 or states[-2].person != states[-1].person):
            person = states[-1].person
            fresh = np.sqrt(1 - RETURN_CORRELATION**2)
            severities = RETURN_CORRELATION * states[-1].severities + fresh * severities
        states.append(_complete(index, person, severities, rng))
    return states


def _draw_severities(rng: np.random.Generator, cases: int | None = None) -> np.ndarray:
    """Severities (6,), or (cases, 6): one common factor and six of their own."""
    rows = () if cases is None else (cases,)
    common = rng.standard_normal((*rows, 1))
    own = rng.standard_normal((*rows, len(SEVERITIES)))
    return np.sqrt(CORRELATION) * common + np.sqrt(1 - CORRELATION) * own


def _draw_person(rng: np.random.Generator, index: int, seed: int) -> Person:
    return Person(
        patient_id=f"P{seed % 1000:03d}{index + 1:05d}",
        sex=str(rng.choice(["F", "M"])),
        age=int(np.clip(rng.normal(64, 14), 19, 96)),
        habitus=float(np.clip(rng.standard_normal(), -2, 2.5)),
        smoker=str(rng.choice(["never", "former", "current"], p=[0.45, 0.35, 0.20])),
    )


def _complete(
    index: int, person: Person, severities: np.ndarray, rng: np.random.Generator
) -> State:
    signs = {
        modality: (
            float(_seen(severities[SEVERITIES.index(main)], MAIN, rng)),
            float(_seen(severities[SEVERITIES.index(side)], SIDE, rng)),
        )
        for modality, (main, side) in SIGNS.items()
    }
    risk = float(_sigmoid(INTERCEPT + WEIGHTS @ severities))
    deteriorates = bool(rng.random() < risk)
    present = {name for name, share in MISSING.items() if rng.random() >= share}
    if not present:
        present = {"note"}
    return State(index, person, severities, signs, risk, deteriorates, frozenset(present))


def _seen(severity: np.ndarray, correlation: float, rng: np.random.Generator) -> np.ndarray:
    """A standard normal sign that correlates so much with the severity behind it."""
    noise = rng.standard_normal(np.shape(severity))
    return correlation * severity + np.sqrt(1 - correlation**2) * noise


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def best_auroc(n: int = 200_000, seed: int = 0) -> dict[str, float]:
    """The best AUROC that anything can reach, by Monte Carlo over `n` cases.

    `severities`: from the hidden state itself. `signs`: from everything that complete cases show.
    `cohort`: the same with modalities missing as often as in a generated cohort, the bound for
    models. One entry per modality: from its two signs alone, where it is there.
    """
    rng = np.random.default_rng(seed)
    severities = _draw_severities(rng, n)
    log_odds = INTERCEPT + severities @ WEIGHTS
    outcome = rng.random(n) < _sigmoid(log_odds)
    signs, there = [], []
    for modality, pair in SIGNS.items():
        for severity, correlation in zip(pair, (MAIN, SIDE), strict=True):
            signs.append(_seen(severities[:, SEVERITIES.index(severity)], correlation, rng))
        there.append(rng.random(n) >= MISSING[modality])
    seen, there = np.stack(signs, 1), np.stack(there, 1)

    best = {"severities": auroc(outcome, log_odds)}
    best["signs"] = auroc(outcome, _expected_risk(log_odds, seen, np.ones_like(there)))
    best["cohort"] = auroc(outcome, _expected_risk(log_odds, seen, there))
    for place, modality in enumerate(SIGNS):
        only = np.zeros_like(there)
        only[:, place] = True
        best[modality] = auroc(outcome, _expected_risk(log_odds, seen, only))
    return best


def _expected_risk(log_odds: np.ndarray, signs: np.ndarray, there: np.ndarray) -> np.ndarray:
    """P(outcome) given the signs (n, 12) of the modalities that are `there` (n, 6).

    Log-odds and signs are jointly normal, so the log-odds given some signs are normal with a
    linear mean; the mean of their sigmoid is MacKay's approximation (Neural Computation 4, 1992).
    """
    risk = np.empty(len(log_odds))
    spread = np.cov(np.column_stack([signs, log_odds]), rowvar=False)
    patterns, which = np.unique(there, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        rows, seen = which == number, np.flatnonzero(np.repeat(pattern, 2))
        weights = np.linalg.solve(spread[np.ix_(seen, seen)], spread[seen, -1])
        variance = spread[-1, -1] - weights @ spread[seen, -1]
        expected = INTERCEPT + signs[rows][:, seen] @ weights
        risk[rows] = _sigmoid(expected / np.sqrt(1 + np.pi * variance / 8))
    return risk


def auroc(outcome: np.ndarray, score: np.ndarray) -> float:
    """The chance that a case with the outcome scores above one without (Mann-Whitney)."""
    positive = int(np.sum(outcome))
    ranks = rankdata(score)
    pairs = positive * (len(outcome) - positive)
    return float((ranks[outcome].sum() - positive * (positive + 1) / 2) / pairs)
