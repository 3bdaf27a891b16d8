"""ROC and precision-recall curves with bands, as points to draw, not figures to judge by.

Shape letters: n cases, R resamples, G points of the grid, D distinct chances.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from sklearn.metrics import precision_recall_curve, roc_curve

from fmstudio.evaluation.labelled_predictions import Question
from fmstudio.evaluation.metrics import auroc, average_precision
from fmstudio.evaluation.resampling import drawn, intervals
from fmstudio.results.discrimination import Band, Curve, Discrimination

GRID = np.linspace(0, 1, 51)
CURVE_RESAMPLES = 400  # a band is looked at, not read off to three places


def discrimination(question: Question) -> Discrimination:
    """AUROC and AUPRC with intervals, and both curves with 95 % bands over resampled patients.

    The band of the ROC curve is of sensitivity at each false positive rate, that of the other of
    precision at each sensitivity. Without cases of either answer the curves are empty.
    """
    found = intervals(
        {
            "auroc": lambda weights: auroc(question.truth, question.chance, weights),
            "auprc": lambda weights: average_precision(question.truth, question.chance, weights),
        },
        len(question),
        question.patients,
    )
    found["auprc"] = replace(found["auprc"], prevalence=question.positives / len(question))
    n, positives = len(question), question.positives
    if not question.both:
        return Discrimination(n, positives, **found, roc=None, pr=None)
    truth, chance = question.truth, question.chance

    bands = {"roc": partial(_sensitivity, truth, chance), "pr": partial(_precision, truth, chance)}
    several = drawn(bands, question.patients, 0, CURVE_RESAMPLES)
    false, true, _ = roc_curve(truth, chance)
    values, recall, _ = precision_recall_curve(truth, chance)
    return Discrimination(
        n,
        positives,
        **found,
        roc=_curve(false, true, several["roc"]),
        pr=_curve(recall[::-1], values[::-1], several["pr"]),
    )


def _sensitivity(truth: np.ndarray, chance: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The best sensitivity (R, G) at each false positive rate of the grid; NaN with one class."""
    hits, alarms = _called(truth, chance, weights)
    rows = [
        _at(row_x / max(row_x[-1], 1), row_y) for row_x, row_y in zip(alarms, hits, strict=True)
    ]
    found = np.array(rows) / np.maximum(hits[:, -1:], 1)
    return np.where((hits[:, -1:] > 0) & (alarms[:, -1:] > 0), found, np.nan)


def _precision(truth: np.ndarray, chance: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The precision (R, G) at each sensitivity of the grid; NaN with one class."""
    hits, alarms = _called(truth, chance, weights)
    values = hits / np.maximum(hits + alarms, 1e-12)
    total = np.maximum(hits[:, -1:], 1)
    places = [np.searchsorted(row, np.maximum(GRID, 1e-9) - 1e-12) for row in hits / total]
    last = hits.shape[1] - 1
    found = [row[np.minimum(place, last)] for row, place in zip(values, places, strict=True)]
    return np.where((hits[:, -1:] > 0) & (alarms[:, -1:] > 0), np.array(found), np.nan)


def _called(
    truth: np.ndarray, chance: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weight of positives and of negatives at or above each distinct chance, falling: (R, D)."""
    order = np.argsort(-chance, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(chance[order])), len(chance) - 1)
    hits = np.cumsum(weights[:, order] * truth[order], axis=1)[:, ends]
    return hits, np.cumsum(weights[:, order], axis=1)[:, ends] - hits


def _at(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The upper end of a rising step curve at the points of the grid; 0 before its first point."""
    place = np.searchsorted(x, GRID + 1e-12, side="right") - 1
    return np.where(place >= 0, y[np.maximum(place, 0)], 0.0)


def _curve(x: np.ndarray, y: np.ndarray, several: np.ndarray) -> Curve:
    """A curve of at most 200 points and its band on the grid."""
    kept = np.unique(np.linspace(0, len(x) - 1, min(200, len(x))).round().astype(int))
    several = several.reshape(-1, len(GRID))
    defined = several[~np.isnan(several).any(axis=1)]
    band = None
    if len(defined):
        low, high = np.percentile(defined, [2.5, 97.5], axis=0)
        band = Band(*(tuple(ends.tolist()) for ends in (GRID, low, high)))
    return Curve(tuple(x[kept].tolist()), tuple(y[kept].tolist()), band)
