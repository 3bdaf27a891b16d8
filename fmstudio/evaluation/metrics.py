"""Figures of merit with 95 % intervals: targets and outputs in, name -> Interval out.

Every figure here is a function of case weights (R, n) -> (R,). With all weights 1 it is the
figure itself; with weights drawn by resampling patients it is the bootstrap (Efron and Tibshirani
1993, chapter 13), for all R resamples at once. Patients, not cases, are drawn: two cases of one
patient are not two independent observations.

Shape letters: n cases, K classes or labels, R resamples, P patients, G groups of equal scores.
Targets and outputs by task:
    binary      targets (n,) 0 or 1           outputs (n,) probability of the positive label
    multiclass  targets (n,) class index      outputs (n, K) probabilities
    multilabel  targets (n, K) 0, 1 or NaN    outputs (n, K) probabilities; NaN is unknown
    regression  targets (n,)                  outputs (n,)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from fmstudio.types import Interval, TaskSpec

BINS = 15  # equal-width bins of the calibration error (Guo et al. 2017, arXiv 1706.04599)
BLOCK = 4_000_000  # weights in memory at a time, so that 10 000 cases cost 32 MB, not 80

Figure = Callable[[np.ndarray], np.ndarray]

HEADLINE: Mapping[str, str] = {
    "binary": "auroc",
    "multiclass": "macro_auroc",
    "multilabel": "macro_auroc",
    "regression": "r2",
}

GUESSING: Mapping[str, float] = {"auroc": 0.5, "macro_auroc": 0.5, "r2": 0.0}
"""What each headline figure reaches without a look at the patient."""


def headline(task: TaskSpec) -> str:
    """The name of the figure by which adapters for this task are compared."""
    return HEADLINE[task.kind]


def evaluate(
    task: TaskSpec,
    targets: np.ndarray,
    outputs: np.ndarray,
    patients: Sequence[str],
    seed: int = 0,
    resamples: int = 1000,
) -> dict[str, Interval]:
    """All figures of the task with 95 % percentile intervals over resampled patients.

    A figure is NaN where it is undefined, such as AUROC with one class. Resamples in which it is
    undefined are dropped; with a single patient there is no interval.
    """
    figures = _figures(task, targets, outputs)
    return _intervals(figures, len(outputs), patients, seed, resamples)


def proven(name: str, figure: Any) -> bool:
    """Whether the whole 95 % interval of a headline figure {value, low, high} beats guessing."""
    low = figure.get("low") if isinstance(figure, Mapping) else None
    return isinstance(low, int | float) and low > GUESSING[name]


def score(task: TaskSpec, targets: np.ndarray, outputs: np.ndarray) -> float:
    """The headline figure alone: AUROC, macro AUROC or R²; NaN if undefined."""
    figure = _figures(task, targets, outputs)[headline(task)]
    return float(figure(np.ones((1, len(outputs))))[0])


def gain(
    task: TaskSpec,
    targets: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    patients: Sequence[str],
    seed: int = 0,
    resamples: int = 1000,
) -> Interval:
    """score(a) - score(b) on the same cases, with a paired patient-level 95 % interval."""
    first = _figures(task, targets, a)[headline(task)]
    second = _figures(task, targets, b)[headline(task)]
    difference = {"gain": lambda weights: first(weights) - second(weights)}
    return _intervals(difference, len(a), patients, seed, resamples)["gain"]


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
    return _ratio(wins, positives.sum(axis=1) * negatives.sum(axis=1))


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
    area = _ratio((positives * precision).sum(axis=1), total)
    return np.where(others > 0, area, np.nan)


def calibration_error(
    happened: np.ndarray, confidence: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Expected calibration error (R,) over 15 equal-width bins of the confidence (n,).

    The mean distance between how sure the model was and how often it was right.
    """
    bins = np.clip((confidence * BINS).astype(int), 0, BINS - 1)
    gaps = np.zeros((len(confidence), BINS))
    gaps[np.arange(len(confidence)), bins] = happened - confidence
    return _ratio(np.abs(weights @ gaps).sum(axis=1), weights.sum(axis=1))


def _figures(task: TaskSpec, targets: np.ndarray, outputs: np.ndarray) -> dict[str, Figure]:
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
            names.get(name, name): _mean_over(
                [
                    partial(_on_rows, label[name], rows)
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
        "macro_auroc": _mean_over([partial(auroc, truth[:, k], outputs[:, k]) for k in classes]),
        "auprc": _mean_over(
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
        spread = _ratio(weights @ centred**2, total) - _ratio(weights @ centred, total) ** 2
        unexplained = _ratio(weights @ squared, total)
        return 1 - _ratio(unexplained, np.where(spread > floor, spread, 0.0))

    return {
        "mae": _mean_of(absolute),
        "rmse": lambda weights: np.sqrt(_mean_of(squared)(weights)),
        "r2": r_squared,
    }


def _mean_of(losses: np.ndarray) -> Figure:
    values = np.asarray(losses, float)
    return lambda weights: _ratio(weights @ values, weights.sum(axis=1))


def _mean_over(figures: Sequence[Figure]) -> Figure:
    """The mean of several figures, leaving out those undefined under the weights at hand."""

    def mean(weights: np.ndarray) -> np.ndarray:
        values = np.stack([figure(weights) for figure in figures])
        defined = ~np.isnan(values)
        return _ratio(np.where(defined, values, 0.0).sum(axis=0), defined.sum(axis=0))

    return mean


def _on_rows(figure: Figure, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return figure(weights[:, rows])


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """above / below, NaN where below is 0."""
    below = np.asarray(below, float)
    return np.divide(above, below, out=np.full(below.shape, np.nan), where=below > 0)


def _group_starts(ordered: np.ndarray) -> np.ndarray:
    """Where each run of equal scores begins: (G,) positions."""
    return np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])


def _weight_by_group(
    positive: np.ndarray, weights: np.ndarray, starts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weight of positives and of negatives in each group of equal scores: (R, G) each."""
    positives = np.add.reduceat(weights * positive, starts, axis=1)
    return positives, np.add.reduceat(weights, starts, axis=1) - positives


def _intervals(
    figures: Mapping[str, Figure], n: int, patients: Sequence[str], seed: int, resamples: int
) -> dict[str, Interval]:
    whole = np.ones((1, n))
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in figures}
    several = len(set(patients)) > 1
    for weights in _resampled(patients, seed, resamples if several else 0):
        for name, figure in figures.items():
            drawn[name].append(figure(weights))
    return {
        name: _interval(float(figure(whole)[0]), np.concatenate([np.empty(0), *drawn[name]]))
        for name, figure in figures.items()
    }


def _interval(value: float, drawn: np.ndarray) -> Interval:
    defined = drawn[~np.isnan(drawn)]
    if np.isnan(value) or not len(defined):
        return Interval(value, np.nan, np.nan)
    low, high = np.percentile(defined, [2.5, 97.5])
    return Interval(value, float(low), float(high))


def _resampled(patients: Sequence[str], seed: int, resamples: int) -> Iterator[np.ndarray]:
    """Case weights (r, n) of patients drawn with replacement, in blocks of r <= R rows."""
    _, patient_of_case = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    count = int(patient_of_case.max(initial=-1)) + 1
    random = np.random.default_rng(seed)
    rows = max(1, BLOCK // max(1, len(patient_of_case)))
    for start in range(0, resamples, rows):
        times = random.multinomial(
            count, np.full(count, 1 / count), size=min(rows, resamples - start)
        )
        yield times[:, patient_of_case].astype(float)


def verdict(won: Interval) -> str:
    """What the paired interval of fused minus best single modality says."""
    return "helps" if won.low > 0 else "hurts" if won.high < 0 else "no evidence"
