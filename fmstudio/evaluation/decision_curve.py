"""Decision curves: what acting on the model is worth, against treating everybody or nobody.

Net benefit at threshold probability p is TP/n - FP/n · p/(1 - p): false alarms count as much as the
threshold says that they weigh against a missed case (Vickers and Elkin 2006, Medical Decision
Making 26:565). With prevalence π it is sensitivity · π - (1 - specificity) · (1 - π) · p/(1 - p).

Shape letters: n cases, T thresholds, R resamples.
"""

from __future__ import annotations

import numpy as np

from fmstudio.evaluation.labelled_predictions import Question
from fmstudio.evaluation.resampling import drawn, ratio
from fmstudio.results.thresholds import DecisionCurve
from fmstudio.types import Interval

SHORTEST = 5  # thresholds in a row: fewer come by luck, as each has an interval of its own
THRESHOLDS = np.round(np.arange(0.01, 0.96, 0.01), 2)


def net_benefit(
    question: Question, thresholds: np.ndarray, weights: np.ndarray, prevalence: float | None = None
) -> np.ndarray:
    """Net benefit (R, T) of acting where the chance is at or above the threshold."""
    flagged = question.chance[:, None] >= thresholds
    sick = question.truth[:, None]
    positives = (weights @ question.truth.astype(float))[:, None]
    negatives = weights.sum(axis=1, keepdims=True) - positives
    share = positives / (positives + negatives) if prevalence is None else prevalence
    found = ratio(weights @ (flagged & sick).astype(float), positives + np.zeros(len(thresholds)))
    false = ratio(weights @ (flagged & ~sick).astype(float), negatives + np.zeros(len(thresholds)))
    benefit: np.ndarray = found * share - false * (1 - share) * thresholds / (1 - thresholds)
    return benefit


def treat_all(
    question: Question, thresholds: np.ndarray, weights: np.ndarray, prevalence: float | None = None
) -> np.ndarray:
    """Net benefit (R, T) of acting on everybody; that of nobody is 0."""
    share = (weights @ question.truth.astype(float) / weights.sum(axis=1))[:, None]
    share = share if prevalence is None else np.full_like(share, prevalence)
    benefit: np.ndarray = share - (1 - share) * thresholds / (1 - thresholds)
    return benefit


def decision_curve(question: Question, prevalence: float | None = None) -> DecisionCurve:
    """Net benefit of the model, of all and of none, over thresholds from 1 % to 95 %.

    `better` are the ranges [from, to] of at least five thresholds in which the 95 % interval of the
    gain over the better of all and none lies above 0. Curves are empty without cases of either
    answer.
    """
    share = float(question.truth.mean()) if prevalence is None else prevalence
    if not question.both:
        return DecisionCurve(len(question), question.positives, share, (), (), (), ())

    def model(weights: np.ndarray) -> np.ndarray:
        return net_benefit(question, THRESHOLDS, weights, prevalence)

    def gained(weights: np.ndarray) -> np.ndarray:
        everyone = treat_all(question, THRESHOLDS, weights, prevalence)
        gain: np.ndarray = model(weights) - np.maximum(everyone, 0)
        return gain

    whole = np.ones((1, len(question)))
    values, everyone = model(whole)[0], treat_all(question, THRESHOLDS, whole, prevalence)[0]
    several = drawn({"model": model, "gain": gained}, question.patients)
    bounds = {name: _band(found, len(THRESHOLDS)) for name, found in several.items()}
    low, high = bounds["model"]
    return DecisionCurve(
        n=len(question),
        positives=question.positives,
        prevalence=share,
        thresholds=tuple(THRESHOLDS.tolist()),
        treat_all=tuple(everyone.tolist()),
        model=tuple(
            Interval(*ends)
            for ends in zip(values.tolist(), low.tolist(), high.tolist(), strict=True)
        ),
        better=_ranges(bounds["gain"][0] > 0),
    )


def _ranges(holds: np.ndarray) -> tuple[tuple[float, float], ...]:
    """The first and last threshold of each long enough run in which something holds (T)."""
    steps = np.flatnonzero(np.diff(np.r_[False, holds, False]))
    return tuple(
        (float(THRESHOLDS[a]), float(THRESHOLDS[b - 1]))
        for a, b in zip(steps[::2], steps[1::2], strict=True)
        if b - a >= SHORTEST
    )


def _band(found: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Middle 95 % of resamples (R, T) in each column, NaN where nothing is defined."""
    defined = found.reshape(-1, width)
    defined = defined[~np.isnan(defined).any(axis=1)]
    if not len(defined):
        return np.full(width, np.nan), np.full(width, np.nan)
    low, high = np.percentile(defined, [2.5, 97.5], axis=0)
    return low, high
