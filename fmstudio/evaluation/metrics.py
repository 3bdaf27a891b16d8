"""Figures of merit with 95 % intervals: targets and outputs in, name -> Interval out.

Every figure here is a function of case weights (R, n) -> (R,), see `resampling`.

Shape letters: n cases, K classes or labels, R resamples, P patients, G groups of equal scores.
Targets and outputs by task:
    binary      targets (n,) 0 or 1           outputs (n,) probability of the positive label
    multiclass  targets (n,) class index      outputs (n, K) probabilities
    multilabel  targets (n, K) 0, 1 or NaN    outputs (n, K) probabilities; NaN is unknown
    regression  targets (n,)                  outputs (n,)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from fmstudio.evaluation.resampling import Figure, Patients, intervals, ratio
from fmstudio.results.metrics import HEADLINE
from fmstudio.types import Interval, TaskSpec

BINS = 15  # equal-width bins of the calibration error (Guo et al. 2017, arXiv 1706.04599)


def headline(task: TaskSpec) -> str:
    """The name of the figure by which adapters for this task are compared."""
    return HEADLINE[task.kind]


def evaluate(
    task: TaskSpec,
    targets: np.ndarray,
    outputs: np.ndarray,
    patients: Patients,
    seed: int = 0,
    resamples: int = 1000,
) -> dict[str, Interval]:
    """All figures of the task with 95 % percentile intervals over resampled patients.

    A figure is NaN where it is undefined, such as AUROC with one class. Resamples in which it is
    undefined are dropped; with a single patient there is no interval. AUPRC comes with the
    prevalence, which is what it reaches by guessing (Saito and Rehmsmeier 2015, PLoS ONE 10), the
    calibration error with how large it is by chance.
    """
    figures = figures_of(task, targets, outputs)
    found = intervals(figures, len(outputs), patients, seed, resamples)
    if "auprc" in found:
        found["auprc"] = replace(found["auprc"], prevalence=prevalence(task, targets))
    if "ece" in found:
        found["ece"] = replace(found["ece"], by_chance=_by_chance(task, targets, outputs))
    return found


def prevalence(task: TaskSpec, targets: np.ndarray) -> float:
    """The share of positive cases; of several labels or classes that occur, the mean of theirs.

    NaN where no case has an answer.
    """
    targets = np.asarray(targets, float)
    if task.kind == "multiclass":
        truth = targets[:, None] == np.unique(targets)
    else:
        columns = targets if targets.ndim == 2 else targets[:, None]
        truth = np.where(np.isnan(columns), np.nan, columns > 0.5)
    known = [column[~np.isnan(column)] for column in truth.astype(float).T]
    shares = [float(column.mean()) for column in known if len(column)]
    return float(np.mean(shares)) if shares else float("nan")


def score(task: TaskSpec, targets: np.ndarray, outputs: np.ndarray) -> float:
    """The headline figure alone: AUROC, macro AUROC or R²; NaN if undefined."""
    figure = figures_of(task, targets, outputs)[headline(task)]
    return float(figure(np.ones((1, len(outputs))))[0])


def gain(
    task: TaskSpec,
    targets: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    patients: Patients,
    seed: int = 0,
    resamples: int = 1000,
) -> Interval:
    """score(a) - score(b) on the same cases, with a paired patient-level 95 % interval."""
    first = figures_of(task, targets, a)[headline(task)]
    second = figures_of(task, targets, b)[headline(task)]
    difference = {"gain": lambda weights: first(weights) - second(weights)}
    return intervals(difference, len(a), patients, seed, resamples)["gain"]


def auroc(positive: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Area under the ROC curve (R,) of scores (n,) for each row of weights (R, n).

    The weighted Mann-Whitney statistic: the chance that a positive case scores higher than a
    negative one, ties counting half (Hanley and McNeil 1982). NaN where a class has no weight.
    """
    if not len(scores):
        return np.full(len(weights), np.nan)
    order = np.argsort(scores, kind="stable")
    starts = _group_starts(scores[order])
    positives, negatives = _weight_by_group(positive[order], weights[:, order], starts)
    below = np.cumsum(negatives, axis=1) - negatives
    wins = (positives * (below + negatives / 2)).sum(axis=1)
    return ratio(wins, positives.sum(axis=1) * negatives.sum(axis=1))


def average_precision(positive: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Area under the precision-recall curve (R,) as a step function, as scikit-learn has it.

    NaN where a class has no weight.
    """
    if not len(scores):
        return np.full(len(weights), np.nan)
    order = np.argsort(-scores, kind="stable")
    starts = _group_starts(scores[order])
    positives, negatives = _weight_by_group(positive[order], weights[:, order], starts)
    hits = np.cumsum(positives, axis=1)
    called = hits + np.cumsum(negatives, axis=1)
    precision = np.divide(hits, called, out=np.zeros_like(hits), where=called > 0)
    total, others = positives.sum(axis=1), negatives.sum(axis=1)
    area = ratio((positives * precision).sum(axis=1), total)
    return np.where(others > 0, area, np.nan)


def calibration_error(
    happened: np.ndarray, confidence: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Expected calibration error (R,) over 15 equal-width bins of the confidence (n,).

    The mean distance between how sure the model was and how often it was right.
    """
    gaps = _in_bins(confidence) * (happened - confidence)[:, None]
    return ratio(np.abs(weights @ gaps).sum(axis=1), weights.sum(axis=1))


def chance_error(confidence: np.ndarray, seed: int = 0, draws: int = 500) -> np.ndarray:
    """The calibration error (draws,) that cases show whose chances (n,) are all right.

    What happens is drawn from the chances themselves (consistency resampling: Broecker and Smith
    2007, Weather and Forecasting 22:651): an error within these is no evidence of bad calibration.
    """
    happened = np.random.default_rng(seed).random((draws, len(confidence))) < confidence
    errors: np.ndarray = np.abs((happened - confidence) @ _in_bins(confidence)).sum(axis=1)
    return errors / len(confidence)


def _by_chance(task: TaskSpec, targets: np.ndarray, outputs: np.ndarray) -> float:
    """What 95 of 100 calibration errors of chances that are right lie below."""
    if task.kind == "multilabel":
        known = [outputs[~np.isnan(targets[:, k]), k] for k in range(outputs.shape[1])]
        labels = [chance_error(each, seed=k) for k, each in enumerate(known) if len(each)]
        errors = np.mean(labels, axis=0) if labels else np.array([np.nan])
    else:
        sure = outputs.max(axis=1, initial=0.0) if task.kind == "multiclass" else outputs
        errors = chance_error(sure) if len(sure) else np.array([np.nan])
    return float(np.quantile(errors, 0.95))


def _in_bins(confidence: np.ndarray) -> np.ndarray:
    """Which bin each case is in: (n, BINS) of 0 and 1."""
    bins: np.ndarray = np.eye(BINS)[np.clip((confidence * BINS).astype(int), 0, BINS - 1)]
    return bins


def figures_of(task: TaskSpec, targets: np.ndarray, outputs: np.ndarray) -> dict[str, Figure]:
    """The task's figures as functions of case weights."""
    targets, outputs = np.asarray(targets, float), np.asarray(outputs, float)
    if task.kind == "regression":
        return _regression(targets, outputs)
    if task.kind == "binary":
        return _binary(targets, outputs)
    if task.kind == "multilabel":
        known = [~np.isnan(targets[:, k]) for k in range(targets.shape[1])]
        labels = [_binary(targets[rows, k], outputs[rows, k]) for k, rows in enumerate(known)]
        names = {"auroc": "macro_auroc"}
        return {
            names.get(name, name): mean_over(
                [
                    partial(on_rows, label[name], rows)
                    for label, rows in zip(labels, known, strict=True)
                ]
            )
            for name in ("auroc", "auprc", "brier", "ece", "accuracy")
        }
    return _multiclass(targets, outputs)


def _binary(targets: np.ndarray, outputs: np.ndarray) -> dict[str, Figure]:
    return {
        "auroc": partial(auroc, targets > 0.5, outputs),
        "auprc": partial(average_precision, targets > 0.5, outputs),
        "brier": _mean_of((outputs - targets) ** 2),
        "ece": partial(calibration_error, targets, outputs),
        "accuracy": _mean_of((outputs >= 0.5) == (targets > 0.5)),
    }


def _multiclass(targets: np.ndarray, outputs: np.ndarray) -> dict[str, Figure]:
    """One against the rest, averaged over the classes that occur (in each resample anew).

    Brier's score sums over the classes (Brier 1950), so it runs from 0 to 2; calibration is that
    of the most probable class.
    """
    truth = targets[:, None] == np.arange(outputs.shape[1])
    classes = range(outputs.shape[1])
    right = outputs.argmax(axis=1) == targets
    return {
        "macro_auroc": mean_over([partial(auroc, truth[:, k], outputs[:, k]) for k in classes]),
        "auprc": mean_over(
            [partial(average_precision, truth[:, k], outputs[:, k]) for k in classes]
        ),
        "brier": _mean_of(((outputs - truth) ** 2).sum(axis=1)),
        "ece": partial(calibration_error, right, outputs.max(axis=1, initial=0.0)),
        "accuracy": _mean_of(right),
    }


def _regression(targets: np.ndarray, outputs: np.ndarray) -> dict[str, Figure]:
    squared, absolute = (outputs - targets) ** 2, np.abs(outputs - targets)
    centred = targets - targets.mean() if len(targets) else targets
    # Spreads this small come from rounding: the targets are one value, and R² is undefined.
    floor = max(
        1e-12 * float((centred**2).max(initial=0.0)),
        (1e-12 * float(np.abs(targets).max(initial=0.0))) ** 2,
    )

    def r_squared(weights: np.ndarray) -> np.ndarray:
        total = weights.sum(axis=1)
        spread = ratio(weights @ centred**2, total) - ratio(weights @ centred, total) ** 2
        unexplained = ratio(weights @ squared, total)
        return 1 - ratio(unexplained, np.where(spread > floor, spread, 0.0))

    return {
        "mae": _mean_of(absolute),
        "rmse": lambda weights: np.sqrt(_mean_of(squared)(weights)),
        "r2": r_squared,
    }


def _mean_of(losses: np.ndarray) -> Figure:
    values = np.asarray(losses, float)
    return lambda weights: ratio(weights @ values, weights.sum(axis=1))


def mean_over(figures: Sequence[Figure]) -> Figure:
    """The mean of several figures, leaving out those undefined under the weights at hand."""

    def mean(weights: np.ndarray) -> np.ndarray:
        values = np.stack([figure(weights) for figure in figures])
        defined = ~np.isnan(values)
        return ratio(np.where(defined, values, 0.0).sum(axis=0), defined.sum(axis=0))

    return mean


def on_rows(figure: Figure, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return figure(weights[:, rows])


def _group_starts(ordered: np.ndarray) -> np.ndarray:
    """Where each run of equal scores begins: (G,) positions."""
    return np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])


def _weight_by_group(
    positive: np.ndarray, weights: np.ndarray, starts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weight of positives and of negatives in each group of equal scores: (R, G) each."""
    positives = np.add.reduceat(weights * positive, starts, axis=1)
    return positives, np.add.reduceat(weights, starts, axis=1) - positives


def verdict(won: Interval) -> str:
    """What the paired interval of fused minus best single modality says."""
    return "helps" if won.low > 0 else "hurts" if won.high < 0 else "no evidence"
