"""Discrimination of an evaluation: ROC and precision-recall curves with their areas."""

from __future__ import annotations

from dataclasses import dataclass

from fmstudio.types import Interval


@dataclass(frozen=True)
class Band:
    """The 95 % band of a curve: its ends at 51 points from 0 to 1."""

    x: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Curve:
    """A curve of at most 200 points within the unit square; no band where none is defined."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    band: Band | None


@dataclass(frozen=True)
class Discrimination:
    """AUROC and AUPRC of one question, and both curves; no curve without cases of either answer.

    `roc` is sensitivity on false positive rate, `pr` precision on sensitivity.
    """

    n: int
    positives: int
    auroc: Interval
    auprc: Interval
    roc: Curve | None
    pr: Curve | None
