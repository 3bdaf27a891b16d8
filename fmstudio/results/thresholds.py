"""What acting on the probabilities of an evaluation does: thresholds, net benefit, triage."""

from __future__ import annotations

from dataclasses import dataclass, field

from fmstudio.types import Interval


@dataclass(frozen=True)
class Confusion:
    """Held-out cases at a threshold, by truth and flag."""

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int


@dataclass(frozen=True)
class Per1000:
    """Of 1,000 patients at a prevalence: how many are flagged, and how many of each kind there are.

    NaN where there are no cases of one answer to estimate from.
    """

    flagged: float
    true_positives: float
    false_positives: float
    false_negatives: float
    true_negatives: float


@dataclass(frozen=True)
class AtThreshold:
    """What flagging from a probability on does to `n` held-out cases.

    Rates are shares from 0 to 1; predictive values and `per_1000` are those at `prevalence`, a
    share; likelihood ratios are 0 or more.
    """

    threshold: float
    n: int
    positives: int
    prevalence: float
    counts: Confusion
    sensitivity: Interval
    specificity: Interval
    ppv: Interval
    npv: Interval
    lr_positive: Interval
    lr_negative: Interval
    per_1000: Per1000


@dataclass(frozen=True)
class NotReached:
    """No threshold reaches what was asked for."""

    threshold: None


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold for a target: `asked` is the share wanted of sensitivity, specificity, ppv or
    npv, `at` what the threshold for it does."""

    target: str
    asked: float
    at: AtThreshold | NotReached = field(metadata={"inline": True})


@dataclass(frozen=True)
class OperatingPoints:
    """Thresholds chosen on `n_chosen_on` cases of the patients that `chosen_on` names, and what
    they do to `n` held-out cases; `half` is the threshold 0.5."""

    n: int
    positives: int
    chosen_on: str
    n_chosen_on: int
    half: AtThreshold
    points: tuple[OperatingPoint, ...]

    @property
    def reached(self) -> tuple[tuple[OperatingPoint, AtThreshold], ...]:
        """The points that have a threshold, each with what it does."""
        return tuple(
            (point, point.at) for point in self.points if isinstance(point.at, AtThreshold)
        )


@dataclass(frozen=True)
class DecisionCurve:
    """Net benefit per patient over threshold probabilities; empty without cases of either answer.

    `model` and `treat_all` are in the order of `thresholds`, from 0.01 to 0.95. `better` are the
    ranges (lowest, highest threshold) with evidence that the model beats treating all and none.
    """

    n: int
    positives: int
    prevalence: float
    thresholds: tuple[float, ...]
    treat_all: tuple[float, ...] = field(metadata={"key": "all"})
    model: tuple[Interval, ...]
    better: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class TriageSide:
    """Ruling in or out: the threshold at which `target`, a share of right answers, is promised.

    `answered` patients lie beyond it, `share` of all, `right` of them rightly, `reached` as a
    share; `promised` is the lower bound for new patients. With no threshold, `reason` says why.
    `needed` is the fewest answers that could ever support the promise.
    """

    target: float
    promised: float | None
    needed: int
    threshold: float | None
    answered: int
    right: int
    share: Interval
    reached: float | None
    reason: str | None = None


@dataclass(frozen=True)
class Triage:
    """Rule-in and rule-out, each promised with `confidence`, and the share of the `n` patients (one
    case of each) who are deferred to a person."""

    n: int
    positives: int
    confidence: float
    rule_in: TriageSide
    rule_out: TriageSide
    deferred: Interval
