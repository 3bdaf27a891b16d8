"""The one table of metrics: name, range, direction, and what guessing reaches."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from fmstudio.types import Interval


@dataclass(frozen=True)
class Metric:
    """A metric of an evaluation.

    `guessing` is what a model reaches that never looks at the patient, None where that depends on
    the patients. `axis` is what a plot shows of the range; its middle is `guessing`.
    """

    key: str
    name: str
    low: float
    high: float
    higher_is_better: bool = True
    guessing: float | None = None
    axis: tuple[float, float] | None = None


METRICS: Mapping[str, Metric] = {
    metric.key: metric
    for metric in (
        Metric("auroc", "AUROC", 0, 1, guessing=0.5, axis=(0.0, 1.0)),
        Metric("macro_auroc", "Macro AUROC", 0, 1, guessing=0.5, axis=(0.0, 1.0)),
        Metric("r2", "R²", -inf, 1, guessing=0.0, axis=(-1.0, 1.0)),
        Metric("auprc", "AUPRC", 0, 1),
        Metric("brier", "Brier score", 0, 2, higher_is_better=False),
        Metric("ece", "Calibration error", 0, 1, higher_is_better=False),
        Metric("accuracy", "Accuracy", 0, 1),
        Metric("mae", "Mean absolute error", 0, inf, higher_is_better=False),
        Metric("rmse", "Root mean square error", 0, inf, higher_is_better=False),
        Metric("sensitivity", "Sensitivity", 0, 1),
        Metric("false_positive_rate", "False positive rate", 0, 1, higher_is_better=False),
        Metric("calibration", "Truth minus prediction", -inf, inf),
        Metric("in_the_large", "Truth minus prediction", -inf, inf),
    )
}

HEADLINE: Mapping[str, str] = {
    "binary": "auroc",
    "multiclass": "macro_auroc",
    "multilabel": "macro_auroc",
    "regression": "r2",
}
"""Kind of task -> the metric by which adapters for it are compared."""


def name_of(key: str) -> str:
    """A metric's name in full; of one that is not in the table, its key in words."""
    return METRICS[key].name if key in METRICS else key.replace("_", " ")


def headline_in(found: Container[str]) -> str | None:
    """The key of the headline metric among `found`, None if there is none."""
    return next((key for key in ("auroc", "macro_auroc", "r2") if key in found), None)


def beats_guessing(key: str, figure: Any) -> bool:
    """Whether the whole 95 % interval {value, low, high} of a headline metric beats guessing."""
    guessing = METRICS[key].guessing
    if guessing is None:
        raise ValueError(f"what guessing reaches in {key} depends on the patients")
    if isinstance(figure, Interval):
        return figure.low > guessing
    low = figure.get("low") if isinstance(figure, Mapping) else None
    return isinstance(low, int | float) and low > guessing
