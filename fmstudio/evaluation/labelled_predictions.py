"""Labelled cases with what an adapter answered them: all that a judgement is made from.

Kept in the registry, so that a threshold can be moved without asking the model again. Of a patient
there are the case ids, numbers and the groups to compare by, and nothing else: patients are counted
from 0, files and values are not there.

Shape letters: n cases, M modalities, K classes or labels. Targets and outputs as in `metrics`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.special import expit, logit

from fmstudio.types import PatientCase, TaskSpec, target_array

EDGE = 1e-6  # chances are kept this far from 0 and 1, where a logit is infinite


def score_of(chance: np.ndarray) -> np.ndarray:
    """The logit of chances of any shape, finite for 0 and 1 too."""
    return np.asarray(logit(np.clip(chance, EDGE, 1 - EDGE)))


@dataclass(frozen=True)
class LabelledPredictions:
    """Cases of one split: whose they are (n), targets, calibrated outputs, what they had (n, M).

    `groups` gives for each group column the value of each case, "" where it has none.
    """

    case_ids: tuple[str, ...]
    patients: np.ndarray
    targets: np.ndarray
    outputs: np.ndarray
    present: np.ndarray
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.case_ids)

    @classmethod
    def of(
        cls, cases: Sequence[PatientCase], outputs: np.ndarray, present: np.ndarray
    ) -> LabelledPredictions:
        """Labelled cases with their outputs."""
        _, patients = np.unique([case.patient_id for case in cases], return_inverse=True)
        columns = sorted({column for case in cases for column in case.groups})
        groups = {c: tuple(case.groups.get(c, "") for case in cases) for c in columns}
        ids = tuple(case.case_id for case in cases)
        return cls(
            ids,
            patients,
            target_array(cases),
            np.asarray(outputs, float),
            np.asarray(present, bool),
            groups,
        )

    def take(self, rows: np.ndarray) -> LabelledPredictions:
        """Some of the cases, by their row numbers."""
        groups = {c: tuple(values[row] for row in rows) for c, values in self.groups.items()}
        ids = tuple(self.case_ids[row] for row in rows)
        return LabelledPredictions(
            ids,
            self.patients[rows],
            self.targets[rows],
            self.outputs[rows],
            self.present[rows],
            groups,
        )

    def as_dict(self) -> dict[str, Any]:
        """As JSON; an unknown label is null."""
        targets = [
            [None if np.isnan(v) else v for v in row] if isinstance(row, list) else row
            for row in self.targets.tolist()
        ]
        return {
            "case_ids": list(self.case_ids),
            "patients": self.patients.tolist(),
            "targets": targets,
            "outputs": self.outputs.tolist(),
            "present": self.present.astype(int).tolist(),
            "groups": {column: list(values) for column, values in self.groups.items()},
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> LabelledPredictions:
        """What `as_dict` wrote."""
        return cls(
            tuple(stored["case_ids"]),
            np.array(stored["patients"], int),
            np.array(stored["targets"], float),
            np.array(stored["outputs"], float),
            np.array(stored["present"], bool),
            {column: tuple(values) for column, values in stored["groups"].items()},
        )


@dataclass(frozen=True)
class HeldOut:
    """An adapter's answers to validation patients, where they are known, and to those it is judged
    on.

    `temperature` is what its logits were divided by before `shift` was added; `subsets` and
    `fusion` are what each subset of the modalities is worth, and `missing` what it costs if some
    are hidden (see `fusion`). `ladder` are the outputs for the test cases of the simpler models
    that it was compared with, by name.
    """

    task: TaskSpec
    modalities: tuple[str, ...]
    test: LabelledPredictions
    validation: LabelledPredictions | None = None
    temperature: float = 1.0
    subsets: tuple[Mapping[str, Any], ...] = ()
    fusion: Mapping[str, Any] | None = None
    missing: tuple[Mapping[str, Any], ...] = ()
    ladder: Mapping[str, np.ndarray] = field(default_factory=dict)
    shift: float = 0.0

    def as_trained(self, chances: np.ndarray) -> np.ndarray:
        """Chances as they were before calibration: (n,) or (n, K) of labels apart, or (n, K) of
        classes that exclude each other."""
        if self.task.kind == "multiclass":
            raised = np.clip(chances, EDGE, 1 - EDGE) ** self.temperature
            return np.asarray(raised / raised.sum(axis=1, keepdims=True))
        return np.asarray(expit((score_of(chances) - self.shift) * self.temperature))

    def without(self, case_ids: Collection[str]) -> HeldOut | None:
        """The same without some cases; None where no test case is left."""
        test, kept = _without(self.test, case_ids)
        validation = self.validation and _without(self.validation, case_ids)[0]
        ladder = {name: outputs[kept] for name, outputs in self.ladder.items()}
        if not len(test):
            return None
        return replace(self, test=test, validation=validation or None, ladder=ladder)

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "task": self.task.as_dict(),
            "modalities": list(self.modalities),
            "test": self.test.as_dict(),
            "validation": None if self.validation is None else self.validation.as_dict(),
            "temperature": self.temperature,
            "subsets": [dict(one) for one in self.subsets],
            "fusion": None if self.fusion is None else dict(self.fusion),
            "missing": [dict(one) for one in self.missing],
            "ladder": {name: outputs.tolist() for name, outputs in self.ladder.items()},
            "shift": self.shift,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> HeldOut:
        """What `as_dict` wrote."""
        validation = stored["validation"]
        return cls(
            TaskSpec.from_dict(stored["task"]),
            tuple(stored["modalities"]),
            LabelledPredictions.from_dict(stored["test"]),
            None if validation is None else LabelledPredictions.from_dict(validation),
            stored["temperature"],
            tuple(stored["subsets"]),
            stored["fusion"],
            tuple(stored["missing"]),
            {name: np.array(outputs, float) for name, outputs in stored.get("ladder", {}).items()},
            stored.get("shift", 0.0),
        )


def _without(
    answered: LabelledPredictions, case_ids: Collection[str]
) -> tuple[LabelledPredictions, np.ndarray]:
    """Cases but some, and the rows of those that are left."""
    left = np.flatnonzero([case not in case_ids for case in answered.case_ids])
    return answered.take(left), left


@dataclass(frozen=True)
class Question:
    """One yes-or-no question: a binary task, a label, or a class against the others.

    `truth` (n) is True where the answer is yes, `chance` (n) its probability; `rows` are the cases
    of `LabelledPredictions` that have an answer.
    """

    label: str
    truth: np.ndarray
    chance: np.ndarray
    patients: np.ndarray
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def positives(self) -> int:
        """How many cases the answer is yes for."""
        return int(self.truth.sum())

    @property
    def both(self) -> bool:
        """True if there are cases of either answer."""
        return 0 < self.positives < len(self)

    def take(self, rows: np.ndarray) -> Question:
        """Some of the cases, by their row numbers or a mask."""
        return Question(
            self.label, self.truth[rows], self.chance[rows], self.patients[rows], self.rows[rows]
        )


def questions(task: TaskSpec, answered: LabelledPredictions) -> Iterator[Question]:
    """The yes-or-no questions of a task that is none about a number."""
    everyone = np.arange(len(answered))
    if task.kind == "binary":
        yield Question(
            task.labels[-1], answered.targets > 0.5, answered.outputs, answered.patients, everyone
        )
        return
    for k, label in enumerate(task.labels if task.kind != "regression" else ()):
        if task.kind == "multiclass":
            rows, truth = everyone, answered.targets == k
        else:
            rows = np.flatnonzero(~np.isnan(answered.targets[:, k]))
            truth = answered.targets[rows, k] > 0.5
        yield Question(label, truth, answered.outputs[rows, k], answered.patients[rows], rows)
