"""Verbs on cohorts: from a manifest to cases, their report, and what a person does about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fmstudio.errors import NotFound
from fmstudio.records import (
    CohortRecord,
)
from fmstudio.results.audit import CohortAudit
from fmstudio.results.finding import Finding
from fmstudio.studio import (
    answering,
    cohort_cases,
    deletion,
    frames,
    manifests,
    places,
    removal,
    uploads,
)
from fmstudio.studio.context import Context
from fmstudio.studio.projects import Projects
from fmstudio.types import PatientCase, Question

if TYPE_CHECKING:
    import pandas as pd

    from fmstudio.cohort import ColumnRole


class Cohorts:
    """Cohorts of a project; the newest is the one that is worked with."""

    def __init__(self, context: Context, projects: Projects) -> None:
        self._context = context
        self._projects = projects
        self._cut_out: dict[tuple[int, str], Sequence[places.Cut]] = {}  # by cohort and finding
        context.when_let_go(lambda _: self._cut_out.clear())

    def propose_roles(
        self, manifest: Path, label: str | Sequence[str] | None = None, kind: str | None = None
    ) -> list[ColumnRole]:
        """What each column of a manifest seems to be, with the reason. Raises InputError.

        Without `label` the names and the task's `kind` decide which column is the outcome.
        """
        from fmstudio.cohort import propose_roles, read_manifest

        return propose_roles(read_manifest(Path(manifest)), label, kind)

    def add(
        self,
        project: str | int,
        manifest: Path,
        roles: Mapping[str, str] | None = None,
        name: str | None = None,
        copy: bool = False,
        answers: Mapping[str, str] | None = None,
    ) -> CohortRecord:
        """Read, check and register a manifest; the project's labels are fixed by its first one.

        `roles` override what is proposed. With `copy` the folder of the manifest is kept below
        home, for uploads that will be swept away. `answers` are those to questions that files leave
        open, by key (see `questions`). Raises InputError, and then nothing is kept.
        """
        found, steps = self._projects.get(project), answering.steps_of(answers or {})
        return manifests.add(self._context, found, Path(manifest), roles or {}, name, copy, steps)

    def questions(self) -> tuple[Question, ...]:
        """Everything that files of some kind of data may leave open for a person to say."""
        from fmstudio.cohort.answers import questions

        return tuple(question for question, _ in questions().values())

    def answer_questions(
        self, project: str | int, answers: Mapping[str, str], by: str | None = None
    ) -> CohortRecord:
        """Say once how all files of the newest cohort are to be read: a new newest cohort.

        `answers` are by the key of the question, `by` is who says so (default: the account on this
        computer). Raises InputError, and then nothing has changed.
        """
        record = self.current(project)
        return answering.answer_questions(
            self._context, self._projects.get(project), record, answers, by
        )

    def unpack_upload(self, archive: Path) -> Path:
        """Unpack a ZIP of a manifest and its files; the path of the manifest in a temp folder."""
        return uploads.unpack(Path(archive), self._context.settings)

    def newest(self, project: str | int) -> CohortRecord | None:
        """The project's newest cohort, or None."""
        return next(
            iter(self._context.registry.cohorts(self._projects.get(project).id, limit=1)), None
        )

    def group_columns(self, project: str | int) -> list[str]:
        """The group columns of the newest cohort, such as sex or site; none without a cohort."""
        record = self.newest(project)
        return [] if record is None else cohort_cases.group_columns(record)

    def list(self, project: str | int) -> list[CohortRecord]:
        """The cohorts of a project, the newest first."""
        return self._context.registry.cohorts(self._projects.get(project).id)

    def delete(self, ref: str | int) -> deletion.Deleted:
        """Delete a cohort, as it was added and cleaned: its rows, copied files, caches, stored
        predictions for its cases and answers to its held-out cases.

        `ref` is its number, or a project for its newest one. Runs and adapters that learned from it
        stay and are named. Raises as `delete_project` does.
        """
        self._context.reconcile()
        return deletion.delete_cohort(self._context, self.get(ref))

    def remove_patient(self, ref: str | int, patient: str) -> deletion.Deleted:
        """Remove a patient from a cohort, as it was added and cleaned: rows, files that nobody else
        has, caches, stored predictions and answers to held-out cases.

        All others keep their split. Runs and adapters that learned from the patient are named; they
        keep their weights. Raises NotFound for a patient that there is not, InputError for files
        that have changed or a cohort that would have too few cases left, and as `delete_project`.
        """
        self._context.reconcile()
        return removal.remove_patient(self._context, self.get(ref), patient.strip())

    def get(self, ref: str | int) -> CohortRecord:
        """A cohort by its number, or the newest of a project by that. Raises NotFound."""
        if isinstance(ref, int) or ref.isdecimal():
            return self._context.registry.cohort(int(ref))
        return self.current(ref)

    def report(self, project: str | int) -> CohortAudit:
        """What was found in the newest cohort when it was added."""
        return self.current(project).audit

    def check_labels(self, project: str | int) -> CohortAudit:
        """The report with the labels that a probe on the frozen base contradicts.

        That takes as long as preparing the cohort for a run, once; then it is kept. Raises
        InputError if the files have changed since the cohort was added.
        """
        record = self.current(project)
        return manifests.complete(self._context, self._projects.get(project), record).audit

    def start_label_check(self, project: str | int) -> None:
        """Begin to complete the report of the newest cohort, and come back at once.

        The work goes on by itself while the studio is open; see `doubts_state`.
        """
        record, found = self.current(project), self._projects.get(project)
        self._context.label_checks.begin(
            record.id, lambda: manifests.complete(self._context, found, record)
        )

    def label_check_state(self, project: str | int) -> tuple[bool, str]:
        """Whether labels of the newest cohort are being looked at, and why that failed, or ""."""
        return self._context.label_checks.state(self.current(project).id)

    def clean(
        self, project: str | int, finding: str, way: int | None = None, by: str | None = None
    ) -> CohortRecord:
        """XX of the newest cohort's report, which makes a new newest cohort.

        `finding` is its id, or its kind where there is only one of it; `way` counts from 1. `by`
        is who accepts what was found (default: the account on this computer). Raises NotFound or
        InputError, and then nothing has changed.
        """
        record = self.current(project)
        return manifests.mend(self._context, self._projects.get(project), record, finding, way, by)

    def confirm_identifiers(self, project: str | int, by: str) -> CohortRecord:
        """Say of every finding on who the patients are that it identifies nobody; `by` says so.

        Makes a new newest cohort, or gives the newest where nothing waits for an answer.
        """
        record = self.current(project)
        return manifests.confirm_identifiers(self._context, self._projects.get(project), record, by)

    def undo_cleaning(self, project: str | int) -> CohortRecord:
        """Take the cohort before the last cleaning again: a new newest cohort. Nothing is lost.

        Raises NotFound if nothing was cleaned, InputError if the files have changed since.
        """
        return manifests.undo(self._context, self._projects.get(project), self.current(project))

    def rows_concerned(self, project: str | int) -> Callable[[Finding], Sequence[dict[str, str]]]:
        """For a finding of the newest cohort's report the first rows that it is about.

        Each is {"case": …} with the cells of the finding's columns; no rows where the manifest is
        not as it was.
        """
        return manifests.concerned(self._context.settings, self.current(project))

    def cut_out(self, project: str | int, finding: Finding) -> Sequence[places.Cut]:
        """The first places in pictures that a finding of the newest cohort points to, cut out.

        Each is a picture (H, W) or (H, W, 3) uint8 and its caption; looked up once a finding.
        """
        record = self.current(project)
        key = (record.id, finding.id)
        if key not in self._cut_out:
            self._cut_out[key] = places.cut_out(self._context, record, finding)
        return self._cut_out[key]

    def cases(self, project: str | int) -> tuple[PatientCase, ...]:
        """The cases of the newest cohort, in the manifest's order.

        Raises InputError if the files have changed since it was added.
        """
        record = self.current(project)
        return cohort_cases.load(self._context.settings, self._projects.get(project), record).cases

    def frame(self, project: str | int) -> pd.DataFrame:
        """The cases of the newest cohort as a table: ids, split, target, groups, and for each
        modality whether the case has it. Raises as `cases` does."""
        present = self.current(project).audit.modalities
        return frames.of_cases(self.cases(project), list(present))

    def current(self, project: str | int) -> CohortRecord:
        record = self.newest(project)
        if record is None:
            name = self._projects.get(project).name
            raise NotFound(
                f"The project '{name}' has no cohort yet.", hint="Add a manifest of cases first."
            )
        return record
