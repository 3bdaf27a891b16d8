"""The probe: a linear reading of the frozen model's features, and the start of the task head.

Fine-tuning that starts from the probe's head keeps the features that pretraining made (linear
probing, then fine-tuning: Kumar et al. 2022, arXiv 2202.10054). No torch here.

Shape letters: n cases, M modalities, F features, K outputs.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GroupKFold

from fmstudio.types import TaskSpec

FOLDS = 5
STRENGTHS = tuple(10.0**power for power in (-3.0, -2.0, -1.5, -1.0, -0.5, 0.0, 1.0))


@dataclass(frozen=True)
class Head:
    """A task head's numbers: mean, scale (M, F); weight (M, F, K); offset (M, K); bias (K)."""

    mean: np.ndarray
    scale: np.ndarray
    weight: np.ndarray
    offset: np.ndarray
    bias: np.ndarray

    def parts(self, features: np.ndarray, present: np.ndarray) -> np.ndarray:
        """Each modality's part of the logits: (n, M, F) and (n, M) to (n, M, K)."""
        modalities = [
            ((features[:, m] - self.mean[m]) / self.scale[m]) @ self.weight[m] + self.offset[m]
            for m in range(features.shape[1])
        ]
        return np.stack(modalities, 1) * present[..., None]

    def logits(self, features: np.ndarray, present: np.ndarray) -> np.ndarray:
        """(n, M, F) and (n, M) to (n, K)."""
        return self.parts(features, present).sum(1) + self.bias


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


def loss(task: TaskSpec, logits: np.ndarray, targets: np.ndarray) -> float:
    """Mean negative log-likelihood of logits (n, K); mean squared error for regression."""
    if task.kind == "regression":
        return float(np.mean((logits[:, 0] - targets) ** 2))
    if task.kind == "multiclass":
        chosen = log_softmax(logits, axis=1)[np.arange(len(targets)), targets.astype(int)]
        return float(-chosen.mean())
    columns = targets.reshape(len(targets), -1)
    return float(np.nanmean(np.logaddexp(0, logits) - columns * logits))


def fit_probe(
    task: TaskSpec,
    train: tuple[np.ndarray, np.ndarray, np.ndarray],
    patients: Sequence[str],
    balance: bool,
) -> Head:
    """A linear fit whose strength of L2 is chosen by cross-validation over training patients.

    `train` is features (n, M, F), present (n, M) and targets; `patients` (n) says whose each case
    is. Regression targets are expected in standard units. With `balance` the classes weigh the
    same in the fit, and the head's bias is that of balanced classes (see `prior_shift`).
    """
    features, present, targets = train
    count = present.sum(0)[:, None]
    mean = features.sum(0) / np.maximum(count, 1)
    spread = ((features - mean) ** 2 * present[..., None]).sum(0) / np.maximum(count, 1)
    scale = np.where(spread > 1e-10, np.sqrt(spread), 1.0)
    rotated, back = _rotate(features, present, mean, scale)
    strength = _strength(task, rotated, targets, patients, balance)
    coefficients, bias = _fit(task, rotated, targets, strength, balance)
    return Head(mean, scale, *back(coefficients), bias)


def _strength(
    task: TaskSpec, table: np.ndarray, targets: np.ndarray, patients: Sequence[str], balance: bool
) -> float:
    """The strength of least cross-validated loss, patients kept whole."""
    groups = len(set(patients))
    if groups < FOLDS:
        return STRENGTHS[0]
    shift = prior_shift(task, targets) if balance else 0.0
    lost = np.zeros(len(STRENGTHS))
    folds = GroupKFold(FOLDS, shuffle=True, random_state=0)
    for inner, outer in folds.split(table, groups=list(patients)):
        for index, strength in enumerate(STRENGTHS):
            coefficients, bias = _fit(task, table[inner], targets[inner], strength, balance)
            logits = table[outer] @ coefficients + bias + shift
            lost[index] += loss(task, logits, targets[outer]) * len(outer)
    return STRENGTHS[int(lost.argmin())]


def _rotate(features: np.ndarray, present: np.ndarray, mean: np.ndarray, scale: np.ndarray):
    """Standardized features in at most n coordinates, and the way back to weight and offset.

    L2 does not see rotations, so a fit in the coordinates of the singular vectors is the same fit
    (Hastie & Tibshirani 2004, "Efficient quadratic regularization"), and many times faster when
    features outnumber cases.
    """
    n, modalities, width = features.shape
    table = ((features - mean) / scale * present[..., None]).reshape(n, -1)
    table = np.concatenate([table / np.sqrt(width), present], 1)
    eigenvalues, vectors = np.linalg.eigh((table @ table.T).astype(np.float64))
    kept = eigenvalues > eigenvalues[-1] * 1e-7
    singular, left = np.sqrt(eigenvalues[kept]), vectors[:, kept]

    def back(coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(rank, K) to weight (M, F, K) and offset (M, K)."""
        full = table.T @ (left @ (coefficients / singular[:, None])).astype(table.dtype)
        weight = full[:-modalities].reshape(modalities, width, -1) / np.sqrt(width)
        return weight, full[-modalities:]

    return left * singular, back


def _fit(
    task: TaskSpec, table: np.ndarray, targets: np.ndarray, strength: float, balance: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (rank, K) and bias (K) of one fit."""
    if task.kind == "regression":
        ridge = Ridge(alpha=1 / strength).fit(table, targets)
        return ridge.coef_[:, None], np.array([ridge.intercept_])
    if task.kind in ("binary", "multiclass"):
        return _logistic(table, targets.astype(int), strength, balance, task.outputs)
    fits = []
    for column in targets.T:
        known = ~np.isnan(column)
        fits.append(_logistic(table[known], column[known].astype(int), strength, balance, 1))
    return np.concatenate([f[0] for f in fits], 1), np.concatenate([f[1] for f in fits])


def _logistic(
    table: np.ndarray, targets: np.ndarray, strength: float, balance: bool, outputs: int
) -> tuple[np.ndarray, np.ndarray]:
    classes = np.unique(targets)
    coefficients, bias = np.zeros((table.shape[1], outputs)), np.zeros(outputs)
    if len(classes) < 2:
        # A label that no training patient varies in: nothing to learn, its share stays.
        share = np.clip(targets.mean() if len(targets) else 0.5, 1e-3, 1 - 1e-3)
        return coefficients, bias + (0.0 if balance else np.log(share / (1 - share)))
    fit = LogisticRegression(
        C=strength, class_weight="balanced" if balance else None, max_iter=1000, tol=1e-4
    )
    with warnings.catch_warnings():
        # A fit that is not quite at its end is still compared on validation like the others.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit.fit(table, targets)
    if outputs == 1:
        return fit.coef_.T, fit.intercept_
    if len(classes) == 2:
        halves = np.stack([-fit.coef_[0], fit.coef_[0]], 1) / 2
        coefficients[:, classes] = halves
        bias[classes] = np.array([-1, 1]) * fit.intercept_[0] / 2
        return coefficients, bias
    coefficients[:, classes] = fit.coef_.T
    bias[:] = fit.intercept_.min() - 10  # a class without a training patient is next to impossible
    bias[classes] = fit.intercept_
    return coefficients, bias
