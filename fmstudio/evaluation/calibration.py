"""Temperature scaling: logits and targets of the validation patients in, calibrated outputs out.

One number per adapter divides all logits (Guo et al. 2017, arXiv 1706.04599), so ranks, and with
them AUROC, stay as they were. Shape letters: n cases, K classes or labels.
Logits by task: binary (n,) or (n, 1); multiclass and multilabel (n, K); regression (n,) or (n, 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax, softmax

from fmstudio.types import TaskSpec

# A validation set that the model happens to separate would send the temperature to 0 and every
# probability to 0 or 1; one that it gets wrong would send it to infinity.
LOWEST, HIGHEST = 0.25, 10.0


@dataclass(frozen=True)
class Temperature:
    """What validation taught about certainty.

    `value` divides logits. `sigma` is the root mean square residual, for regression only.
    """

    value: float = 1.0
    sigma: float | None = None

    def as_dict(self) -> dict[str, float | None]:
        """As JSON."""
        return {"value": self.value, "sigma": self.sigma}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Temperature:
        """The temperature that `as_dict` wrote."""
        return cls(values["value"], values.get("sigma"))


def fit_temperature(task: TaskSpec, logits: np.ndarray, targets: np.ndarray) -> Temperature:
    """The temperature in [0.25, 10] of least negative log-likelihood.

    1 where validation cannot tell: no case with a target, or only one class. Multilabel tasks
    share one temperature over all labels; NaN targets count nowhere.
    """
    logits, targets = _flat(task, logits), np.asarray(targets, float)
    if task.kind == "regression":
        residuals = logits - targets
        return Temperature(sigma=float(np.sqrt(np.mean(residuals**2))) if len(targets) else None)
    known = ~np.isnan(targets)
    if len(np.unique(targets[known])) < 2:
        return Temperature()

    def loss(log_temperature: float) -> float:
        return _negative_log_likelihood(task, logits / np.exp(log_temperature), targets)

    found = minimize_scalar(
        loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded", options={"xatol": 1e-6}
    )
    return Temperature(float(np.exp(found.x)))


def probabilities(task: TaskSpec, logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Outputs as people read them: binary (n,) and multilabel (n, K) by the logistic function,
    multiclass (n, K) by softmax, regression (n,) unchanged."""
    logits = _flat(task, logits)
    if task.kind == "regression":
        return logits
    if task.kind == "multiclass":
        return softmax(logits / temperature, axis=1)
    return expit(logits / temperature)


def _flat(task: TaskSpec, logits: np.ndarray) -> np.ndarray:
    logits = np.asarray(logits, float)
    return logits.reshape(len(logits)) if task.kind in ("binary", "regression") else logits


def _negative_log_likelihood(task: TaskSpec, logits: np.ndarray, targets: np.ndarray) -> float:
    if task.kind == "multiclass":
        return -float(
            log_softmax(logits, axis=1)[np.arange(len(logits)), targets.astype(int)].mean()
        )
    # log(1 + exp(z)) - y z, the logistic loss without overflow
    return float(np.nanmean(np.logaddexp(0, logits) - targets * logits))
