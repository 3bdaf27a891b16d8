"""Judging answers that are numbers: whether they are right on average, and for each group.

Shape letters: n cases, R resamples.
"""

from __future__ import annotations

import numpy as np

from fmstudio.evaluation.labelled_predictions import LabelledPredictions
from fmstudio.evaluation.reliability import FEWEST_IN_BIN, MOST_BINS
from fmstudio.evaluation.resampling import Figure, intervals, ratio
from fmstudio.results.calibration import CalibrationBin, RegressionCalibration
from fmstudio.results.subgroups import (
    RegressionGroup,
    RegressionSubgroups,
    SmallRegressionGroup,
)

SMALLEST = 20  # cases of a group whose figures are told


def calibration_of_numbers(answered: LabelledPredictions) -> RegressionCalibration:
    """Slope and intercept of truth on answer by least squares, mean difference, and bins.

    Slope 1 and intercept 0 are right; a slope below 1 says that answers are too extreme.
    """
    truth, answer = answered.targets, answered.outputs

    def slope(weights: np.ndarray) -> np.ndarray:
        total = weights.sum(axis=1)
        mean_x, mean_y = ratio(weights @ answer, total), ratio(weights @ truth, total)
        spread = ratio(weights @ answer**2, total) - mean_x**2
        shared = ratio(weights @ (answer * truth), total) - mean_x * mean_y
        return ratio(shared, np.where(spread > 1e-12, spread, 0.0))

    def intercept(weights: np.ndarray) -> np.ndarray:
        total = weights.sum(axis=1)
        mean_truth, mean_answer = ratio(weights @ truth, total), ratio(weights @ answer, total)
        offset: np.ndarray = mean_truth - slope(weights) * mean_answer
        return offset

    figures = {"slope": slope, "intercept": intercept, **_errors(answered)}
    found = intervals(figures, len(answered), answered.patients)
    return RegressionCalibration(n=len(answered), bins=_bins(answered), **found)


def subgroups_of_numbers(answered: LabelledPredictions) -> RegressionSubgroups:
    """Mean absolute error and bias of each group of at least 20 cases; others are named.

    The bias is the mean of truth minus prediction. Intervals are of each group alone; nothing is
    tested.
    """
    groups: list[RegressionGroup] = []
    small: list[SmallRegressionGroup] = []
    for column, values in answered.groups.items():
        for value in sorted(set(values) - {""}):
            rows = np.flatnonzero(np.array(values) == value)
            if len(rows) < SMALLEST:
                small.append(SmallRegressionGroup({column: value}, len(rows)))
                continue
            own = answered.take(rows)
            found = intervals(_errors(own), len(own), own.patients)
            groups.append(RegressionGroup({column: value}, len(rows), found))
    return RegressionSubgroups(len(answered), tuple(groups), tuple(small), tests=0, gaps=())


def _errors(answered: LabelledPredictions) -> dict[str, Figure]:
    left = answered.targets - answered.outputs
    return {
        "mae": lambda w: ratio(w @ np.abs(left), w.sum(axis=1)),
        "in_the_large": lambda w: ratio(w @ left, w.sum(axis=1)),
    }


def _bins(answered: LabelledPredictions) -> tuple[CalibrationBin, ...]:
    """Truth among cases of like answers, with intervals over resampled patients."""
    count = max(1, min(MOST_BINS, len(answered) // FEWEST_IN_BIN))
    found = []
    for rows in np.array_split(np.argsort(answered.outputs, kind="stable"), count):
        truth = answered.targets[rows]
        mean = {"mean": lambda w, truth=truth: ratio(w @ truth, w.sum(axis=1))}
        observed = intervals(mean, len(rows), answered.patients[rows])["mean"]
        found.append(CalibrationBin(len(rows), float(answered.outputs[rows].mean()), observed))
    return tuple(found)
