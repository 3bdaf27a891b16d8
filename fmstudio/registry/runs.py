"""The registry's verbs on runs: their states, their progress, and who works on them.

waiting ──► running ──► finished
   ▲  │        ├──────► failed ───────┐
   │  └────────┼──────► stopped ──────┤
   │           └──────► interrupted ──┤
   └──────────────────────────────────┘  resume

At most one run of a home is running. What is decided by a state (who works on which run) is read
and written in one transaction.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import Row, Select, func, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Session

from fmstudio.errors import InputError, NotFound
from fmstudio.records import LIVE_STATES, Point, Progress, RunRecord, RunSummary
from fmstudio.registry.adapters import first_alias, new_id, place_adapter, place_held_out
from fmstudio.registry.database import Database
from fmstudio.registry.events import log_event
from fmstudio.registry.projects import find_project
from fmstudio.registry.tables import Run, RunPoint, now, within
from fmstudio.types import to_json

_MAY_BECOME: Mapping[str, tuple[str, ...]] = {
    "waiting": ("running", "stopped", "failed"),
    "running": ("finished", "failed", "stopped", "interrupted"),
    "failed": ("waiting",),
    "stopped": ("waiting",),
    "interrupted": ("waiting",),
    "finished": (),
}
_FIXED = ("id", "project_id", "kind", "created_at")
_NEWEST = (Run.created_at.desc(), Run.id.desc())
_POINT_KEY = ("run_id", "name", "step")
# As RunSummary has them, of the long JSON only what a list shows.
_SUMMARY = (
    Run.id,
    Run.project_id,
    Run.kind,
    Run.status,
    Run.error,
    Run.adapter_id,
    Run.created_at,
    Run.started_at,
    Run.ended_at,
    Run.progress,
    within(Run.config, "name").label("name"),
    within(Run.config, "preset").label("preset"),
    within(Run.result, "metrics").label("metrics"),
    within(Run.result, "verdict").label("verdict"),
)


class Runs(Database):
    """Runs, their curves, and the queue that they form."""

    def create_run(
        self,
        project_id: int,
        cohort_id: int | None,
        kind: str,
        config: Mapping[str, Any],
        base: str,
        expected: Mapping[str, float] | None = None,
        once: bool = False,
    ) -> RunRecord:
        """A new run, waiting for its turn; its stages are `expected` to take so many seconds.

        With `once` a run of the same settings on the same cohort that waits or works is given back
        instead: whoever presses a button twice wants one.
        """
        with self.writing() as session:
            project = find_project(session, project_id)
            if once:
                live = _chosen(select(Run), project.id, LIVE_STATES, kind)
                asked = json.loads(to_json(dict(config)))
                found: Run
                for found in session.scalars(live.where(Run.cohort_id == cohort_id)):
                    if found.config == asked and found.base == base:
                        return found.record()
            row = Run(
                id=new_id(session, "run"),
                project_id=project.id,
                cohort_id=cohort_id,
                kind=kind,
                status="waiting",
                config=dict(config),
                base=base,
                progress=asdict(Progress(expected=dict(expected or {}))),
            )
            session.add(row)
            details = {"project": project.id, "cohort": cohort_id, "kind": kind, "base": base}
            log_event(session, "run created", row.id, details)
            return row.record()

    def run(self, run_id: str) -> RunRecord:
        """One run. Raises NotFound."""
        with self.reading() as session:
            return _find(session, run_id).record()

    def runs(
        self,
        project_id: int | None = None,
        states: Sequence[str] = (),
        kind: str | None = None,
        limit: int | None = None,
        skip: int = 0,
    ) -> list[RunRecord]:
        """Runs, newest first: at most `limit` after `skip` of them; where given, those of one
        project, of some states, of a kind."""
        few = _chosen(select(Run.id), project_id, states, kind)
        few = few.order_by(*_NEWEST).limit(limit).offset(skip)  # of an index: results are long
        query = select(Run).where(Run.id.in_(few)).order_by(*_NEWEST)
        with self.reading() as session:
            return [row.record() for row in session.scalars(query)]

    def run_summaries(
        self,
        project_id: int | None = None,
        states: Sequence[str] = (),
        limit: int | None = None,
        skip: int = 0,
    ) -> list[RunSummary]:
        """Runs as lines of a list, newest first: at most `limit` after `skip` of them; where given,
        those of one project, of some states."""
        few = _chosen(select(Run.id), project_id, states)
        few = few.order_by(*_NEWEST).limit(limit).offset(skip)
        query = select(*_SUMMARY).where(Run.id.in_(few)).order_by(*_NEWEST)
        with self.reading() as session:
            return [_summary(row) for row in session.execute(query)]

    def count_runs(self, project_id: int | None = None, states: Sequence[str] = ()) -> int:
        """How many runs there are; where given, of one project and of some states."""
        query = _chosen(select(func.count()).select_from(Run), project_id, states)
        with self.reading() as session:
            return session.scalar(query) or 0

    def run_ids(self, project_id: int | None = None, states: Sequence[str] = ()) -> list[str]:
        """The ids of all runs; where given, of one project and of some states."""
        with self.reading() as session:
            return list(session.scalars(_chosen(select(Run.id), project_id, states)))

    def run_tables(self, project_id: int | None = None) -> dict[str, str]:
        """The tables without labels that runs learned from, beside their cohort, by run: as
        `CohortRecord.manifest`. Where given, of one project."""
        query = _chosen(select(Run.id, Run.config), project_id, ())
        with self.reading() as session:
            rows = session.execute(query)
            return {row.id: str(table) for row in rows if (table := row.config.get("manifest"))}

    def unfinished(self) -> dict[str, dict[str, Any]]:
        """The settings of every run that waits, works, or may be resumed, by its id."""
        query = select(Run.id, Run.config).where(Run.status != "finished")
        with self.reading() as session:
            return {row.id: dict(row.config) for row in session.execute(query)}

    def update_run(self, run_id: str, **changes: Any) -> RunRecord:
        """Change fields of RunRecord. A change of `status` is logged.

        Raises InputError for a state that cannot follow the present one.
        """
        with self.writing() as session:
            row = _find(session, run_id)
            _change(session, row, changes)
            return row.record()

    def report(
        self, run_id: str, pid: int, progress: Progress | None, points: Sequence[Point]
    ) -> bool:
        """The worker's sign of life, with what is new. False if the run is no longer its own."""
        with self.writing() as session:
            row = _find(session, run_id)
            if row.status != "running" or row.pid != pid:
                return False
            changes = {} if progress is None else {"progress": progress}
            _change(session, row, {"heartbeat_at": now(), **changes})
            _add_points(session, run_id, points)
            return True

    def add_points(self, run_id: str, points: Sequence[Point]) -> None:
        """Add values to a run's curves; one of the same name and step is replaced."""
        with self.writing() as session:
            _add_points(session, _find(session, run_id).id, points)

    def points(self, run_id: str) -> list[Point]:
        """The curves of a run, by name and step."""
        query = select(RunPoint).where(RunPoint.run_id == run_id)
        with self.reading() as session:
            rows = session.scalars(query.order_by(RunPoint.name, RunPoint.step))
            return [row.record() for row in rows]

    def claim_next_run(self) -> RunRecord | None:
        """Set the run that waits longest to running, without a worker yet.

        None if nothing waits or a run is running: two callers never claim the same run.
        """
        with self.writing() as session:
            if _running(session) is not None:
                return None
            row = session.scalar(
                select(Run)
                .where(Run.status == "waiting")
                .order_by(Run.queued_at, Run.created_at)
                .limit(1)
            )
            if row is None:
                return None
            _change(session, row, {"status": "running"})
            return row.record()

    def attach_worker(self, run_id: str, pid: int, pid_started: float) -> bool:
        """Note the process that works on a run. False if the run is not for it to do:

        it has ended, another worker has it, or it waits while another run is running.
        """
        with self.writing() as session:
            row = _find(session, run_id)
            if row.status == "waiting" and _running(session) is None:
                _change(session, row, {"status": "running"})
            if row.status != "running" or row.pid is not None:
                return False
            _change(session, row, {"pid": pid, "pid_started": pid_started, "heartbeat_at": now()})
            return True

    def cancel_run(self, run_id: str) -> bool:
        """Stop a run on which no worker has begun. False if there is nothing to cancel."""
        with self.writing() as session:
            row = _find(session, run_id)
            if row.status != "waiting" and (row.status != "running" or row.pid is not None):
                return False
            _change(session, row, {"status": "stopped"})
            return True

    def interrupt_run(self, seen: RunRecord, error: str, hint: str) -> bool:
        """Mark a run whose worker is gone. False if it has moved on since it was `seen`."""
        with self.writing() as session:
            row = _find(session, seen.id)
            if (row.status, row.pid, row.heartbeat_at) != ("running", seen.pid, seen.heartbeat_at):
                return False
            _change(session, row, {"status": "interrupted", "error": error, "hint": hint})
            return True

    def requeue_run(self, run_id: str) -> RunRecord:
        """Put an interrupted, stopped or failed run at the end of the queue.

        A live run stays as it is. Raises InputError if the run has finished.
        """
        with self.writing() as session:
            row = _find(session, run_id)
            if row.status not in ("waiting", "running"):
                _change(session, row, {"status": "waiting"})
            return row.record()

    def finish_run(
        self,
        run_id: str,
        result: Mapping[str, Any],
        adapter_id: str,
        name: str,
        card: Mapping[str, Any],
        held_out: Mapping[str, Any] | None = None,
        sealed: str | None = None,
    ) -> RunRecord:
        """Register the adapter whose files are in place, and finish its run, all or nothing.

        A project's first adapter becomes its champion, later ones its candidate. `held_out` are its
        answers to held-out cases, `sealed` the SHA-256 of its manifest.
        """
        with self.writing() as session:
            row = _find(session, run_id)
            place_adapter(session, adapter_id, row.project_id, run_id, name, card, sealed)
            first_alias(session, row.project_id, adapter_id)
            session.flush()
            if held_out is not None:
                place_held_out(session, adapter_id, held_out)
            _finish(session, row, {"adapter_id": adapter_id, "result": dict(result)})
            return row.record()

    def finish_run_with_base(
        self, run_id: str, result: Mapping[str, Any], name: str, sha256: str
    ) -> RunRecord:
        """Finish a run whose new base is in place, with a line in the log, all or nothing."""
        with self.writing() as session:
            row = _find(session, run_id)
            log_event(session, "base made", name, {"run": run_id, "sha256": sha256})
            _finish(session, row, {"result": dict(result)})
            return row.record()


def _find(session: Session, run_id: str) -> Run:
    row = session.get(Run, run_id)
    if row is None:
        raise NotFound(f"There is no run '{run_id}'.", hint="`run list` names the runs there are.")
    return row


def _summary(row: Row[Any]) -> RunSummary:
    known = row._asdict()
    name, preset = known.pop("name"), known.pop("preset")
    long = {"metrics": row.metrics or {}, "verdict": row.verdict or {}}
    progress = Progress(**known.pop("progress"))
    return RunSummary(**known | long, progress=progress, makes=name or preset)


def _chosen(
    query: Select[Any], project_id: int | None, states: Sequence[str], kind: str | None = None
) -> Select[Any]:
    if project_id is not None:
        query = query.where(Run.project_id == project_id)
    if states:
        query = query.where(Run.status.in_(states))
    if kind is not None:
        query = query.where(Run.kind == kind)
    return query


def _running(session: Session) -> str | None:
    return session.scalar(select(Run.id).where(Run.status == "running").limit(1))


def _change(session: Session, row: Run, changes: Mapping[str, Any]) -> None:
    unknown = [
        name
        for name in changes
        if name in _FIXED or name not in {field.name for field in fields(RunRecord)}
    ]
    if unknown:
        raise TypeError(f"a run has no changeable field {', '.join(unknown)}")
    status = changes.get("status", row.status)
    if status != row.status:
        _move(session, row, status)
    for name, value in changes.items():
        setattr(row, name, asdict(value) if isinstance(value, Progress) else value)


def _finish(session: Session, row: Run, changes: Mapping[str, Any]) -> None:
    done = Progress(**row.progress | {"stage": "finished", "fraction": 1.0})
    _change(session, row, {"status": "finished", "progress": done, **changes})


def _move(session: Session, row: Run, status: str) -> None:
    """To another state, with the times and fields that go with it, and a line in the log."""
    if status not in _MAY_BECOME[row.status]:
        raise InputError(
            f"{row.id} is {row.status}: only a run that ended early can be resumed."
            if status == "waiting"
            else f"{row.id} is {row.status}; it cannot become {status}.",
            hint="Start a new run." if row.status == "finished" else "Look at the run's state.",
        )
    if status == "waiting":
        row.queued_at, row.error, row.hint, row.ended_at = now(), None, None, None
    elif status == "running":
        row.started_at = row.started_at or now()
        row.heartbeat_at, row.pid, row.pid_started = now(), None, None
    else:
        row.ended_at = now()
    row.status = status
    log_event(session, f"run {'started' if status == 'running' else status}", row.id, {})


def _add_points(session: Session, run_id: str, points: Sequence[Point]) -> None:
    values = [
        {"run_id": run_id, "name": p.name, "step": p.step, "value": _kept(p.value)} for p in points
    ]
    if values:
        query = insert(RunPoint)
        newer = {"value": query.excluded.value}
        query = query.on_conflict_do_update(index_elements=_POINT_KEY, set_=newer)
        session.connection().execute(query, values)


def _kept(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
