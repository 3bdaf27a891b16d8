"""Calibration of an evaluation: whether probabilities, or predicted numbers, are right."""

from __future__ import annotations

from dataclasses import dataclass

from fmstudio.types import Interval


@dataclass(frozen=True)
class CalibrationBin:
    """Cases of like prediction: their number, mean prediction, and what was observed.

    Observed is a share from 0 to 1 with its exact interval; for regression a mean, in the unit of
    the target.
    """

    n: int
    predicted: float
    observed: Interval


@dataclass(frozen=True)
class ErrorIfRight:
    """The calibration error that so many cases show if all probabilities are right: its mean, and
    its 95th percentile, both from 0 to 1."""

    value: float
    high: float


@dataclass(frozen=True)
class RecalibrationMethod:
    """A map of probabilities and what it does on the held-out cases.

    `validation_loss` is its cross-validated log loss per case; None where it was not fitted.
    """

    method: str
    validation_loss: float | None
    ece: Interval
    slope: Interval
    intercept: Interval
    brier: Interval


@dataclass(frozen=True)
class Recalibration:
    """Maps fitted on `n_validation` cases, their metrics on `n` held-out ones, and the map that
    validation cases choose; `reason` where nothing was fitted."""

    n: int
    n_validation: int
    chosen: str
    methods: tuple[RecalibrationMethod, ...]
    reason: str | None = None


@dataclass(frozen=True)
class Calibration:
    """Calibration of the probabilities of one question.

    `ece` is the expected calibration error, from 0 to 1; slope 1 and intercept 0 (of logits) are
    right; `in_the_large` is the mean of truth minus probability. `bins` hold as many cases each,
    in rising order; `histogram` counts cases in 20 bins of equal width from 0 to 1.
    """

    n: int
    positives: int
    ece: Interval
    slope: Interval
    intercept: Interval
    in_the_large: Interval
    ece_if_right: ErrorIfRight
    bins: tuple[CalibrationBin, ...]
    histogram: tuple[int, ...]
    recalibration: Recalibration


@dataclass(frozen=True)
class RegressionCalibration:
    """Truth regressed on prediction: slope 1 and intercept 0 are right.

    Intercept, mean absolute error and `in_the_large`, the mean of truth minus prediction, are in
    the unit of the target.
    """

    n: int
    bins: tuple[CalibrationBin, ...]
    slope: Interval
    intercept: Interval
    mae: Interval
    in_the_large: Interval
