"""What a linear model of logits minimises, and how the true shares of classes come back.

Shape letters: n cases, K columns of the task's answer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import log_softmax

from fmstudio.evaluation.cross_fit import Fold
from fmstudio.types import TaskSpec


def prior_shift(task: TaskSpec, targets: np.ndarray) -> np.ndarray:
    """What to add to logits trained with balanced classes to give back the true shares: (K).

    Source: Elkan 2001, "The Foundations of Cost-Sensitive Learning", theorem 2.
    """
    if task.kind == "regression":
        return np.zeros(1)
    if task.kind == "multiclass":
        shares = np.bincount(targets.astype(int), minlength=len(task.labels)) / len(targets)
        return np.log(np.maximum(shares, 1e-6) * len(task.labels))
    columns = targets.reshape(len(targets), -1)
    share = np.clip(np.nanmean(columns, axis=0), 1e-3, 1 - 1e-3)
    return np.log(share / (1 - share))


def losses(task: TaskSpec, logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Negative log-likelihood of logits (n, K), or squared error: (n), or (n, K) with one a label,
    NaN where that is not known."""
    if task.kind == "regression":
        return np.asarray((logits[:, 0] - targets) ** 2)
    if task.kind == "multiclass":
        picked = log_softmax(logits, axis=1)[np.arange(len(targets)), targets.astype(int)]
        return np.asarray(-picked)
    return np.asarray(np.logaddexp(0, logits) - targets.reshape(len(targets), -1) * logits)


def loss(
    task: TaskSpec, logits: np.ndarray, targets: np.ndarray, weights: np.ndarray | None = None
) -> float:
    """Mean of `losses`. `weights` (n), or (n, K) for multilabel, say how much each case counts."""
    each = losses(task, logits, targets)
    weighed = each if weights is None else each * weights.reshape(each.shape)
    return float(np.nanmean(weighed))


def classes_known(task: TaskSpec, targets: np.ndarray, folds: Sequence[Fold]) -> np.ndarray:
    """Which cases (n) have a class that the fit of their fold has seen; the loss of another says
    nothing of the fit. Only with several classes can a fold lack one."""
    known = np.ones(len(targets), bool)
    if task.kind == "multiclass":
        for inner, outer in folds:
            known[outer] = np.isin(targets[outer], targets[inner])
    return known
