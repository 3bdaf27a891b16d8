"""Whether chances mean what they say: the calibration curve, its error, slope and intercept.

Slope and intercept are those of a logistic regression of what happened on the logit of the chance
(Cox 1958, Biometrika 45:562; Van Calster et al. 2019, BMC Medicine 17:230): slope 1 is right,
below 1 too extreme; the intercept, with the slope held at 1, is 0 where the mean chance is right
and above 0 where it is too low.

Shape letters: n cases, R resamples.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit
from scipy.stats import binomtest

from fmstudio.evaluation.labelled_predictions import Question, score_of
from fmstudio.evaluation.metrics import calibration_error, chance_error
from fmstudio.evaluation.resampling import intervals, ratio
from fmstudio.results.calibration import (
    Calibration,
    CalibrationBin,
    ErrorIfRight,
    Recalibration,
)
from fmstudio.types import Interval

MOST_BINS, FEWEST_IN_BIN = 10, 10
STEPS = 12  # of Newton's method, which doubles the right digits with each
STEEPEST = 50.0  # a slope beyond this comes from cases that a threshold separates: undefined


def calibration(question: Question, recalibration: Recalibration) -> Calibration:
    """Error, slope, intercept and mean difference with intervals, and the curve in bins.

    `ece_if_right` is the error of chances that are all right: few cases show one even then.

    The curve has bins of as many cases each, at least ten; the interval of a bin is the exact one
    of a proportion (Clopper and Pearson 1934), as resampling shows none where nothing happened.
    """
    truth, chance = question.truth.astype(float), question.chance
    found = intervals(
        {
            "ece": lambda weights: calibration_error(truth, chance, weights),
            "slope": lambda weights: slope(chance, truth, weights),
            "intercept": lambda weights: intercept(chance, truth, weights),
            "in_the_large": lambda weights: ratio(weights @ (truth - chance), weights.sum(axis=1)),
        },
        len(question),
        question.patients,
    )
    return Calibration(
        n=len(question),
        positives=question.positives,
        **found,
        ece_if_right=_if_right(chance),
        bins=bins(question),
        histogram=tuple(np.histogram(chance, bins=20, range=(0, 1))[0].tolist()),
        recalibration=recalibration,
    )


def _if_right(chance: np.ndarray) -> ErrorIfRight:
    """The error that so many cases show by chance alone: its mean and 95th percentile."""
    errors = chance_error(chance)
    return ErrorIfRight(float(errors.mean()), float(np.quantile(errors, 0.95)))


def bins(question: Question) -> tuple[CalibrationBin, ...]:
    """What happened among cases of like chance."""
    count = max(1, min(MOST_BINS, len(question) // FEWEST_IN_BIN)) if len(question) else 0
    found = []
    for rows in np.array_split(np.argsort(question.chance, kind="stable"), count) if count else ():
        happened = int(question.truth[rows].sum())
        exact = binomtest(happened, len(rows)).proportion_ci(0.95, "exact")
        observed = Interval(happened / len(rows), float(exact.low), float(exact.high))
        found.append(CalibrationBin(len(rows), float(question.chance[rows].mean()), observed))
    return tuple(found)


def slope(chance: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Slope (R,) of the logistic recalibration of chances (n,); NaN where it has none."""
    return logistic(chance, truth, weights)[:, 1]


def logistic(chance: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Intercept and slope (R, 2) of the maximum-likelihood fit, all rows of weights at once."""
    score = score_of(chance)
    centre, spread = float(score.mean()), float(score.std())
    if len(score) < 2 or spread == 0:
        return np.full((len(weights), 2), np.nan)
    x = (score - centre) / spread
    found = np.tile([0.0, 1.0], (len(weights), 1))
    for _ in range(STEPS):
        p = expit(found[:, :1] + found[:, 1:] * x)
        left, w = weights * (truth - p), weights * p * (1 - p)
        gradient = np.stack([left.sum(axis=1), left @ x], axis=1)
        a, b, c = w.sum(axis=1) + 1e-9, w @ x, w @ x**2 + 1e-9
        determinant = np.maximum(a * c - b * b, 1e-18)
        step = np.stack(
            [c * gradient[:, 0] - b * gradient[:, 1], a * gradient[:, 1] - b * gradient[:, 0]],
            axis=1,
        )
        found = found + np.clip(step / determinant[:, None], -2, 2)
    own = np.stack([found[:, 0] - found[:, 1] * centre / spread, found[:, 1] / spread], axis=1)
    positives, everyone = weights @ truth, weights.sum(axis=1)
    usable = (positives > 0) & (positives < everyone) & (np.abs(own[:, 1]) < STEEPEST)
    return np.where(usable[:, None], own, np.nan)


def intercept(chance: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Intercept (R,) with the slope held at 1: by how much all logits are too low."""
    score = score_of(chance)
    found = np.zeros(len(weights))
    for _ in range(STEPS):
        p = expit(score + found[:, None])
        bend = (weights * p * (1 - p)).sum(axis=1) + 1e-9
        found = found + np.clip((weights * (truth - p)).sum(axis=1) / bend, -2, 2)
    positives = weights @ truth
    return np.where((positives > 0) & (positives < weights.sum(axis=1)), found, np.nan)
