"""Groups of patients in an evaluation: metrics of each, and gaps between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fmstudio.types import Interval


@dataclass(frozen=True)
class ComparedMetric:
    """A metric of a group and its `gap` to all other cases.

    `p` is adjusted for all comparisons, None if too few cases allow no test; `different` says
    whether the gap is more than luck.
    """

    estimate: Interval = field(metadata={"inline": True})
    gap: Interval
    p: float | None
    different: bool


@dataclass(frozen=True)
class SmallGroup:
    """A group of too few cases, or with too few outside it, to be compared: {column: value}."""

    group: Mapping[str, str]
    n: int
    positives: int


@dataclass(frozen=True)
class Group:
    """A group {column: value} that was compared, with its metrics by name."""

    group: Mapping[str, str]
    n: int
    positives: int
    metrics: Mapping[str, ComparedMetric] = field(metadata={"key": "figures"})


@dataclass(frozen=True)
class Gap:
    """A metric in which a group differs from all other cases."""

    group: Mapping[str, str]
    metric: str = field(metadata={"key": "figure"})
    gap: Interval
    p: float


@dataclass(frozen=True)
class Subgroups:
    """Groups compared at a threshold, a probability; `tests` gaps were tested, `gaps` are real."""

    n: int
    positives: int
    threshold: float
    groups: tuple[Group, ...]
    tests: int
    small: tuple[SmallGroup, ...]
    gaps: tuple[Gap, ...]


@dataclass(frozen=True)
class SmallRegressionGroup:
    """A group {column: value} of too few cases to have metrics."""

    group: Mapping[str, str]
    n: int


@dataclass(frozen=True)
class RegressionGroup:
    """A group {column: value} with its errors by name, in the unit of the target."""

    group: Mapping[str, str]
    n: int
    metrics: Mapping[str, Interval] = field(metadata={"key": "figures"})


@dataclass(frozen=True)
class RegressionSubgroups:
    """Errors of each group of a regression; nothing is tested, so no gap is called real."""

    n: int
    groups: tuple[RegressionGroup, ...]
    small: tuple[SmallRegressionGroup, ...]
    tests: int
    gaps: tuple[Gap, ...]
