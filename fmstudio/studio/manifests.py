"""From a manifest to a registered cohort, and from a registered cohort back to its cases."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmstudio.errors import InputError, NotFound
from fmstudio.files import sync_all
from fmstudio.records import CohortRecord, ProjectRecord
from fmstudio.results.audit import CohortAudit, Mended
from fmstudio.results.finding import Finding, Step
from fmstudio.results.json_form import as_json
from fmstudio.settings import Settings
from fmstudio.studio import uploads
from fmstudio.studio.cohort_cases import choose_roles, load, manifest_path
from fmstudio.studio.gate import account
from fmstudio.studio.reports import find, probed, report_on, steps_of
from fmstudio.types import Cohort, TaskSpec

MOST_ROWS, MOST_COLUMNS = 12, 5  # shown of what a finding is about

if TYPE_CHECKING:
    from fmstudio.registry import Registry
    from fmstudio.studio.context import Context


def add(
    context: Context,
    project: ProjectRecord,
    path: Path,
    given: Mapping[str, str],
    name: str | None,
    copy: bool,
    steps: Sequence[Step] = (),
) -> CohortRecord:
    """Read, check and register a manifest. Nothing is kept if anything is wrong with it.

    Steps (see cohort/cleaning.py) are kept beside the copy of the table, or in a folder below home.
    """
    from fmstudio.cohort import build_cohort, make_task, read_manifest
    from fmstudio.cohort.cleaning import write_mended

    manifest = read_manifest(path)
    roles = choose_roles(manifest, given, project.task)
    task = project.task
    if not task.labels:
        made = make_task(manifest, roles, task.kind, task.positive, task.description)
        task = replace(task, columns=made.columns, labels=made.labels, positive=made.positive)
    else:
        _check_same_labels(path.name, roles, task)
    named = name or path.resolve().parent.name or project.name
    cohort = build_cohort(manifest, roles, task, named)

    if not copy and not steps:
        report = report_on(context, manifest, roles, cohort)
        return _register(context.registry, project, path.resolve(), roles, task, cohort, report)
    with uploads.cohort_folder(context.settings) as folder:
        kept = uploads.keep(path, folder, context.settings) if copy else path.resolve()
        if copy:  # what we keep does not say who the patients are
            uploads.strip_headers(folder, context.reader())
        if steps:
            folder.mkdir(mode=0o700, exist_ok=True)
            kept = write_mended(folder, kept, steps)
        manifest = read_manifest(kept)
        cohort = build_cohort(manifest, roles, task, cohort.name)
        report = report_on(context, manifest, roles, cohort)
        return _register(context.registry, project, kept, roles, task, cohort, report)


def now() -> str:
    """The time, as steps are dated."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def complete(context: Context, project: ProjectRecord, record: CohortRecord) -> CohortRecord:
    """A cohort whose report says too which labels are contradicted. Raises as `load` does."""
    from fmstudio.cohort import read_manifest

    if record.audit.probed:
        return record
    cohort = load(context.settings, project, record)
    manifest = read_manifest(manifest_path(context.settings, record))
    report = probed(context, record.audit, manifest, record.roles, cohort)
    return context.registry.update_cohort_summary(record.id, as_json(report))


def mend(
    context: Context,
    project: ProjectRecord,
    record: CohortRecord,
    finding: str,
    way: int | None,
    by: str | None = None,
) -> CohortRecord:
    """A new cohort in which a finding is resolved; the old one stays, for the runs that used it.

    What is accepted is signed with `by` (default: the account on this computer) and the time.
    Raises NotFound for a finding that there is not, and InputError if what is left is no cohort.
    """
    found = find(record.audit, finding)
    label, steps = steps_of(found, way)
    return after(context, project, record, steps, found.kind, label, by)


def confirm_identifiers(
    context: Context, project: ProjectRecord, record: CohortRecord, by: str
) -> CohortRecord:
    """A new cohort in which every finding that must be answered is confirmed to identify nobody.

    The cohort itself if there is none. `by` is who says so.
    """
    steps = [
        step
        for finding in record.audit.unanswered
        for way in finding.mends
        for step in way.steps
        if step["do"] == "accept"
    ]
    if not steps:
        return record
    return after(context, project, record, steps, "identifiers", "They identify nobody", by)


def after(
    context: Context,
    project: ProjectRecord,
    record: CohortRecord,
    steps: Sequence[Step],
    kind: str,
    label: str,
    by: str | None,
    check: Callable[[CohortAudit, CohortAudit, str], None] = lambda *_: None,
) -> CohortRecord:
    """The cohort after some steps, signed and registered as the newest.

    `check` sees the report before and after them, and may raise.
    """
    from fmstudio.cohort import build_cohort, read_manifest
    from fmstudio.cohort.cleaning import roles_after, signed, write_mended

    who = (by or account()).strip()
    steps = signed(steps, who, now())
    with uploads.cohort_folder(context.settings) as folder:
        folder.mkdir(mode=0o700)
        path = write_mended(folder, manifest_path(context.settings, record), steps)
        manifest, roles = read_manifest(path), {**record.roles, **roles_after(steps)}
        cohort = build_cohort(manifest, roles, project.task, record.name)
        report = report_on(context, manifest, roles, cohort)
        check(record.audit, report, label)
        says = any(step["do"] in ("accept", "answer") for step in steps)
        how = Mended(record.id, kind, label, who if says else None)
        return _register(
            context.registry,
            project,
            path,
            roles,
            project.task,
            cohort,
            replace(report, mended=how),
            "cohort cleaned",
            as_json(how),
        )


def undo(context: Context, project: ProjectRecord, record: CohortRecord) -> CohortRecord:
    """The cohort before the last cleaning, taken again as the newest; the cleaned one stays.

    Raises NotFound if nothing was cleaned, and InputError if the files have changed since.
    """
    how = record.audit.mended
    if how is None:
        raise NotFound(
            f"Nothing was cleaned in the cohort '{record.name}'.",
            hint="There is nothing to undo.",
        )
    before = context.registry.cohort(how.cohort)
    load(context.settings, project, before)
    return context.registry.add_cohort(
        project.id,
        before.name,
        before.manifest,
        before.roles,
        before.fingerprint,
        before.summary,
        "cleaning undone",
        {**as_json(how), "from": record.id, "again": before.id},
    )


def concerned(
    settings: Settings, record: CohortRecord
) -> Callable[[Finding], list[dict[str, str]]]:
    """See `Projects.concerned`."""
    from fmstudio.cohort import read_manifest

    try:
        manifest = read_manifest(manifest_path(settings, record))
    except InputError:
        return lambda finding: []
    holders = [column for column, role in record.roles.items() if role == "case_id"]

    def rows(finding: Finding) -> list[dict[str, str]]:
        columns = [c for c in finding.columns if c in manifest.columns and c not in holders]
        return [
            {"case": manifest.rows[row][holders[0]] if holders else f"row {row + 1}"}
            | {column: manifest.rows[row][column] for column in columns[:MOST_COLUMNS]}
            for row in finding.rows[:MOST_ROWS]
            if row < len(manifest.rows)
        ]

    return rows


def _register(
    registry: Registry,
    project: ProjectRecord,
    path: Path,
    roles: Mapping[str, str],
    task: TaskSpec,
    cohort: Cohort,
    report: CohortAudit,
    event: str = "cohort added",
    how: Mapping[str, Any] | None = None,
) -> CohortRecord:
    if path.is_relative_to(registry.home / "cohorts"):
        sync_all(path.parent)  # before the row that names it, or a power cut could take it
    if task != project.task:
        registry.update_project_task(project.id, task)
    try:
        return registry.add_cohort(
            project.id, cohort.name, path, roles, cohort.fingerprint, as_json(report), event, how
        )
    except BaseException:
        registry.update_project_task(project.id, project.task)
        raise


def _check_same_labels(name: str, roles: Mapping[str, str], task: TaskSpec) -> None:
    labels = sorted(column for column, role in roles.items() if role == "label")
    if labels != sorted(task.columns):
        raise InputError(
            f"{name} has the label columns {', '.join(labels) or 'none'}, but the project "
            f"predicts {', '.join(task.columns)}.",
            hint="Give the same label columns, or make another project.",
        )
