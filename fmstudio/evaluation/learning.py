"""How the model would do with more patients: a power law through refits on fewer of them.

The score of a model fitted to n cases follows c - a · n^(-b) over a wide range (Figueroa et al.
2012, BMC Med Inform Decis Mak 12:8; Viering and Loog 2022, arXiv 2103.10948). The law is fitted to
refits on nested subsets of the training patients, each judged on the same held-out patients; its
band comes from resampling those. It is a forecast for patients like these, not a promise.

Shape letters: S sizes, n held-out cases, R resamples, P points of the forecast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import nnls

from fmstudio.evaluation.metrics import figures_of, headline, mean_over
from fmstudio.evaluation.resampling import Patients, drawn, interval
from fmstudio.types import TaskSpec

POWERS = np.linspace(0.1, 1.0, 19)  # steeper ones are seen only by luck
FARTHEST = 8  # times the cases at hand: beyond, a forecast would be a guess
RESAMPLES = 300
FEWEST_SIZES = 3


@dataclass(frozen=True)
class Refit:
    """Models fitted to subsets of one size: how many cases and positives each had, on average, and
    the outputs of each refit for the held-out cases."""

    cases: float
    positives: float
    outputs: Sequence[np.ndarray]


@dataclass(frozen=True)
class PowerLaw:
    """score(n) = ceiling - scale · n^(-power)."""

    ceiling: float
    scale: float
    power: float

    def at(self, n: np.ndarray | float) -> np.ndarray:
        """The score at numbers of cases."""
        return self.ceiling - self.scale * np.asarray(n, float) ** -self.power

    def cases_for(self, target: float) -> float:
        """The number of cases at which a score is reached; infinite if it never is."""
        if target >= self.ceiling or self.scale <= 0:
            return float("inf")
        return float((self.scale / (self.ceiling - target)) ** (1 / self.power))


def fit_power_law(sizes: np.ndarray, scores: np.ndarray) -> PowerLaw:
    """The law of least squares through scores (S) at sizes (S), with a ceiling of at most 1.

    For each power on a grid the rest is linear, with 1 - ceiling and scale of at least 0. Larger
    sizes, whose refits differ less from one another, weigh more: by the root of the size.
    """
    best: tuple[float, PowerLaw] | None = None
    weights = np.sqrt(sizes / sizes.max()) ** 0.5
    for power in POWERS:
        # 1 - score = (1 - ceiling) + scale · n^(-power)
        unit = (sizes / sizes.min()) ** -power
        table = np.stack([np.ones_like(unit), unit], axis=1) * weights[:, None]
        (gap, scale), left = nnls(table, (1 - scores) * weights)
        if best is None or left < best[0] - 1e-12:
            law = PowerLaw(1 - gap, scale * sizes.min() ** power, float(power))
            best = left, law
    assert best is not None
    return best[1]


def learning_curve(
    task: TaskSpec, targets: np.ndarray, patients: Patients, refits: Sequence[Refit]
) -> dict[str, Any]:
    """{n, points, curve, forecast, reason}: what was measured, the law and its band, what it takes.

    `forecast` gives for rounded scores above the present one how many more cases and positives it
    would take, {value, low, high}; null is more than eight times what there is, or never.
    """
    name = headline(task)
    figures = {
        str(index): mean_over([figures_of(task, targets, out)[name] for out in refit.outputs])
        for index, refit in enumerate(refits)
    }
    several, whole = drawn(figures, patients, 0, RESAMPLES), np.ones((1, len(targets)))
    scores = np.array([float(figures[key](whole)[0]) for key in figures])
    points = [
        {
            "cases": round(refit.cases),
            "positives": round(refit.positives),
            name: interval(score, several[str(index)]).as_dict(),
        }
        for index, (refit, score) in enumerate(zip(refits, scores, strict=True))
    ]
    start = {"n": len(targets), "metric": name, "points": points}
    usable = np.isfinite(scores)
    if usable.sum() < FEWEST_SIZES:
        return start | {
            "curve": [],
            "forecast": [],
            "reason": "Too few patients to refit on parts of them.",
        }
    sizes = np.array([refit.cases for refit in refits])
    law = fit_power_law(sizes[usable], scores[usable])
    drawn_scores = np.stack([several[key] for key in figures], axis=1)
    laws = [
        fit_power_law(sizes[known], row[known])
        for row in drawn_scores
        if (known := np.isfinite(row) & usable).sum() >= FEWEST_SIZES
    ]
    grid = np.geomspace(sizes.min(), sizes.max() * FARTHEST, 40)
    band = np.array([one.at(grid) for one in laws]).reshape(-1, len(grid))
    now, share = float(sizes.max()), refits[-1].positives / refits[-1].cases
    return start | {
        "law": {"ceiling": law.ceiling, "scale": law.scale, "power": law.power},
        "curve": [
            {"cases": float(n), **interval(float(v), band[:, i]).as_dict()}
            for i, (n, v) in enumerate(zip(grid, law.at(grid), strict=True))
        ],
        "forecast": [
            _needed(target, now, share, law, laws) for target in _targets(float(law.at(now)))
        ],
        "reason": None,
    }


def _targets(present: float) -> list[float]:
    """The next two scores of 0.05 above the present one, below 1."""
    first = np.floor(present / 0.05 + 1 + 1e-9) * 0.05
    return [round(float(t), 2) for t in (first, first + 0.05) if t < 0.995]


def _needed(
    target: float, now: float, share: float, law: PowerLaw, laws: Sequence[PowerLaw]
) -> dict[str, Any]:
    """How many more cases and positives a score takes."""
    several = np.array([one.cases_for(target) for one in laws] or [np.inf])
    # Nearest ranks: there is nothing between a number and never.
    low, high = np.quantile(several, [0.025, 0.975], method="nearest")
    found = {"value": law.cases_for(target), "low": float(low), "high": float(high)}

    def more(cases: float, part: float) -> int | None:
        return None if cases > now * FARTHEST else round(max(0.0, cases - now) * part)

    return {
        "target": target,
        "more_cases": {key: more(value, 1.0) for key, value in found.items()},
        "more_positives": {key: more(value, share) for key, value in found.items()},
    }
