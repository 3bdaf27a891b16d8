"""Calibration: logits and targets of the validation patients in, how logits are to be read out.

All logits are divided by one number (temperature: Guo et al. 2017, arXiv 1706.04599); for a
yes-or-no task one more is added (Platt 1999). Ranks, and with them AUROC, stay as they were.

Both are held near no change by a prior, which a hundred validation patients overrule and thirty do
not: fitted freely to few, they made the chances of a well-calibrated model worse in most folds of
real cohorts (`python -m benchmarks folds`).

Shape letters: n cases, K classes or labels.
Logits by task: binary (n,) or (n, 1); multiclass and multilabel (n, K); regression (n,) or (n, 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, softmax

from fmstudio.types import TaskSpec

SPREAD = 0.3  # the prior's standard deviation, of the temperature's logarithm and of the shift


@dataclass(frozen=True)
class Calibration:
    """What validation taught about certainty.

    `temperature` divides logits, and `shift` is then added to those of a binary task. `sigma` is
    the root mean square residual, for regression only.
    """

    temperature: float = 1.0
    shift: float = 0.0
    sigma: float | None = None

    def calibrated(self, logits: np.ndarray) -> np.ndarray:
        """Logits of any shape to logits that say how sure one may be."""
        return logits / self.temperature + self.shift


def fit_calibration(task: TaskSpec, logits: np.ndarray, targets: np.ndarray) -> Calibration:
    """The temperature, and for a binary task the shift, that are most likely given the targets:
    of least negative log-likelihood plus the prior's.

    No change where validation cannot tell: no case with a target, or only one class. Multilabel
    tasks share one temperature over all labels; NaN targets count nowhere.
    """
    logits, targets = _flat(task, logits), np.asarray(targets, float)
    if task.kind == "regression":
        residuals = logits - targets
        return Calibration(sigma=float(np.sqrt(np.mean(residuals**2))) if len(targets) else None)
    known = ~np.isnan(targets)
    if len(np.unique(targets[known])) < 2:
        return Calibration()
    numbers = 2 if task.kind == "binary" else 1

    def read(found: np.ndarray) -> Calibration:
        return Calibration(float(np.exp(found[0])), float(found[1]) if numbers == 2 else 0.0)

    def lost(found: np.ndarray) -> float:
        unlikely = float((found**2).sum()) / (2 * SPREAD**2)
        calibrated = read(found).calibrated(logits)
        return _negative_log_likelihood(task, calibrated, targets) + unlikely

    return read(minimize(lost, np.zeros(numbers), method="BFGS").x)


def probabilities(task: TaskSpec, logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Outputs as people read them: binary (n,) and multilabel (n, K) by the logistic function,
    multiclass (n, K) by softmax, regression (n,) unchanged."""
    logits = _flat(task, logits)
    if task.kind == "regression":
        return logits
    if task.kind == "multiclass":
        return np.asarray(softmax(logits / temperature, axis=1))
    return np.asarray(expit(logits / temperature))


def _flat(task: TaskSpec, logits: np.ndarray) -> np.ndarray:
    logits = np.asarray(logits, float)
    return logits.reshape(len(logits)) if task.kind in ("binary", "regression") else logits


def _negative_log_likelihood(task: TaskSpec, logits: np.ndarray, targets: np.ndarray) -> float:
    """Summed over cases and labels."""
    if task.kind == "multiclass":
        return -float(
            log_softmax(logits, axis=1)[np.arange(len(logits)), targets.astype(int)].sum()
        )
    # log(1 + exp(z)) - y z, the logistic loss without overflow
    return float(np.nansum(np.logaddexp(0, logits) - targets * logits))
