"""The evaluation of an adapter on labelled cases: what `evaluate --json` writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar

from fmstudio.results.calibration import Calibration, RegressionCalibration
from fmstudio.results.discrimination import Discrimination
from fmstudio.results.subgroups import RegressionSubgroups, Subgroups
from fmstudio.results.thresholds import DecisionCurve, OperatingPoints, Triage
from fmstudio.types import Interval

Part = TypeVar("Part")


@dataclass(frozen=True)
class ByLabel(Generic[Part]):
    """A part of the evaluation for each label of a task with several, on `n` cases in all."""

    n: int
    by_label: Mapping[str, Part]


@dataclass(frozen=True)
class QuestionParts:
    """All that is about one yes-or-no question: a binary task, a label, or a class against the
    others."""

    label: str
    discrimination: Discrimination
    calibration: Calibration
    operating_points: OperatingPoints
    decision_curve: DecisionCurve
    triage: Triage
    subgroups: Subgroups


PARTS = tuple(each.name for each in fields(QuestionParts) if each.name != "label")


@dataclass(frozen=True)
class RegressionParts:
    """The same of a task about a number, which has no thresholds."""

    calibration: RegressionCalibration
    subgroups: RegressionSubgroups


@dataclass(frozen=True)
class Evaluation:
    """Everything about `n` held-out cases of `patients` patients.

    `task` is the kind of task, `metrics` are those of all cases together. The parts that are about
    a yes-or-no question are as they are for a binary task, by label for multiclass and multilabel,
    and None for regression; read them with `questions` and `parts`. `overlap` goes with cases of
    another manifest: how many of them the adapter was trained on.
    """

    adapter: str
    n: int
    patients: int
    task: str
    labels: tuple[str, ...]
    columns: tuple[str, ...]
    modalities: tuple[str, ...]
    metrics: Mapping[str, Interval]
    subsets: tuple[Mapping[str, Any], ...]
    fusion: Mapping[str, Any] | None
    missing: tuple[Mapping[str, Any], ...]
    discrimination: Discrimination | ByLabel[Discrimination] | None
    calibration: Calibration | ByLabel[Calibration] | RegressionCalibration
    operating_points: OperatingPoints | ByLabel[OperatingPoints] | None
    decision_curve: DecisionCurve | ByLabel[DecisionCurve] | None
    triage: Triage | ByLabel[Triage] | None
    subgroups: Subgroups | ByLabel[Subgroups] | RegressionSubgroups
    conformal: Mapping[str, Any]
    learning_curve: Mapping[str, Any] | None
    cases: Mapping[str, Any]
    manifest: str | None = None
    overlap: Mapping[str, Any] | None = None

    @property
    def several(self) -> bool:
        """True if the task has several yes-or-no questions."""
        return isinstance(self.triage, ByLabel)

    def questions(self) -> tuple[QuestionParts, ...]:
        """The parts about each yes-or-no question; none for regression."""
        if self.triage is None:
            return ()
        if not isinstance(self.triage, ByLabel):
            return (
                QuestionParts(self.labels[-1], **{name: getattr(self, name) for name in PARTS}),
            )
        return tuple(
            QuestionParts(label, **{name: getattr(self, name).by_label[label] for name in PARTS})
            for label in self.triage.by_label
        )

    def parts(self, label: str | None = None) -> QuestionParts | RegressionParts:
        """The parts about one question, the first unless another's label is given."""
        if isinstance(self.calibration, RegressionCalibration):
            assert isinstance(self.subgroups, RegressionSubgroups)
            return RegressionParts(self.calibration, self.subgroups)
        questions = self.questions()
        return next((each for each in questions if each.label == label), questions[0])
