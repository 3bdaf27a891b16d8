"""Linear fits of features, with the strength of L2 chosen by cross-validation over patients.

Shape letters: n cases, M modalities, F features, C columns, K outputs.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge

from fmstudio.baselines.losses import classes_known, loss, prior_shift
from fmstudio.baselines.sample_weights import SampleWeights
from fmstudio.evaluation.cross_fit import cross_fit, patient_folds
from fmstudio.types import TaskSpec

STRENGTHS = (0.003, 0.03, 0.3, 3.0, 30.0)


@dataclass(frozen=True)
class LinearFit:
    """One linear fit: mean and scale (F), weight (F, K), offset (K); the logits (n, K) that each
    case got from a fit without its patient, and whether that one knew the case's class (n)."""

    mean: np.ndarray
    scale: np.ndarray
    weight: np.ndarray
    offset: np.ndarray
    out_of_fold: np.ndarray
    known: np.ndarray


def fit_linear(
    task: TaskSpec,
    values: np.ndarray,
    targets: np.ndarray,
    patients: Sequence[str],
    sample_weights: SampleWeights,
    trust: np.ndarray,
) -> LinearFit:
    """A fit of the features that are trusted, its strength chosen by cross-validation."""
    mean, scale = values.mean(0), values.std(0)
    scale = np.where(scale > 1e-5, scale, 1.0)
    # L2 does not see rotations, so a fit in the coordinates of the singular vectors is the same
    # fit (Hastie & Tibshirani 2004, "Efficient quadratic regularization"), and much faster when
    # features outnumber cases.
    seen = trust > 0
    table = ((values - mean) / scale * trust)[:, seen]
    left, singular, right = np.linalg.svd(table.astype(np.float64), full_matrices=False)
    kept = singular > singular[0] * 1e-4
    rotated = left[:, kept] * singular[kept]
    out_of_fold, known = _cross_validated(task, rotated, targets, patients, sample_weights)
    # With several classes the shift, fitted to a handful of cases each, favours the fit that says
    # nothing but which class is common.
    shifted = sample_weights.balance and task.kind != "multiclass"
    shift = prior_shift(task, targets) if shifted else 0.0
    lost = [loss(task, (logits + shift)[known], targets[known]) for logits in out_of_fold]
    best = int(np.argmin(lost))
    coefficients, bias = _fit(task, rotated, targets, STRENGTHS[best], sample_weights)
    weight = np.zeros((values.shape[1], task.outputs))
    weight[seen] = right[kept].T @ coefficients * trust[seen, None]
    return LinearFit(mean, scale, weight, bias, out_of_fold[best], known)


def _cross_validated(
    task: TaskSpec,
    table: np.ndarray,
    targets: np.ndarray,
    patients: Sequence[str],
    sample_weights: SampleWeights,
) -> tuple[np.ndarray, np.ndarray]:
    """For each strength the logits (n, K) from fits that did not see the patient, and which cases
    (n) say how good those are: the cases of classes that the fit knew."""
    folds = patient_folds(patients)
    known = classes_known(task, targets, folds)
    if not folds:
        return np.zeros((len(STRENGTHS), len(targets), task.outputs)), known

    def answer(inner: np.ndarray, outer: np.ndarray) -> np.ndarray:
        own, logits = sample_weights.of(inner), []
        for strength in STRENGTHS:
            coefficients, bias = _fit(task, table[inner], targets[inner], strength, own)
            logits.append(table[outer] @ coefficients + bias)
        return np.stack(logits, 1)

    return cross_fit(folds, answer).swapaxes(0, 1), known


def equal_trust(width: int, groups: Sequence[slice]) -> np.ndarray:
    """By how much each standardized feature (F) is multiplied before L2 weighs it.

    Groups then have the same variance in all, so that a few telling features are not drowned by
    many: the sum of the groups' kernels (Lanckriet et al. 2004), each as large as the others.
    """
    trust = np.zeros(width)
    for group in groups:
        trust[group] = 1 / np.sqrt((group.stop - group.start) * len(groups))
    return trust


def _fit(
    task: TaskSpec,
    table: np.ndarray,
    targets: np.ndarray,
    strength: float,
    sample_weights: SampleWeights,
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (rank, K) and bias (K) of one fit."""
    weights = sample_weights.weights(task, targets)
    if task.kind == "regression":
        ridge = Ridge(alpha=1 / strength).fit(table, targets, sample_weight=weights)
        return ridge.coef_[:, None], np.array([ridge.intercept_])
    if task.kind in ("binary", "multiclass"):
        classes = targets.astype(int)
        return _logistic(table, classes, strength, weights, sample_weights.balance, task.outputs)
    fits = []
    for k, column in enumerate(targets.T):
        known = ~np.isnan(column)
        answers, own = column[known].astype(int), None if weights is None else weights[known, k]
        fits.append(_logistic(table[known], answers, strength, own, sample_weights.balance, 1))
    return np.concatenate([f[0] for f in fits], 1), np.concatenate([f[1] for f in fits])


def _logistic(
    table: np.ndarray,
    targets: np.ndarray,
    strength: float,
    weights: np.ndarray | None,
    balance: bool,
    outputs: int,
) -> tuple[np.ndarray, np.ndarray]:
    classes = np.unique(targets)
    coefficients, bias = np.zeros((table.shape[1], outputs)), np.zeros(outputs)
    if len(classes) < 2:
        # A label that no training patient varies in: nothing to learn, its share stays.
        share = np.clip(targets.mean() if len(targets) else 0.5, 1e-3, 1 - 1e-3)
        return coefficients, bias + (0.0 if balance else np.log(share / (1 - share)))
    fit = LogisticRegression(C=strength, max_iter=100)
    with warnings.catch_warnings():
        # A fit that is not quite at its end is still compared on validation like the others.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit.fit(table, targets, sample_weight=weights)
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
