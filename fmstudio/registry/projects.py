"""The registry's verbs on projects and their cohorts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from fmstudio.errors import InputError, NotFound
from fmstudio.records import LIVE_STATES, CohortRecord, ProjectRecord
from fmstudio.registry.database import Database
from fmstudio.registry.events import log_event
from fmstudio.registry.tables import Adapter, Cohort, Project, Run
from fmstudio.types import TaskSpec

LONGEST_NAME = 120


class Projects(Database):
    """Projects and cohorts."""

    def create_project(self, name: str, task: TaskSpec, sample: bool = False) -> ProjectRecord:
        """A new project. Raises InputError if the name is taken or cannot be one."""
        name = checked_name(name, "project")
        with self.writing() as session:
            if session.scalar(select(Project.id).where(Project.name == name)) is not None:
                raise InputError(
                    f"There is already a project '{name}'.", hint="Choose another name."
                )
            row = Project(name=name, task=task.as_dict(), sample=sample)
            session.add(row)
            session.flush()
            log_event(session, "project created", _subject(row.id), {"task": task.kind})
            return row.record()

    def project(self, name_or_id: str | int) -> ProjectRecord:
        """The project of this name, else of this id. Raises NotFound."""
        with self.reading() as session:
            return find_project(session, name_or_id).record()

    def projects(
        self, sample: bool | None = None, limit: int | None = None, skip: int = 0
    ) -> list[ProjectRecord]:
        """Projects, newest first: at most `limit` after `skip` of them.

        Only the sample with `sample`, only those of people with `sample=False`.
        """
        query = _newest(Project).limit(limit).offset(skip)
        if sample is not None:
            query = query.where(Project.sample == sample)
        with self.reading() as session:
            return [row.record() for row in session.scalars(query)]

    def count_projects(self, sample: bool | None = None) -> int:
        """How many projects there are; with `sample`, as `projects` has it."""
        query = select(func.count()).select_from(Project)
        if sample is not None:
            query = query.where(Project.sample == sample)
        with self.reading() as session:
            return session.scalar(query) or 0

    def project_names(self, project_ids: Collection[int]) -> dict[int, str]:
        """The names of these projects by their ids."""
        query = select(Project.id, Project.name).where(Project.id.in_(project_ids))
        with self.reading() as session:
            return {row.id: row.name for row in session.execute(query)}

    def update_project_task(self, project_id: int, task: TaskSpec) -> ProjectRecord:
        """Change what a project predicts, as when its cohort's labels become known."""
        with self.writing() as session:
            row = find_project(session, project_id)
            row.task = task.as_dict()
            details = {"task": task.kind, "outputs": task.outputs}
            log_event(session, "project task changed", _subject(row.id), details)
            return row.record()

    def delete_project(self, project_id: int) -> None:
        """Remove a project with its cohorts, runs, adapters and predictions; the log stays.

        Files are not touched: `fmstudio.runs.clean_up` removes those without a row.
        Raises InputError while a run of the project is waiting or running.
        """
        with self.writing() as session:
            row = find_project(session, project_id)
            runs = session.execute(select(Run.id, Run.status).where(Run.project_id == row.id)).all()
            live = [run.id for run in runs if run.status in LIVE_STATES]
            if live:
                raise InputError(
                    f"Project '{row.name}' has a run under way ({', '.join(live)}).",
                    hint="Stop the run first, then delete the project.",
                )
            for adapter in session.scalars(select(Adapter.id).where(Adapter.project_id == row.id)):
                log_event(session, "adapter deleted", adapter, {"with": _subject(row.id)})
            for run in runs:
                log_event(session, "run deleted", run.id, {"with": _subject(row.id)})
            session.execute(delete(Project).where(Project.id == row.id))
            log_event(session, "project deleted", _subject(row.id), {})

    def add_cohort(
        self,
        project_id: int,
        name: str,
        manifest: str | Path,
        roles: Mapping[str, str],
        fingerprint: str,
        summary: Mapping[str, Any],
        event: str = "cohort added",
        how: Mapping[str, Any] | None = None,
    ) -> CohortRecord:
        """Note a manifest and what its columns mean.

        Its path is kept relative to home where it lies below it: `home / record.manifest` is the
        file in either case. The log tells it as `event`; `how` says from which cohort it was made.
        """
        where = Path(manifest)
        if where.is_relative_to(self.home):
            where = where.relative_to(self.home)
        with self.writing() as session:
            project = find_project(session, project_id)
            row = Cohort(
                project_id=project.id,
                name=checked_name(name, "cohort"),
                manifest=str(where),
                roles=dict(roles),
                fingerprint=fingerprint,
                summary=dict(summary),
            )
            session.add(row)
            session.flush()
            details = {"project": project.id, "fingerprint": fingerprint}
            log_event(session, event, f"cohort {row.id}", details | dict(how or {}))
            return row.record()

    def update_cohort_summary(self, cohort_id: int, summary: Mapping[str, Any]) -> CohortRecord:
        """Put a more complete report in the place of the one that a cohort has. Raises NotFound."""
        with self.writing() as session:
            row = _find_cohort(session, cohort_id)
            row.summary = dict(summary)
            log_event(session, "cohort report completed", f"cohort {row.id}", {})
            return row.record()

    def cohorts(
        self, project_id: int, fingerprint: str | None = None, limit: int | None = None
    ) -> list[CohortRecord]:
        """The cohorts of a project, newest first, at most `limit`; of a fingerprint if given."""
        query = _newest(Cohort).where(Cohort.project_id == project_id).limit(limit)
        if fingerprint is not None:
            query = query.where(Cohort.fingerprint == fingerprint)
        with self.reading() as session:
            return [row.record() for row in session.scalars(query)]

    def cohort(self, cohort_id: int) -> CohortRecord:
        """One cohort. Raises NotFound."""
        with self.reading() as session:
            return _find_cohort(session, cohort_id).record()


def _find_cohort(session: Session, cohort_id: int) -> Cohort:
    row = session.get(Cohort, cohort_id)
    if row is None:
        raise NotFound(f"There is no cohort {cohort_id}.", hint="Add the manifest to the project.")
    return row


def find_project(session: Session, name_or_id: str | int) -> Project:
    """The row of a project, by its name, else by its id. Raises NotFound, naming what there is."""
    row = session.scalar(select(Project).where(Project.name == str(name_or_id)))
    if isinstance(name_or_id, int) or (row is None and name_or_id.isdecimal()):
        row = session.get(Project, int(name_or_id))
    if row is None:
        names = session.scalars(select(Project.name).order_by(Project.name).limit(10)).all()
        raise NotFound(
            f"There is no project '{name_or_id}'.",
            hint=f"There are: {', '.join(names)}." if names else "Create a project first.",
        )
    return row


def checked_name(name: str, what: str) -> str:
    """A name without space around it. Raises InputError if it cannot be shown or told apart."""
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise InputError(
            f"A {what} cannot be called '{name[:40]}'.",
            hint=f"Give a name of 1 to {LONGEST_NAME} letters on one line.",
        )
    return name


def _newest(table: type[Any]) -> Any:
    return select(table).order_by(table.created_at.desc(), table.id.desc())


def _subject(project_id: int) -> str:
    return f"project {project_id}"
