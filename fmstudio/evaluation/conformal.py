"""Conformal sets and intervals: answers that hold the truth in a stated share of new patients.

Split conformal prediction (Vovk et al. 2005; Lei et al. 2018): how strange the truth looked on
validation patients bounds how strange it may look on a new one. For classes the score is 1 minus
the probability of the true label (LAC: Sadinle, Lei and Wasserman 2019, arXiv 1609.00451); for
regression the absolute error. Outputs are calibrated probabilities as in `metrics`.
The promise holds on average over patients like those of validation, and for no other patients.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

import numpy as np

from fmstudio.types import TaskSpec

TOO_FEW = (
    "Too few validation cases for a {share:.0%} promise ({n} of at least {needed}): "
    "nothing can be excluded."
)


def fit_conformal(
    task: TaskSpec, outputs: np.ndarray, targets: np.ndarray, coverage: float = 0.9
) -> dict[str, Any]:
    """What `conformal_set` and `conformal_interval` need, as JSON.

    {method, coverage, n, thresholds, notes}: a threshold per label for multilabel tasks (from the
    cases that have the label, so that each true label is in the set with the stated chance), one
    for all others; null where n is too small, so that nothing may be excluded.
    """
    outputs, targets = np.asarray(outputs, float), np.asarray(targets, float)
    if task.kind == "regression":
        scores, names = [np.abs(outputs - targets)], [""]
    elif task.kind == "multilabel":
        scores = [1 - outputs[targets[:, k] == 1, k] for k in range(targets.shape[1])]
        names = [f"{label}: " for label in task.labels]
    else:
        chances = _per_class(task, outputs)
        scores, names = [1 - chances[np.arange(len(targets)), targets.astype(int)]], [""]
    thresholds = [_threshold(each, coverage) for each in scores]
    needed = ceil(round(coverage / (1 - coverage), 9))
    return {
        "method": "split conformal, absolute error"
        if task.kind == "regression"
        else "split conformal, LAC",
        "coverage": coverage,
        "n": [len(each) for each in scores],
        "thresholds": thresholds,
        "notes": [
            name + TOO_FEW.format(share=coverage, n=len(each), needed=needed)
            for name, each, threshold in zip(names, scores, thresholds, strict=True)
            if threshold is None
        ],
    }


def conformal_set(
    task: TaskSpec, fitted: Mapping[str, Any], output: float | np.ndarray
) -> tuple[str, ...]:
    """The labels that cannot be excluded for one case, in the task's order.

    `output` is P(positive) for binary, (K,) otherwise. One label of a binary or multiclass task
    is always named, the most probable, which only adds to the coverage; a multilabel set may be
    empty.
    """
    if task.kind == "multilabel":
        chances, thresholds = np.asarray(output, float), fitted["thresholds"]
        most_probable = None
    else:
        chances = _per_class(task, np.asarray(output, float)[None])[0]
        thresholds = fitted["thresholds"] * len(chances)
        most_probable = int(chances.argmax())
    return tuple(
        label
        for k, (label, chance, limit) in enumerate(
            zip(task.labels, chances, thresholds, strict=True)
        )
        if limit is None or 1 - chance <= limit or k == most_probable
    )


def conformal_interval(fitted: Mapping[str, Any], output: float) -> tuple[float, float] | None:
    """The interval of a regression around `output`; None where validation was too small."""
    (limit,) = fitted["thresholds"]
    return None if limit is None else (float(output) - limit, float(output) + limit)


def _per_class(task: TaskSpec, outputs: np.ndarray) -> np.ndarray:
    """(n, K) probabilities; a binary output becomes negative and positive."""
    return np.stack([1 - outputs, outputs], axis=1) if task.kind == "binary" else outputs


def _threshold(scores: np.ndarray, coverage: float) -> float | None:
    """The ceil((n + 1) coverage)-th smallest score; None if there are not that many."""
    # Rounded first: (n + 1) * 0.9 may come out a hair above a whole number.
    rank = ceil(round((len(scores) + 1) * coverage, 9))
    return None if rank > len(scores) else float(np.sort(scores)[rank - 1])
