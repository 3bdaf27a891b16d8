"""What a threshold does to patients: confusion, sensitivity and its kin, numbers per 1 000.

A case is flagged if its chance is at or above the threshold. With the prevalence π of another
clinic, PPV and NPV follow from sensitivity and specificity by Bayes' theorem, which holds if the
sick and the healthy there are like those here and only their shares differ.

Shape letters: n cases, R resamples.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fmstudio.evaluation.labelled_predictions import Question
from fmstudio.evaluation.resampling import Figure, at_edges, intervals, ratio
from fmstudio.results.thresholds import (
    AtThreshold,
    Confusion,
    NotReached,
    OperatingPoint,
    OperatingPoints,
    Per1000,
)

TARGETS: Mapping[str, tuple[float, ...]] = {
    "sensitivity": (0.9, 0.95),
    "specificity": (0.9, 0.95),
    "ppv": (0.8,),
    "npv": (0.95,),
}
"""What operating points are asked for unless a person asks for others."""


def at_threshold(
    question: Question, threshold: float, prevalence: float | None = None
) -> AtThreshold:
    """The confusion of cases at a threshold, and its figures with 95 % intervals.

    Without `prevalence` that of the cases holds. Numbers per 1 000 are those of 1 000 patients at
    the prevalence.
    """
    flagged = question.chance >= threshold
    figures = _figures(question.truth, flagged, prevalence)
    found = intervals(figures, len(question), question.patients)
    cells = {
        "true_positives": flagged & question.truth,
        "false_positives": flagged & ~question.truth,
        "false_negatives": ~flagged & question.truth,
        "true_negatives": ~flagged & ~question.truth,
    }
    share = prevalence if prevalence is not None else float(question.truth.mean())
    hits = {
        "sensitivity": ("true_positives", "false_negatives"),
        "specificity": ("true_negatives", "false_positives"),
    }
    if prevalence is None:
        hits |= {
            "ppv": ("true_positives", "false_positives"),
            "npv": ("true_negatives", "false_negatives"),
        }
    for name, (right, wrong) in hits.items():
        right_n, wrong_n = int(cells[right].sum()), int(cells[wrong].sum())
        found[name] = at_edges(found[name], right_n, right_n + wrong_n)
    return AtThreshold(
        threshold=float(threshold),
        n=len(question),
        positives=question.positives,
        prevalence=share,
        counts=Confusion(**{name: int(cell.sum()) for name, cell in cells.items()}),
        **found,
        per_1000=_per_1000(found["sensitivity"].value, found["specificity"].value, share),
    )


def _figures(truth: np.ndarray, flagged: np.ndarray, prevalence: float | None) -> dict[str, Figure]:
    """Figures of a fixed set of flagged cases as functions of case weights."""

    def rates(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        positives, negatives = weights @ truth.astype(float), weights @ (~truth).astype(float)
        sensitivity = ratio(weights @ (flagged & truth).astype(float), positives)
        specificity = ratio(weights @ (~flagged & ~truth).astype(float), negatives)
        own = ratio(positives, positives + negatives)
        return (
            sensitivity,
            specificity,
            own if prevalence is None else np.full_like(own, prevalence),
        )

    def ppv(weights: np.ndarray) -> np.ndarray:
        sensitivity, specificity, share = rates(weights)
        hits = sensitivity * share
        return ratio(hits, hits + (1 - specificity) * (1 - share))

    def npv(weights: np.ndarray) -> np.ndarray:
        sensitivity, specificity, share = rates(weights)
        right = specificity * (1 - share)
        return ratio(right, right + (1 - sensitivity) * share)

    def lr_positive(weights: np.ndarray) -> np.ndarray:
        sensitivity, specificity, _ = rates(weights)
        return ratio(sensitivity, 1 - specificity)

    def lr_negative(weights: np.ndarray) -> np.ndarray:
        sensitivity, specificity, _ = rates(weights)
        return ratio(1 - sensitivity, specificity)

    return {
        "sensitivity": lambda weights: rates(weights)[0],
        "specificity": lambda weights: rates(weights)[1],
        "ppv": ppv,
        "npv": npv,
        "lr_positive": lr_positive,
        "lr_negative": lr_negative,
    }


def _per_1000(sensitivity: float, specificity: float, prevalence: float) -> Per1000:
    """Of 1 000 patients: how many are flagged, rightly and wrongly, and how many are missed."""
    sick, healthy = 1000 * prevalence, 1000 * (1 - prevalence)
    found, alarms = sick * sensitivity, healthy * (1 - specificity)
    return Per1000(
        flagged=found + alarms,
        true_positives=found,
        false_positives=alarms,
        false_negatives=sick - found,
        true_negatives=healthy - alarms,
    )


def threshold_for(
    question: Question, name: str, target: float, prevalence: float | None = None
) -> float | None:
    """The threshold at which a figure just reaches its target on these cases.

    For sensitivity and NPV the highest such threshold, so that the fewest are flagged; for
    specificity and PPV the lowest, so that the most of the sick are found. None if no threshold
    reaches it. `name` is one of TARGETS.
    """
    if not question.both:
        return None
    chances = np.unique(question.chance)
    candidates = np.append((chances[1:] + chances[:-1]) / 2, chances[-1])
    candidates = np.insert(candidates, 0, chances[0])
    order = np.sort(question.chance[question.truth]), np.sort(question.chance[~question.truth])
    sensitivity, alarms = (1 - np.searchsorted(o, candidates) / len(o) for o in order)
    share = question.truth.mean() if prevalence is None else prevalence
    hits, false = sensitivity * share, alarms * (1 - share)
    values = {
        "sensitivity": sensitivity,
        "specificity": 1 - alarms,
        "ppv": ratio(hits, hits + false),
        "npv": ratio((1 - alarms) * (1 - share), (1 - alarms) * (1 - share) + share - hits),
    }[name]
    reached = candidates[np.nan_to_num(values, nan=-1.0) >= target - 1e-12]
    if not len(reached):
        return None
    return float(reached.max() if name in ("sensitivity", "npv") else reached.min())


def operating_points(
    judged: Question, chosen_on: Question | None, prevalence: float | None = None
) -> OperatingPoints:
    """The points of TARGETS: thresholds chosen on other patients than those they are judged on.

    Without `chosen_on` they are chosen on the same ones, which flatters them, and it is said.
    """
    source = judged if chosen_on is None or not chosen_on.both else chosen_on
    points = []
    for name, targets in TARGETS.items():
        for target in targets:
            threshold = threshold_for(source, name, target, prevalence)
            at = (
                NotReached(None)
                if threshold is None
                else at_threshold(judged, threshold, prevalence)
            )
            points.append(OperatingPoint(name, target, at))
    return OperatingPoints(
        n=len(judged),
        positives=judged.positives,
        chosen_on="the same patients" if source is judged else "validation patients",
        n_chosen_on=len(source),
        half=at_threshold(judged, 0.5, prevalence),
        points=tuple(points),
    )
