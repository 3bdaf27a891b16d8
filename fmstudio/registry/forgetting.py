"""Making sure that of rows that were deleted no byte stays on the disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from fmstudio.errors import InputError, RegistryError
from fmstudio.records import LIVE_STATES, PredictionRecord
from fmstudio.registry.backups import back_up, backups
from fmstudio.registry.connecting import BUSY_SECONDS, open_file
from fmstudio.registry.database import Database
from fmstudio.registry.events import log_event
from fmstudio.registry.faults import FILE, explained
from fmstudio.registry.tables import Adapter, Cohort, Event, HeldOut, Prediction, Run

DELETIONS = (
    "project deleted",
    "cohort deleted",
    "adapter deleted",
    "run deleted",
    "patient removed",
)
SAID_NO_MORE = "It ended early. Why was removed with the data of patients that it may quote."


class Forgetting(Database):
    """Verbs that delete what is known of patients, and the one that ends every deletion."""

    def delete_cohorts(
        self, project_id: int, cohorts: Collection[int], of_them: Callable[[PredictionRecord], bool]
    ) -> None:
        """Remove cohorts of a project, the answers to their held-out cases, and those of the
        project's predictions that are `of_them`. Runs and adapters stay.

        Raises InputError while a run that uses one of them is waiting or running.
        """
        with self.writing() as session:
            _check_no_run(session, cohorts, "delete the cohort")
            session.execute(delete(HeldOut).where(HeldOut.adapter_id.in_(_trained_on(cohorts))))
            _delete_predictions(session, project_id, of_them)
            _forget_words(session, cohorts)
            for cohort in sorted(cohorts):
                log_event(session, "cohort deleted", f"cohort {cohort}", {"project": project_id})
            session.execute(delete(Cohort).where(Cohort.id.in_(cohorts)))

    def rewrite_cohorts(
        self,
        project_id: int,
        changed: Mapping[int, Mapping[str, Any]],
        held_out: Mapping[str, Mapping[str, Any] | None],
        of_them: Callable[[PredictionRecord], bool],
    ) -> None:
        """Put what is left of cohorts without a patient in their place, and of the answers to
        held-out cases by adapter; remove those of the project's predictions that are `of_them`.

        `changed` has by cohort its manifest, roles, fingerprint and summary. Raises InputError
        while a run that uses one of the cohorts is waiting or running.
        """
        with self.writing() as session:
            _check_no_run(session, changed, "remove the patient")
            _forget_words(session, changed)
            for cohort, columns in changed.items():
                where = Path(columns["manifest"])
                below = where.is_relative_to(self.home)
                kept = str(where.relative_to(self.home) if below else where)
                row = session.get_one(Cohort, cohort)
                for name, value in {**columns, "manifest": kept}.items():
                    setattr(row, name, value)
                log_event(session, "patient removed", f"cohort {cohort}", {"project": project_id})
            for adapter, content in held_out.items():
                if content is None:
                    session.execute(delete(HeldOut).where(HeldOut.adapter_id == adapter))
                else:
                    session.get_one(HeldOut, adapter).content = dict(content)
            _delete_predictions(session, project_id, of_them)

    def forget_deleted(self) -> None:
        """Write the file anew without what was deleted, empty its log, and put one new backup in
        the place of all older ones.

        Raises RegistryError while another program keeps an older state of the registry open; what
        was deleted stays deleted, and its bytes go with the next call.
        """
        path = self.home / FILE
        with explained(path):
            with closing(open_file(path, BUSY_SECONDS)) as connection:
                connection.execute("PRAGMA secure_delete = ON")
                connection.execute("PRAGMA temp_store = MEMORY")  # no copy in the system's folder
                connection.execute("VACUUM")
                self._empty_log(connection)
            older = backups(self.home)
            back_up(path)
            for copy in older:
                copy.unlink(missing_ok=True)

    def _empty_log(self, connection: sqlite3.Connection) -> None:
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise RegistryError(
                "It was deleted, but another program is reading the registry, so that bytes of it "
                f"are still in {FILE}-wal.",
                hint="They go when the studio is started the next time.",
            )

    def remembers_deleted(self) -> bool:
        """Whether something was deleted after the oldest backup: `forget_deleted` was cut off."""
        with self.reading() as session:
            query = select(func.max(Event.at)).where(Event.kind.in_(DELETIONS))
            deleted = session.scalar(query)
        if deleted is None:
            return False
        made = backups(self.home)
        return not made or _time_of(made[0].name) < deleted


def _time_of(name: str) -> datetime:
    """When a backup was made, as its name says."""
    return datetime.strptime(name.split("-")[1], "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)


def _check_no_run(session: Session, cohorts: Collection[int], then: str) -> None:
    query = select(Run.id).where(Run.cohort_id.in_(cohorts), Run.status.in_(LIVE_STATES))
    live = session.scalars(query).all()
    if live:
        raise InputError(
            f"The cohort is used by a run under way ({', '.join(live)}).",
            hint=f"Stop the run first, then {then}.",
        )


def _forget_words(session: Session, cohorts: Collection[int]) -> None:
    """What runs on these cohorts said may name a file or quote a cell."""
    for run in session.scalars(select(Run).where(Run.cohort_id.in_(cohorts))).all():
        run.progress = {**run.progress, "message": ""}
        if run.error is not None:
            run.error, run.hint = SAID_NO_MORE, "Start a new run."


def _trained_on(cohorts: Collection[int]) -> Any:
    """The ids of the adapters that runs on these cohorts have made."""
    runs = select(Run.id).where(Run.cohort_id.in_(cohorts))
    return select(Adapter.id).where(Adapter.run_id.in_(runs))


def _delete_predictions(
    session: Session, project_id: int, of_them: Callable[[PredictionRecord], bool]
) -> None:
    query = select(Prediction).join(Adapter, Prediction.adapter_id == Adapter.id)
    for row in session.scalars(query.where(Adapter.project_id == project_id)).all():
        if of_them(row.record()):
            session.delete(row)
