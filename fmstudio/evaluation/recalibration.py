"""Recalibration: which of a few simple maps makes chances mean what they say, and by how much.

No map, temperature (Guo et al. 2017, arXiv 1706.04599), Platt's slope and intercept (Platt 1999)
and isotonic regression (Zadrozny and Elkan 2002), all fitted on validation patients. The choice
falls by cross-validated log loss over validation patients, to the simplest map within one standard
error of the best; what it does is then looked at on other patients.

Shape letters: n cases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression

from fmstudio.evaluation.cross_fit import FOLDS, cross_fit, patient_folds
from fmstudio.evaluation.labelled_predictions import EDGE, Question, score_of
from fmstudio.evaluation.metrics import calibration_error
from fmstudio.evaluation.reliability import intercept, logistic, slope
from fmstudio.evaluation.resampling import intervals
from fmstudio.results.calibration import Recalibration, RecalibrationMethod

FEWEST_TO_RECALIBRATE = 20  # validation cases, and at least five of either answer
UNCALIBRATED = "before calibration"
Map = Callable[[np.ndarray], np.ndarray]


def as_it_is(chance: np.ndarray, truth: np.ndarray) -> Map:
    """No map."""
    return lambda given: given


def temperature(chance: np.ndarray, truth: np.ndarray) -> Map:
    """Logits divided by the number of least log loss."""
    score = score_of(chance)

    def lost(log_value: float) -> float:
        return float(_losses(expit(score / np.exp(log_value)), truth).mean())

    value = float(np.exp(minimize_scalar(lost, bounds=(-2.0, 3.0), method="bounded").x))
    return lambda given: expit(score_of(given) / value)


def platt(chance: np.ndarray, truth: np.ndarray) -> Map:
    """A logistic regression on the logit. Where it has no finite fit, or turns ranks: no map."""
    found = logistic(chance, truth.astype(float), np.ones((1, len(chance))))[0]
    if np.isnan(found).any() or found[1] <= 0:
        return as_it_is(chance, truth)
    return lambda given: expit(found[0] + found[1] * score_of(given))


def isotonic(chance: np.ndarray, truth: np.ndarray) -> Map:
    """The rising steps of least squares, drawn in by one case at either end.

    Without the latter a step without any positive case would be sure to be negative.
    """
    edge = 1 / (len(chance) + 2)
    fitted = IsotonicRegression(out_of_bounds="clip", y_min=edge, y_max=1 - edge)
    fitted.fit(chance, truth.astype(float))
    return lambda given: fitted.predict(given)


METHODS: Mapping[str, Callable[[np.ndarray, np.ndarray], Map]] = {
    "as it is": as_it_is,
    "temperature": temperature,
    "Platt": platt,
    "isotonic": isotonic,
}
"""From the simplest to the most free."""


def recalibration(
    judged: Question, validation: Question | None, uncalibrated: np.ndarray | None = None
) -> Recalibration:
    """Each map's figures on the judged cases, with the one that validation patients choose.

    The first row, "before calibration", are the chances (n) as they were trained, if given.

    `chosen` is "as it is", with a `reason`, where validation patients are too few to fit anything.
    """
    rows = [] if uncalibrated is None else [_row(UNCALIBRATED, judged, uncalibrated, None)]
    usable = validation is not None and _enough(validation)
    if validation is None or not usable:
        rows += [_row("as it is", judged, judged.chance, None)]
        return Recalibration(
            n=len(judged),
            n_validation=0 if validation is None else len(validation),
            chosen="as it is",
            methods=tuple(rows),
            reason=f"Fewer than {FEWEST_TO_RECALIBRATE} validation patients, or fewer than five "
            "of either answer: nothing was fitted.",
        )
    losses = cross_validated(validation)
    chosen = choose(losses)
    for name, method in METHODS.items():
        read = method(validation.chance, validation.truth)
        rows.append(_row(name, judged, read(judged.chance), float(losses[name].mean())))
    return Recalibration(len(judged), len(validation), chosen, tuple(rows))


def cross_validated(validation: Question) -> dict[str, np.ndarray]:
    """Each map's log loss (n) on validation cases, from fits that did not see the patient."""
    chance, truth, folds = validation.chance, validation.truth, patient_folds(validation.patients)

    def lost(method: Callable[[np.ndarray, np.ndarray], Map]) -> np.ndarray:
        return cross_fit(
            folds,
            lambda inner, outer: _losses(
                method(chance[inner], truth[inner])(chance[outer]), truth[outer]
            ),
        )

    return {name: lost(method) for name, method in METHODS.items()}


def choose(losses: Mapping[str, np.ndarray]) -> str:
    """The first and so simplest map whose loss (n) is within one standard error of the best."""
    best = min(losses, key=lambda name: float(losses[name].mean()))
    for name in losses:
        worse = losses[name] - losses[best]
        if worse.mean() <= worse.std() / np.sqrt(len(worse)):
            return name
    return best


def _enough(validation: Question) -> bool:
    fewer = min(validation.positives, len(validation) - validation.positives)
    patients = len(set(validation.patients))
    return len(validation) >= FEWEST_TO_RECALIBRATE and fewer >= 5 and patients >= FOLDS


def _row(
    name: str, judged: Question, chance: np.ndarray, loss: float | None
) -> RecalibrationMethod:
    truth = judged.truth.astype(float)
    found = intervals(
        {
            "ece": lambda weights: calibration_error(truth, chance, weights),
            "slope": lambda weights: slope(chance, truth, weights),
            "intercept": lambda weights: intercept(chance, truth, weights),
            "brier": lambda weights: weights @ (chance - truth) ** 2 / weights.sum(axis=1),
        },
        len(judged),
        judged.patients,
    )
    return RecalibrationMethod(name, loss, **found)


def _losses(chance: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Log loss of each case."""
    sure = np.clip(np.where(truth, chance, 1 - chance), EDGE, 1)
    losses: np.ndarray = -np.log(sure)
    return losses
