"""The cases of a cohort that the registry knows: where its table lies, which cases are held out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fmstudio.errors import InputError, NotFound
from fmstudio.records import AdapterRecord, CohortRecord, ProjectRecord
from fmstudio.settings import Settings
from fmstudio.studio.gate import check_answered
from fmstudio.types import Cohort, TaskSpec

if TYPE_CHECKING:
    from fmstudio.cohort import Manifest
    from fmstudio.studio.context import Context


def manifest_path(settings: Settings, record: CohortRecord) -> Path:
    """Where the manifest of a registered cohort lies; those that we keep are below home."""
    return settings.home / record.manifest


def table_path(settings: Settings, record: CohortRecord) -> Path:
    """Where the table of a registered cohort lies, below what cleaned it."""
    from fmstudio.cohort.cleaning import table_of

    return table_of(manifest_path(settings, record))


def kept_folders(settings: Settings, records: Sequence[CohortRecord]) -> list[Path]:
    """The folders below home in which we keep uploaded cohorts and what cleaned any cohort."""
    ours = settings.home / "cohorts"
    named = [
        path
        for record in records
        for path in (manifest_path(settings, record), table_path(settings, record))
    ]
    return list(dict.fromkeys(path.parent for path in named if path.parent.parent == ours))


def kept_tables(settings: Settings, tables: Iterable[str]) -> list[Path]:
    """The folders of those tables without labels, which runs learned from, that were uploaded."""
    named = {Path(table) for table in tables}
    return [settings.home / path.parent for path in named if path.parts[0] == "cohorts"]


def load(settings: Settings, project: ProjectRecord, record: CohortRecord) -> Cohort:
    """The cases of a registered cohort. Raises InputError if its files have changed since."""
    from fmstudio.cohort import recorded_cohort

    return recorded_cohort(settings, record, project.task)


def group_columns(record: CohortRecord) -> list[str]:
    """The columns of a cohort that tell groups of patients apart, such as sex or site."""
    return sorted(column for column, role in record.roles.items() if role == "group")


def check_ready(record: CohortRecord, modalities: Sequence[str]) -> None:
    """Raises InputError for a finding that must be resolved or answered first, or a modality that
    nobody has."""
    check_answered(record)
    for finding in record.audit.findings:
        if finding.severity == "stop":
            raise InputError(finding.message, hint=finding.fix)
    there = record.audit.present
    for name in modalities:
        if name not in there:
            raise InputError(
                f"No case of cohort '{record.name}' has the modality '{name}'.",
                hint=f"It has: {', '.join(there)}.",
            )


def read_cases(
    context: Context, adapter: AdapterRecord, path: Path, require_label: bool
) -> tuple[Cohort, dict[str, str]]:
    """The cases of another manifest as an adapter sees them, and the roles of its columns.

    Columns that its training cohort had take their role from there. Raises InputError.
    """
    from fmstudio.cohort import build_cohort, read_manifest

    task = context.registry.project(adapter.project_id).task
    manifest = read_manifest(path)
    for column in task.columns if require_label else ():
        manifest.check_column(column)
    known = {c: r for c, r in _known_roles(context, adapter).items() if c in manifest.columns}
    known |= {column: "label" for column in task.columns if column in manifest.columns}
    roles = choose_roles(manifest, known, replace(task, columns=()))
    answers = adapter.card.get("answers", {})
    cohort = build_cohort(
        manifest, roles, task, path.stem, require_label=require_label, answers=answers
    )
    return cohort, roles


def _known_roles(context: Context, adapter: AdapterRecord) -> dict[str, str]:
    """Roles by column of the training cohort; of an imported adapter those that its card tells."""
    record = training_cohort(context, adapter)
    if record is not None:
        return dict(record.roles)
    columns = adapter.card.get("columns", {})
    return {column: modality for modality, names in columns.items() for column in names}


def held_out(context: Context, adapter: AdapterRecord) -> Cohort:
    """The cohort that an adapter was trained on, for its held-out cases. Raises NotFound."""
    record = training_cohort(context, adapter)
    if record is None:
        raise NotFound(
            f"The adapter {adapter.id} was imported: its held-out patients are not here.",
            hint="Give a labelled manifest with --manifest.",
        )
    return load(context.settings, context.registry.project(adapter.project_id), record)


def training_cohort(context: Context, adapter: AdapterRecord) -> CohortRecord | None:
    """The cohort of an adapter's run; of an imported one that of its project with the same
    fingerprint, if the cohort came here too."""
    if adapter.run_id is not None:
        cohort_id = context.registry.run(adapter.run_id).cohort_id
        return None if cohort_id is None else context.registry.cohort(cohort_id)
    fingerprint = adapter.card.get("fingerprint")
    if fingerprint is None:
        return None
    same = context.registry.cohorts(adapter.project_id, str(fingerprint), limit=1)
    return next(iter(same), None)


def trained_patients(
    context: Context, adapter: AdapterRecord, roles: Mapping[str, str]
) -> frozenset[str] | None:
    """The patients that training or a choice saw; None where they cannot be told from others.

    `roles` are those of the manifest to compare with: where its patients are not named in the
    column that named them in training, a name may be anybody's.
    """
    record = training_cohort(context, adapter)
    column = None if record is None else _names_patients(record.roles)
    if record is None or column is None or column != _names_patients(roles):
        return None
    try:
        cohort = load(context.settings, context.registry.project(adapter.project_id), record)
    except InputError:  # moved or changed since: its files and rows are known by their hashes
        return None
    return frozenset(case.patient_id for case in cohort.cases if case.split != "test")


def _names_patients(roles: Mapping[str, str]) -> str | None:
    """The column that tells patients apart; None where rows have only their numbers."""
    return next(
        (
            column
            for role in ("patient_id", "case_id")
            for column, given in roles.items()
            if role in given.split(",")
        ),
        None,
    )


def choose_roles(manifest: Manifest, given: Mapping[str, str], task: TaskSpec) -> dict[str, str]:
    """The role of every column: what is given, else what is proposed.

    Raises InputError for a column that the manifest lacks.
    """
    from fmstudio.cohort import propose_roles

    for column in given:
        manifest.check_column(column)
    labels = task.columns or [column for column, role in given.items() if "label" in role]
    proposed = propose_roles(manifest, labels or None, task.kind)
    return {role.column: role.role for role in proposed} | dict(given)
