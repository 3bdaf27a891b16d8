"""Verbs on projects and their cohorts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmstudio.errors import NotFound
from fmstudio.records import (
    AdapterName,
    AdapterRecord,
    AdapterSummary,
    CohortRecord,
    ProjectRecord,
    RunRecord,
    RunSummary,
)
from fmstudio.studio import answering, cohort_cases, deletion, manifests, places, removal, uploads
from fmstudio.studio.home import Home
from fmstudio.studio.tasks import new_task
from fmstudio.types import PatientCase, Question

if TYPE_CHECKING:
    from fmstudio.cohort import ColumnRole


class Projects(Home):
    """Projects and cohorts."""

    def create_project(
        self,
        name: str,
        task: str,
        label: str | Sequence[str] | None = None,
        positive: str | None = None,
        describe: str = "",
        sample: bool = False,
        moment: float | None = None,
    ) -> ProjectRecord:
        """A new project. Labels are fixed when its first cohort is added.

        `label` names the manifest's label column, for multilabel several; `moment` is that of the
        prediction, in hours after the beginning of a case. Raises InputError.
        """
        spec = new_task(task, label, positive, describe, moment)
        return self.registry.create_project(name, spec, sample=sample)

    def projects(
        self, sample: bool | None = None, limit: int = 100, skip: int = 0
    ) -> list[ProjectRecord]:
        """The newest projects, newest first, after `skip` of them.

        Only the sample with `sample`, only those of people with `sample=False`.
        """
        return self.registry.projects(sample, limit, skip)

    def count_projects(self, sample: bool | None = None) -> int:
        """How many projects there are; with `sample`, as `projects` has it."""
        return self.registry.count_projects(sample)

    def project_names(
        self,
        records: Iterable[RunRecord | RunSummary | AdapterRecord | AdapterSummary | AdapterName],
    ) -> dict[int, str]:
        """The names of the projects of runs or adapters, by the projects' ids."""
        return self.registry.project_names({record.project_id for record in records})

    def project(self, ref: str | int) -> ProjectRecord:
        """A project by name or id. Raises NotFound."""
        return self.registry.project(ref)

    def delete_project(self, ref: str | int) -> None:
        """Delete a project with its cohorts, runs, adapters and their files.

        No byte of it stays in the home folder; files outside stay. Raises InputError while one of
        its runs is live, its labels are looked at or one of its adapters answers.
        """
        self.reconcile()  # a run whose worker is gone is not live
        deletion.delete_project(self, self.project(ref))

    def propose_roles(
        self, manifest: Path, label: str | Sequence[str] | None = None, kind: str | None = None
    ) -> list[ColumnRole]:
        """What each column of a manifest seems to be, with the reason. Raises InputError.

        Without `label` the names and the task's `kind` decide which column is the outcome.
        """
        from fmstudio.cohort import propose_roles, read_manifest

        return propose_roles(read_manifest(Path(manifest)), label, kind)

    def add_cohort(
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
        found, steps = self.project(project), answering.steps_of(answers or {})
        return manifests.add(self, found, Path(manifest), roles or {}, name, copy, steps)

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
        record = self._newest_cohort(project)
        return answering.answer_questions(self, self.project(project), record, answers, by)

    def unpack_upload(self, archive: Path) -> Path:
        """Unpack a ZIP of a manifest and its files; the path of the manifest in a temp folder."""
        return uploads.unpack(Path(archive), self.settings)

    def cohort(self, project: str | int) -> CohortRecord | None:
        """The project's newest cohort, or None."""
        return next(iter(self.registry.cohorts(self.project(project).id, limit=1)), None)

    def group_columns(self, project: str | int) -> list[str]:
        """The group columns of the newest cohort, such as sex or site; none without a cohort."""
        record = self.cohort(project)
        return [] if record is None else cohort_cases.group_columns(record)

    def cohorts(self, project: str | int) -> list[CohortRecord]:
        """The cohorts of a project, the newest first."""
        return self.registry.cohorts(self.project(project).id)

    def delete_cohort(self, ref: str | int) -> deletion.Deleted:
        """Delete a cohort, as it was added and cleaned: its rows, copied files, caches, stored
        predictions for its cases and answers to its held-out cases.

        `ref` is its number, or a project for its newest one. Runs and adapters that learned from it
        stay and are named. Raises as `delete_project` does.
        """
        self.reconcile()
        return deletion.delete_cohort(self, self.find_cohort(ref))

    def remove_patient(self, ref: str | int, patient: str) -> deletion.Deleted:
        """Remove a patient from a cohort, as it was added and cleaned: rows, files that nobody else
        has, caches, stored predictions and answers to held-out cases.

        All others keep their split. Runs and adapters that learned from the patient are named; they
        keep their weights. Raises NotFound for a patient that there is not, InputError for files
        that have changed or a cohort that would have too few cases left, and as `delete_project`.
        """
        self.reconcile()
        return removal.remove_patient(self, self.find_cohort(ref), patient.strip())

    def find_cohort(self, ref: str | int) -> CohortRecord:
        """A cohort by its number, or the newest of a project by that. Raises NotFound."""
        if isinstance(ref, int) or ref.isdecimal():
            return self.registry.cohort(int(ref))
        return self._newest_cohort(ref)

    def cohort_report(self, project: str | int) -> dict[str, Any]:
        """What was found in the newest cohort when it was added: the JSON of `cohort report`."""
        return dict(self._newest_cohort(project).summary)

    def complete_report(self, project: str | int) -> dict[str, Any]:
        """The report with the labels that a probe on the frozen base contradicts.

        That takes as long as preparing the cohort for a run, once; then it is kept. Raises
        InputError if the files have changed since the cohort was added.
        """
        record = self._newest_cohort(project)
        return dict(manifests.complete(self, self.project(project), record).summary)

    def look_for_doubts(self, project: str | int) -> None:
        """Begin to complete the report of the newest cohort, and come back at once.

        The work goes on by itself while the studio is open; see `doubts_state`.
        """
        record, found = self._newest_cohort(project), self.project(project)
        self._doubting.begin(record.id, lambda: manifests.complete(self, found, record))

    def doubts_state(self, project: str | int) -> tuple[bool, str]:
        """Whether labels of the newest cohort are being looked at, and why that failed, or ""."""
        return self._doubting.state(self._newest_cohort(project).id)

    def mend_cohort(
        self, project: str | int, finding: str, way: int | None = None, by: str | None = None
    ) -> CohortRecord:
        """Mend a finding of the newest cohort's report, which makes a new newest cohort.

        `finding` is its id, or its kind where there is only one of it; `way` counts from 1. `by`
        is who accepts what was found (default: the account on this computer). Raises NotFound or
        InputError, and then nothing has changed.
        """
        record = self._newest_cohort(project)
        return manifests.mend(self, self.project(project), record, finding, way, by)

    def confirm_identifiers(self, project: str | int, by: str) -> CohortRecord:
        """Say of every finding on who the patients are that it identifies nobody; `by` says so.

        Makes a new newest cohort, or gives the newest where nothing waits for an answer.
        """
        record = self._newest_cohort(project)
        return manifests.confirm_identifiers(self, self.project(project), record, by)

    def undo_mending(self, project: str | int) -> CohortRecord:
        """Take the cohort before the last mending again: a new newest cohort. Nothing is lost.

        Raises NotFound if nothing was mended, InputError if the files have changed since.
        """
        return manifests.undo(self, self.project(project), self._newest_cohort(project))

    def concerned(self, project: str | int) -> Callable[[Mapping[str, Any]], list[dict[str, str]]]:
        """For a finding of the newest cohort's report the first rows that it is about.

        Each is {"case": …} with the cells of the finding's columns; no rows where the manifest is
        not as it was.
        """
        return manifests.concerned(self.settings, self._newest_cohort(project))

    def cut_out(self, project: str | int, finding: Mapping[str, Any]) -> list[places.Cut]:
        """The first places in pictures that a finding of the newest cohort points to, cut out.

        Each is a picture (H, W) or (H, W, 3) uint8 and its caption; looked up once a finding.
        """
        record = self._newest_cohort(project)
        key = (record.id, str(finding["id"]))
        if key not in self._cut_out:
            self._cut_out[key] = places.cut_out(self, record, finding)
        return self._cut_out[key]

    def cases(self, project: str | int) -> tuple[PatientCase, ...]:
        """The cases of the newest cohort, in the manifest's order.

        Raises InputError if the files have changed since it was added.
        """
        record = self._newest_cohort(project)
        return cohort_cases.load(self.settings, self.project(project), record).cases

    def _newest_cohort(self, project: str | int) -> CohortRecord:
        record = self.cohort(project)
        if record is None:
            name = self.project(project).name
            raise NotFound(
                f"The project '{name}' has no cohort yet.", hint="Add a manifest of cases first."
            )
        return record
