"""What the registry keeps, as plain values: what pages, command line and worker pass around."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from fmstudio.results.audit import CohortAudit, read_audit
from fmstudio.types import TaskSpec

RUN_STATES = ("waiting", "running", "finished", "failed", "stopped", "interrupted")
LIVE_STATES = ("waiting", "running")
OUR_FAULT = "The run stopped because of a fault in the studio."


@dataclass(frozen=True)
class ProjectRecord:
    """A project: one question asked of one kind of patient."""

    id: int
    name: str
    task: TaskSpec
    created_at: datetime
    sample: bool = False


@dataclass(frozen=True)
class CohortRecord:
    """A manifest as it was when it was added; `summary` is the JSON of `cohort report`.

    `manifest` is relative to the home folder where it lies below it, else absolute.
    """

    id: int
    project_id: int
    name: str
    manifest: str
    roles: Mapping[str, str]
    fingerprint: str
    summary: Mapping[str, Any]
    created_at: datetime

    @cached_property
    def audit(self) -> CohortAudit:
        """What the summary says. Raises InputError for one that no version has written."""
        return read_audit(self.summary)


@dataclass(frozen=True)
class Progress:
    """How far a run is. `stage` is a phrase for people; `fraction` of the whole in [0, 1].

    Work itself reports the fraction of its stage; `runs.forecast` makes that of the whole of it,
    with the seconds left of the whole run and those that each stage was expected to take.
    """

    stage: str = ""
    fraction: float = 0.0
    epoch: int = 0
    epochs: int = 0
    seconds_left: float | None = None
    message: str = ""
    expected: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Point:
    """One value of a curve, such as ("train loss", step 12, 0.61)."""

    name: str
    step: int
    value: float


@dataclass(frozen=True)
class RunRecord:
    """One run. `result` is the JSON of `finetune --json` once it has finished."""

    id: str
    project_id: int
    cohort_id: int | None
    kind: str
    status: str
    config: Mapping[str, Any]
    base: str
    progress: Progress
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    result: Mapping[str, Any] | None = None
    error: str | None = None
    hint: str | None = None
    adapter_id: str | None = None
    heartbeat_at: datetime | None = None
    pid: int | None = None
    pid_started: float | None = None


@dataclass(frozen=True)
class RunSummary:
    """A run as a line of a list: without its settings and its result, which are long.

    `makes` is its preset, of a run that pretrains the name of its base; `metrics` are those of its
    result, `verdict` that on a new base.
    """

    id: str
    project_id: int
    kind: str
    status: str
    error: str | None
    adapter_id: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    progress: Progress
    makes: str | None
    metrics: Mapping[str, Any]
    verdict: Mapping[str, Any]


@dataclass(frozen=True)
class AdapterRecord:
    """A fine-tuned adapter; its files lie in `adapters/<id>/`, laid out as in a bundle.

    `sealed` is the SHA-256 of its manifest.json, and with it of every file; None for an adapter of
    an earlier version of the studio.
    """

    id: str
    project_id: int
    run_id: str | None
    name: str
    card: Mapping[str, Any]
    created_at: datetime
    aliases: tuple[str, ...] = ()
    sealed: str | None = None


@dataclass(frozen=True)
class AdapterName:
    """An adapter without its card, which is long: as a line of a list to choose from."""

    id: str
    project_id: int
    name: str
    sealed: str | None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class AdapterSummary:
    """An adapter as a line of a list: of its card the metrics, and on how many cases they rest."""

    id: str
    project_id: int
    name: str
    created_at: datetime
    metrics: Mapping[str, Any]
    test_cases: int | None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class PredictionRecord:
    """One answer that was given: case id and hashes of the input, never its content."""

    id: int
    adapter_id: str
    case_id: str
    inputs: Mapping[str, Any]
    output: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True)
class EventRecord:
    """One line of the append-only event log; `hash` covers `previous` and the line itself."""

    id: int
    at: datetime
    kind: str
    subject: str
    details: Mapping[str, Any] = field(default_factory=dict)
    previous: str = ""
    hash: str = ""
