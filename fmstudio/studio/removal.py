"""One patient out of a cohort: out of its table, files, report, and all that was kept of answers.

All others stay what they were: rows keep their numbers and every case its split, since an adapter
must not be judged on patients that it learned from. The new table is written first, then the rows
of the registry name it, then what was before goes.
"""

from __future__ import annotations

import csv
import io
import secrets
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmstudio.contracts import files_of
from fmstudio.errors import NotFound
from fmstudio.files import write_whole
from fmstudio.records import AdapterRecord, CohortRecord, ProjectRecord
from fmstudio.results.json_form import as_json
from fmstudio.studio import cohort_cases, uploads
from fmstudio.studio.deletion import Deleted, about, check_idle, end, going, same_table
from fmstudio.studio.reports import report_on
from fmstudio.types import Cohort, PatientCase

if TYPE_CHECKING:
    from fmstudio.cohort import Manifest
    from fmstudio.studio.context import Context

LEARNED_FROM = ("train", "validation")  # splits that weights or choices rest on
NOT_COPIED = (
    "The cohort was added by its path: its table and files are yours, and still name the patient. "
    "In the studio the patient's rows are left out."
)


@dataclass(frozen=True)
class Member:
    """One cohort of a table: its record, all its cases, and those of the patient."""

    record: CohortRecord
    cohort: Cohort
    cases: tuple[PatientCase, ...]

    @property
    def learned_from(self) -> bool:
        """Whether runs on this cohort learned from the patient."""
        return any(case.split in LEARNED_FROM for case in self.cases)


def remove_patient(context: Context, record: CohortRecord, patient: str) -> Deleted:
    """See `Projects.remove_patient`."""
    from fmstudio.cohort import read_manifest

    settings, project = context.settings, context.registry.project(record.project_id)
    table = cohort_cases.table_path(settings, record)
    whole = read_manifest(table)
    rows = _rows_of(whole, record, patient)
    members = [_member(context, project, one, rows) for one in same_table(context, record)]
    trained = _trained_on(context, members)
    adapters = [adapter for adapter, _ in trained]
    check_idle(context, [one.record for one in members], adapters)
    cases = [case for member in members for case in member.cases]
    is_of_them, ids = about(cases), {case.case_id for case in cases}
    copied = settings.home / "cohorts" in table.parents
    doomed = _doomed(context, project, members, whole, rows)
    with ExitStack() as made:
        new = made.enter_context(_without_rows(whole, record, rows)) if copied else table
        changed = {m.record.id: _rewritten(context, project, m, new, rows, made) for m in members}
        held_out = _held_out(context, adapters, ids)
        context.registry.rewrite_cohorts(project.id, changed, held_out, is_of_them)
    with going(doomed):
        uploads.remove(doomed)
    if copied:
        _remove_empty_folders(table.parent)
    end(context, adapters)
    learned = [adapter for adapter, member in trained if member.learned_from]
    runs = tuple(adapter.run_id for adapter in learned if adapter.run_id is not None)
    remarks = () if copied else (NOT_COPIED,)
    return Deleted(patient, runs, tuple(one.id for one in learned), remarks)


def _rows_of(whole: Manifest, record: CohortRecord, patient: str) -> list[int]:
    from fmstudio.cohort.identity import patient_ids

    roles = {column: role for column, role in record.roles.items() if column in whole.columns}
    rows = [row for row, name in enumerate(patient_ids(whole, roles)) if name == patient]
    if not rows:
        raise NotFound(
            f"The cohort '{record.name}' has no patient '{patient}'.",
            hint="Give the patient as the cohort's table names it.",
        )
    return rows


def _member(
    context: Context, project: ProjectRecord, record: CohortRecord, rows: Collection[int]
) -> Member:
    cohort = cohort_cases.load(context.settings, project, record)
    return Member(record, cohort, tuple(case for case in cohort.cases if case.row in rows))


def _trained_on(context: Context, members: Sequence[Member]) -> list[tuple[AdapterRecord, Member]]:
    """The adapters of the cohorts' project that learned from one of them, and from which."""
    by_id = {member.record.id: member for member in members}
    found = []
    for adapter in context.registry.adapters(members[0].record.project_id):
        cohort = cohort_cases.training_cohort(context, adapter)
        if cohort is not None and cohort.id in by_id:
            found.append((adapter, by_id[cohort.id]))
    return found


def _doomed(
    context: Context,
    project: ProjectRecord,
    members: Sequence[Member],
    whole: Manifest,
    rows: Collection[int],
) -> list[Path]:
    """What goes of our own: the manifests as they were, and of a copied cohort all files that no
    row of anybody else names."""
    ours = context.settings.home / "cohorts"
    before = [cohort_cases.manifest_path(context.settings, member.record) for member in members]
    doomed = [path for path in before if ours in path.parents]
    if ours in whole.path.parents:
        needed = _files_of_others(whole, project, members[0].record, rows)
        every = (path for path in whole.path.parent.rglob("*") if path.is_file())
        doomed += [path for path in every if path.resolve() not in needed]
    return list(dict.fromkeys(doomed))


def _remove_empty_folders(folder: Path) -> None:
    """Below a folder: their names may tell, too."""
    below = (path for path in folder.rglob("*") if path.is_dir() and not path.is_symlink())
    for path in sorted(below, key=lambda path: len(path.parts), reverse=True):
        with suppress(OSError):  # it holds something
            path.rmdir()


def _files_of_others(
    whole: Manifest, project: ProjectRecord, record: CohortRecord, rows: Collection[int]
) -> set[Path]:
    from fmstudio.cohort import build_cohort

    roles = {column: role for column, role in record.roles.items() if column in whole.columns}
    every = build_cohort(whole, roles, project.task, record.name, require_label=False)
    return {
        path.resolve()
        for case in every.cases
        if case.row not in rows
        for modality, sources in case.sources.items()
        for path in files_of(modality, sources)
    }


@contextmanager
def _without_rows(whole: Manifest, record: CohortRecord, rows: Collection[int]) -> Iterator[Path]:
    """The table anew, the patient's rows emptied but for a name that says so."""
    from fmstudio.cohort.roles import columns_of

    names = columns_of(record.roles, "case_id") or [_free("removed", whole)]
    table = dict(whole.table)
    table.setdefault(names[0], [""] * len(whole.lines))
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(table)
    for row in range(len(whole.lines)):
        gone = dict.fromkeys(table, "") | {names[0]: f"removed-{row}"}
        writer.writerow(gone[c] if row in rows else table[c][row] for c in table)
    path = whole.path.with_name(f"table-{secrets.token_hex(4)}.csv")
    write_whole(path, written.getvalue())
    try:
        yield path
    except BaseException:
        uploads.remove([path])
        raise


def _free(name: str, whole: Manifest) -> str:
    """A name that no column has."""
    return name if name not in whole.columns else f"{name}-{secrets.token_hex(4)}"


def _rewritten(
    context: Context,
    project: ProjectRecord,
    member: Member,
    table: Path,
    rows: Sequence[int],
    made: ExitStack,
) -> dict[str, Any]:
    """A cohort on the new table, with the steps and splits that it had: what its row keeps."""
    from fmstudio.cohort import build_cohort, cleaning, read_manifest
    from fmstudio.cohort.roles import columns_of

    record = member.record
    before = read_manifest(cohort_cases.manifest_path(context.settings, record))
    folder = before.path.parent
    if context.settings.home / "cohorts" not in folder.parents:
        folder = made.enter_context(uploads.cohort_folder(context.settings))
        folder.mkdir(mode=0o700)
    parts: dict[str, list[int]] = {}
    for case in member.cohort.cases:
        if case.row not in rows:
            parts.setdefault(case.split or "train", []).append(case.row)
    column = (columns_of(record.roles, "split") or [_free("split", before)])[0]
    left = read_manifest(table).table
    steps = cleaning.without_lost_words(before.steps, left)
    steps += [cleaning.leave_out(rows), cleaning.keep_splits(column, parts)]
    name = f"{table.stem}-{record.id}{cleaning.SUFFIX}"
    path = cleaning.write_steps(folder / name, table, steps)
    manifest, roles = read_manifest(path), {**record.roles, column: "split"}
    cohort = build_cohort(manifest, roles, project.task, record.name)
    report = replace(report_on(context, manifest, roles, cohort), mended=record.audit.mended)
    return {
        "manifest": str(path),
        "roles": roles,
        "fingerprint": cohort.fingerprint,
        "summary": as_json(report),
    }


def _held_out(
    context: Context, adapters: Sequence[AdapterRecord], ids: Collection[str]
) -> dict[str, dict[str, Any] | None]:
    """The adapters' answers to held-out cases without the patient's, where there are any."""
    from fmstudio.evaluation.labelled_predictions import HeldOut

    found: dict[str, dict[str, Any] | None] = {}
    for adapter in adapters:
        kept = context.registry.held_out(adapter.id)
        if kept is not None:
            left = HeldOut.from_dict(kept).without(ids)
            found[adapter.id] = None if left is None else left.as_dict()
    return found
