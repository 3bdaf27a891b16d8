"""Deleting for good: what belongs to a project, a cohort or an adapter, and that nothing stays.

Rows go first, since a row must never point to files that are gone. What is to go is marked before,
so that the next start of the studio ends what was cut off.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fmstudio.errors import InputError, ResourceError
from fmstudio.marks import MARK, at_work, is_alive, leave, mark_of
from fmstudio.records import (
    AdapterName,
    AdapterRecord,
    CohortRecord,
    PredictionRecord,
    ProjectRecord,
)
from fmstudio.studio import cohort_cases, uploads
from fmstudio.types import PatientCase

if TYPE_CHECKING:
    from fmstudio.settings import Settings
    from fmstudio.studio.context import Context

ANSWERING = "answering-"  # begins the marks in temp/ of answers and evaluations under way
KEEPS = (
    "Weights cannot unlearn a patient: delete an adapter, too, where it must not have learned "
    "from what is gone."
)


@dataclass(frozen=True)
class Deleted:
    """What was deleted, and what is still there that learned from it."""

    what: str
    runs: tuple[str, ...] = ()
    adapters: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def delete_project(context: Context, project: ProjectRecord) -> None:
    """See `Projects.delete_project`."""
    settings, registry = context.settings, context.registry
    adapters, tables = registry.adapter_names(project.id), registry.run_tables(project.id)
    cohorts = registry.cohorts(project.id)
    check_idle(context, cohorts, adapters)
    doomed = [settings.folder("adapters") / adapter.id for adapter in adapters]
    doomed += [settings.folder("runs") / run for run in registry.run_ids(project.id)]
    doomed += cohort_cases.kept_folders(settings, cohorts)
    doomed += cohort_cases.kept_tables(settings, tables.values())
    with going(doomed):
        registry.delete_project(project.id)
        uploads.remove(doomed)
    end(context, adapters)


def delete_cohort(context: Context, record: CohortRecord) -> Deleted:
    """See `Projects.delete_cohort`."""
    registry, project = context.registry, context.registry.project(record.project_id)
    every = same_table(context, record)
    ids = {one.id for one in every}
    adapters = [one for one in registry.adapters(project.id) if _learned_from(context, one) in ids]
    runs = [run.id for run in registry.runs(project.id) if run.cohort_id in ids]
    check_idle(context, every, adapters)
    of_them, remarks = _answers_to(context, project, every)
    doomed = cohort_cases.kept_folders(context.settings, every)
    with going(doomed):
        registry.delete_cohorts(project.id, ids, of_them)
        uploads.remove(doomed)
    end(context, adapters)
    learned = tuple(adapter.id for adapter in adapters)
    return Deleted(record.name, tuple(runs), learned, tuple(remarks))


def delete_adapter(context: Context, adapter: AdapterRecord) -> None:
    """See `Adapters.delete_adapter`."""
    check_idle(context, (), [adapter])
    folder = context.settings.folder("adapters") / adapter.id
    with going([folder]):
        context.registry.delete_adapter(adapter.id)
        uploads.remove([folder])
    end(context, [adapter])


def end(context: Context, adapters: Sequence[AdapterRecord | AdapterName] = ()) -> None:
    """What every deletion ends with: memory, temporary files, and the registry's own bytes."""
    from fmstudio.features.cache import Cache

    context.let_go([adapter.id for adapter in adapters])
    Cache.of(context.settings).empty()
    uploads.forget_old(context.settings)
    context.registry.forget_deleted()


@contextmanager
def going(folders: Sequence[Path]) -> Iterator[None]:
    """Marks folders that are about to be removed; the mark of one that could not be stays."""
    with ExitStack() as after:
        for mark in map(mark_of, folders):
            with suppress(OSError):  # a full disk keeps nobody from making room
                leave(mark)
            after.callback(mark.unlink, missing_ok=True)
        yield
        after.pop_all()
    for folder in folders:
        if not folder.exists():
            mark_of(folder).unlink(missing_ok=True)


def check_idle(
    context: Context,
    cohorts: Sequence[CohortRecord],
    adapters: Sequence[AdapterRecord | AdapterName],
) -> None:
    """Raises InputError while one of these is being looked at or answers."""
    for record in cohorts:
        if context.is_looked_at(record.id):
            raise InputError(
                f"The labels of cohort '{record.name}' are being looked at.",
                hint="Wait until that is over, then delete it.",
            )
    for adapter in adapters:
        marks = context.settings.folder("temp").glob(f"{ANSWERING}{adapter.id}-*{MARK}")
        if any(is_alive(mark) for mark in marks):
            raise InputError(
                f"The adapter {adapter.id} is answering or being evaluated.",
                hint="Wait until that is over, then delete it.",
            )


@contextmanager
def answering(settings: Settings, adapter_id: str) -> Iterator[None]:
    """While this lasts, the adapter is not deleted, by no process."""
    with ExitStack() as marked:
        with suppress(OSError, ResourceError):  # a full disk keeps nobody from an answer
            name = f"{ANSWERING}{adapter_id}-{secrets.token_hex(4)}"
            marked.enter_context(at_work(settings.folder("temp") / name))
        yield


def same_table(context: Context, record: CohortRecord) -> list[CohortRecord]:
    """All cohorts of a project that are one table of cases: as it was added, and cleaned."""
    table = cohort_cases.table_path(context.settings, record)
    every = context.registry.cohorts(record.project_id)
    return [one for one in every if cohort_cases.table_path(context.settings, one) == table]


def _learned_from(context: Context, adapter: AdapterRecord) -> int | None:
    record = cohort_cases.training_cohort(context, adapter)
    return None if record is None else record.id


def _answers_to(
    context: Context, project: ProjectRecord, records: Sequence[CohortRecord]
) -> tuple[Callable[[PredictionRecord], bool], list[str]]:
    """Which stored predictions are about the cases of cohorts, as far as their files are there."""
    cases: list[PatientCase] = []
    remarks = []
    for record in records:
        try:
            cases += cohort_cases.load(context.settings, project, record).cases
        except InputError:
            remarks.append(
                f"The files of cohort '{record.name}' are not as they were when it was added, so "
                "that stored predictions for its cases were not looked for."
            )
    return about(cases), remarks


def about(cases: Sequence[PatientCase]) -> Callable[[PredictionRecord], bool]:
    """Whether a stored prediction is about one of these cases: by its id or by its files."""
    from fmstudio.cohort import file_hashes

    ids = {case.case_id for case in cases}
    hashes = {one for case in cases for many in file_hashes(case).values() for one in many}

    def is_about(prediction: PredictionRecord) -> bool:
        given = {one for many in prediction.inputs.values() for one in many}
        return prediction.case_id in ids or bool(given & hashes)

    return is_about
