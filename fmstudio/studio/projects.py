"""Verbs on projects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from fmstudio.records import (
    AdapterName,
    AdapterRecord,
    AdapterSummary,
    ProjectRecord,
    RunRecord,
    RunSummary,
)
from fmstudio.studio import deletion
from fmstudio.studio.context import Context
from fmstudio.studio.tasks import new_task

if TYPE_CHECKING:
    pass


class Projects:
    """Projects: a question and what is done to answer it."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def create(
        self,
        name: str,
        task: str,
        label: str | Sequence[str] | None = None,
        positive: str | None = None,
        describe: str = "",
        sample: bool = False,
        moment: float | None = None,
        positive_name: str = "",
        negative_name: str = "",
    ) -> ProjectRecord:
        """A new project. Labels are fixed when its first cohort is added.

        `label` names the manifest's label column, for multilabel several; `moment` is that of the
        prediction, in hours after the beginning of a case. `positive_name` and `negative_name` are
        what the two outcomes of a binary task mean in words. Raises InputError.
        """
        spec = new_task(task, label, positive, describe, moment, positive_name, negative_name)
        return self._context.registry.create_project(name, spec, sample=sample)

    def list(
        self, sample: bool | None = None, limit: int = 100, skip: int = 0
    ) -> list[ProjectRecord]:
        """The newest projects, newest first, after `skip` of them.

        Only the sample with `sample`, only those of people with `sample=False`.
        """
        return self._context.registry.projects(sample, limit, skip)

    def count(self, sample: bool | None = None) -> int:
        """How many projects there are; with `sample`, as `projects` has it."""
        return self._context.registry.count_projects(sample)

    def names(
        self,
        records: Iterable[RunRecord | RunSummary | AdapterRecord | AdapterSummary | AdapterName],
    ) -> dict[int, str]:
        """The names of the projects of runs or adapters, by the projects' ids."""
        return self._context.registry.project_names({record.project_id for record in records})

    def get(self, ref: str | int) -> ProjectRecord:
        """A project by name or id. Raises NotFound."""
        return self._context.registry.project(ref)

    def delete(self, ref: str | int) -> None:
        """Delete a project with its cohorts, runs, adapters and their files.

        No byte of it stays in the home folder; files outside stay. Raises InputError while one of
        its runs is live, its labels are looked at or one of its adapters answers.
        """
        self._context.reconcile()  # a run whose worker is gone is not live
        deletion.delete_project(self._context, self.get(ref))
