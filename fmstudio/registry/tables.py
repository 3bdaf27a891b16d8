"""The tables of the registry, one class each, and how a row becomes a record.

They mirror the newest migration in `migrations/versions/`; a test compares the two.
Nothing of a patient is kept but case ids, hashes, and what adapters are judged by: outcomes,
answers and the groups to compare by.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    UniqueConstraint,
    case,
    func,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from fmstudio.errors import RegistryError
from fmstudio.records import (
    AdapterRecord,
    CohortRecord,
    EventRecord,
    Point,
    PredictionRecord,
    Progress,
    ProjectRecord,
    RunRecord,
)
from fmstudio.registry.faults import DAMAGED_ROW
from fmstudio.registry.row_seals import Sealed
from fmstudio.types import TaskSpec


def now() -> datetime:
    """The time, in UTC and saying so."""
    return datetime.now(UTC)


class UtcTime(TypeDecorator[datetime]):
    """A time with its zone in Python, plain UTC in the file: SQLite keeps no zones."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        assert value.tzinfo is not None, "times in the registry carry their zone"
        return value.astimezone(UTC).replace(tzinfo=None)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        read = super().result_processor(dialect, coltype)

        def checked(value: Any) -> Any:
            try:
                return value if read is None else read(value)
            except (ValueError, TypeError) as fault:
                raise RegistryError(*DAMAGED_ROW) from fault

        return checked

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


class Table(DeclarativeBase):
    """StageContext of all tables: which Python type goes into which column."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcTime,
        dict[str, Any]: JSON(none_as_null=True),
    }


def within(column: Any, *path: str) -> Any:
    """A value deep in a column of long JSON, read without the rest; NULL where there is none.

    Also where the JSON cannot be read: one such row must not hide a whole list, and says so itself
    when it is opened.
    """
    return case((func.json_valid(column), column[path]))


_IDS_ONCE = {"sqlite_autoincrement": True}  # an id is never given a second time


class Project(Sealed, Table):
    """One question asked of one kind of patient."""

    __tablename__ = "projects"
    __table_args__ = _IDS_ONCE

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    task: Mapped[dict[str, Any]]  # TaskSpec
    sample: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(default=now)

    def record(self) -> ProjectRecord:
        return ProjectRecord(
            self.id, self.name, TaskSpec.from_dict(self.task), self.created_at, sample=self.sample
        )


class Cohort(Sealed, Table):
    """A manifest as it was when it was added: its fingerprint, and counts, but no content."""

    __tablename__ = "cohorts"
    __table_args__ = _IDS_ONCE

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str]
    manifest: Mapped[str]  # relative to home where it lies below it, so that a home can be moved
    roles: Mapped[dict[str, Any]]
    fingerprint: Mapped[str]
    summary: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=now)

    def record(self) -> CohortRecord:
        return CohortRecord(
            self.id,
            self.project_id,
            self.name,
            self.manifest,
            self.roles,
            self.fingerprint,
            self.summary,
            self.created_at,
        )


class Run(Sealed, Table):
    """One run of long work. Written before its first step; never edited once it has finished."""

    __tablename__ = "runs"
    __table_args__ = (
        Index("ix_runs_newest", "created_at", "id"),
        Index("ix_runs_newest_of_project", "project_id", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    cohort_id: Mapped[int | None] = mapped_column(
        ForeignKey("cohorts.id", ondelete="SET NULL"), index=True
    )
    kind: Mapped[str] = mapped_column(index=True)
    status: Mapped[str] = mapped_column(index=True)
    config: Mapped[dict[str, Any]]  # RunConfig: everything needed to repeat the run
    base: Mapped[str]
    progress: Mapped[dict[str, Any]]
    result: Mapped[dict[str, Any] | None]
    error: Mapped[str | None]
    hint: Mapped[str | None]
    adapter_id: Mapped[str | None] = mapped_column(
        ForeignKey("adapters.id", ondelete="SET NULL", use_alter=True), index=True
    )
    pid: Mapped[int | None]
    pid_started: Mapped[float | None]  # with the pid: process ids are used again
    created_at: Mapped[datetime] = mapped_column(default=now)
    queued_at: Mapped[datetime] = mapped_column(default=now)  # its place among the waiting
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None]

    def record(self) -> RunRecord:
        return RunRecord(
            self.id,
            self.project_id,
            self.cohort_id,
            self.kind,
            self.status,
            self.config,
            self.base,
            Progress(**self.progress),
            self.created_at,
            self.started_at,
            self.ended_at,
            self.result,
            self.error,
            self.hint,
            self.adapter_id,
            self.heartbeat_at,
            self.pid,
            self.pid_started,
        )


class RunPoint(Table):
    """One value of a run's curve; a resumed run writes over the steps that it repeats."""

    __tablename__ = "points"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[float | None]  # NULL stands for NaN, which SQLite cannot keep

    def record(self) -> Point:
        return Point(self.name, self.step, float("nan") if self.value is None else self.value)


class Adapter(Sealed, Table):
    """A fine-tuned adapter; its files lie in `adapters/<id>/` and were there before this row."""

    __tablename__ = "adapters"
    __table_args__ = (
        Index("ix_adapters_newest", "created_at", "id"),
        Index("ix_adapters_newest_of_project", "project_id", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    run_id: Mapped[str | None] = mapped_column(
        ForeignKey("runs.id", ondelete="SET NULL"), index=True
    )
    name: Mapped[str]
    card: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=now)
    sealed: Mapped[str | None] = mapped_column(index=True)  # SHA-256 of its manifest.json

    def record(self, aliases: tuple[str, ...]) -> AdapterRecord:
        return AdapterRecord(
            self.id,
            self.project_id,
            self.run_id,
            self.name,
            self.card,
            self.created_at,
            aliases,
            self.sealed,
        )


class ModelUse(Table):
    """That an adapter was made with a model: a base by its name, an encoder by its SHA-256.

    The adapter's card says the same; here a model's adapters are counted without their cards.
    """

    __tablename__ = "model_uses"

    id: Mapped[int] = mapped_column(primary_key=True)
    adapter_id: Mapped[str] = mapped_column(
        ForeignKey("adapters.id", ondelete="CASCADE"), index=True
    )
    model: Mapped[str] = mapped_column(index=True)


class Alias(Sealed, Table):
    """A name that points to one adapter of a project, such as `champion`."""

    __tablename__ = "aliases"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(index=True)
    adapter_id: Mapped[str] = mapped_column(
        ForeignKey("adapters.id", ondelete="CASCADE"), index=True
    )


class Prediction(Sealed, Table):
    """One answer that was given."""

    __tablename__ = "predictions"

    id: Mapped[int] = mapped_column(primary_key=True)
    adapter_id: Mapped[str] = mapped_column(
        ForeignKey("adapters.id", ondelete="CASCADE"), index=True
    )
    case_id: Mapped[str]
    inputs: Mapped[dict[str, Any]]  # SHA-256 of every input by modality
    output: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=now)

    def record(self) -> PredictionRecord:
        return PredictionRecord(
            self.id, self.adapter_id, self.case_id, self.inputs, self.output, self.created_at
        )


class HeldOut(Sealed, Table):
    """An adapter's answers to held-out cases, by which it is judged."""

    __tablename__ = "held_out"

    adapter_id: Mapped[str] = mapped_column(
        ForeignKey("adapters.id", ondelete="CASCADE"), primary_key=True
    )
    content: Mapped[dict[str, Any]]  # evaluation.answered.HeldOut
    created_at: Mapped[datetime] = mapped_column(default=now)


class Event(Table):
    """One line of the log. Triggers in the file refuse to change or delete it."""

    __tablename__ = "events"
    __table_args__ = _IDS_ONCE

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(index=True)
    subject: Mapped[str]
    details: Mapped[dict[str, Any]]
    previous: Mapped[str]
    hash: Mapped[str]

    def record(self) -> EventRecord:
        return EventRecord(
            self.id, self.at, self.kind, self.subject, self.details, self.previous, self.hash
        )
