"""What the checks of a report look at: the cohort, its manifest, and what was read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from fmstudio.cohort.audit.discrimination import Question, Separation, of_categories, of_numbers
from fmstudio.cohort.audit.input_summaries import Digests, Key, readable
from fmstudio.cohort.audit.input_summary import Digest
from fmstudio.cohort.cells import is_missing, same_value
from fmstudio.cohort.manifest import Manifest
from fmstudio.cohort.readings import NUMBERS, Reading
from fmstudio.cohort.roles import columns_of, split_role
from fmstudio.contracts import pipelines
from fmstudio.types import Cohort, OpenQuestion, PatientCase, target_array


@dataclass(frozen=True)
class Doubt:
    """What a cross-validated probe says of a case: `given` is the chance of its own label."""

    row: int
    column: str
    given: float
    label: str
    likely: str


@dataclass(frozen=True)
class Evidence:
    """A cohort as checks see it. `doubts` are None until the frozen base was asked; `left_open`
    is what files leave for a person to say, by (row, modality)."""

    manifest: Manifest
    roles: Mapping[str, str]
    cohort: Cohort
    digests: Digests = field(default_factory=dict)
    doubts: Sequence[Doubt] | None = None
    left_open: Mapping[Key, tuple[OpenQuestion, ...]] = field(default_factory=dict)
    _cells: dict[str, list[str]] = field(default_factory=dict, init=False, repr=False)
    _values: dict[str, np.ndarray] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def cases(self) -> tuple[PatientCase, ...]:
        """The cases, in the manifest's order."""
        return self.cohort.cases

    @cached_property
    def rows(self) -> tuple[int, ...]:
        """Their rows."""
        return tuple(case.row for case in self.cases)

    @cached_property
    def patients(self) -> tuple[str, ...]:
        """Whose each case is."""
        return tuple(case.patient_id for case in self.cases)

    @cached_property
    def patient_of(self) -> Mapping[int, str]:
        """The patient of each row."""
        return dict(zip(self.rows, self.patients, strict=True))

    @cached_property
    def split_of(self) -> Mapping[int, str | None]:
        """The split of each row."""
        return {case.row: case.split for case in self.cases}

    @cached_property
    def questions(self) -> tuple[Question, ...]:
        """The labels as questions of yes and no: each class against the others, a number by
        whether it is above its median."""
        task, targets = self.cohort.task, target_array(self.cases)
        if task.kind == "regression":
            high = (targets > np.median(targets)).astype(float)
            return (Question(f"high {task.labels[0]}", high),)
        if task.kind == "multilabel":
            return tuple(Question(label, targets[:, k]) for k, label in enumerate(task.labels))
        if task.kind == "binary":
            return (Question(task.columns[0], targets),)
        return tuple(
            Question(f"{task.columns[0]} = {label}", (targets == k).astype(float))
            for k, label in enumerate(task.labels)
        )

    def cells(self, column: str) -> list[str]:
        """A column's cells in the cases, stripped."""
        if column not in self._cells:
            cells = self.manifest.cells(column)
            self._cells[column] = [cells[row].strip() for row in self.rows]
        return self._cells[column]

    def reading(self, column: str) -> Reading:
        """How the cells of a column are read."""
        return self.manifest.readings[column]

    def of_kind(self, kind: str) -> list[str]:
        """The columns whose cells hold values of a kind themselves, as inputs."""
        names = [name for name, pipeline in pipelines().items() if pipeline.kind == kind]
        inline = {
            s.name
            for c in self.cases
            for n in names
            for s in c.sources.get(n, ())
            if s.path is None
        }
        return [column for column in self.manifest.columns if column in inline]

    def inputs(self) -> set[str]:
        """Every column that is an input."""
        return {c for c in self.roles if set(self.role(c)) & set(pipelines())}

    def role(self, column: str) -> tuple[str, ...]:
        """The roles of a column."""
        return split_role(self.roles.get(column, "ignore"))

    def columns_of(self, role: str) -> list[str]:
        """The columns with a role."""
        return columns_of(self.roles, role)

    def read(self, modality: str) -> list[tuple[int, Digest]]:
        """(row, digest) of what could be read of a modality."""
        return list(readable(self.digests, modality))

    def numbers(self, column: str) -> np.ndarray | None:
        """A column's numbers in the cases (n), NaN where missing; None if it holds other things."""
        if self.reading(column).kind != NUMBERS:
            return None
        known = self.values(column)
        known = np.where(np.isinf(known), np.nan, known)
        return known if np.isfinite(known).any() else None

    def values(self, column: str) -> np.ndarray:
        """A column's numbers as they stand (n), infinite ones too; NaN where a cell says none."""
        if column not in self._values:
            reading = self.reading(column)
            self._values[column] = np.array([reading.number(cell) for cell in self.cells(column)])
        return self._values[column]

    def separations(self, column: str) -> list[Separation]:
        """How a column tells each question by its values."""
        numbers = self.numbers(column)
        if numbers is not None:
            found = [of_numbers(numbers, question, self.patients) for question in self.questions]
        else:
            words = [None if is_missing(cell) else same_value(cell) for cell in self.cells(column)]
            found = [of_categories(words, question, self.patients) for question in self.questions]
        return [one for one in found if one is not None]

    def by_row(self, values: Mapping[int, float]) -> np.ndarray:
        """Numbers by row as an array over the cases, NaN where there is none."""
        return np.array([values.get(row, np.nan) for row in self.rows])

    def separations_of(self, values: np.ndarray) -> list[Separation]:
        """How numbers (n) over the cases tell each question."""
        found = [of_numbers(values, question, self.patients) for question in self.questions]
        return [one for one in found if one is not None]


def strongest(found: Sequence[Separation]) -> Separation | None:
    """The separation with the largest AUROC."""
    return max(found, key=lambda one: one.auroc, default=None)
