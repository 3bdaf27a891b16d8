"""From a manifest to a registered cohort, and from a registered cohort back to its cases."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmstudio.errors import InputError, NotFound
from fmstudio.files import sync_all
from fmstudio.records import AdapterRecord, CohortRecord, ProjectRecord, RunRecord
from fmstudio.settings import Settings
from fmstudio.studio import uploads
from fmstudio.studio.gate import account, check_answered, unanswered
from fmstudio.studio.reports import find, probed, report_on, steps_of
from fmstudio.types import Cohort, TaskSpec

MOST_ROWS, MOST_COLUMNS = 12, 5  # shown of what a finding is about

if TYPE_CHECKING:
    from fmstudio.cohort import Manifest
    from fmstudio.registry import Registry
    from fmstudio.studio.home import Home


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


def add(
    home: Home,
    project: ProjectRecord,
    path: Path,
    given: Mapping[str, str],
    name: str | None,
    copy: bool,
    steps: Sequence[Mapping[str, Any]] = (),
) -> CohortRecord:
    """Read, check and register a manifest. Nothing is kept if anything is wrong with it.

    Steps (see cohort/mending.py) are kept beside the copy of the table, or in a folder below home.
    """
    from fmstudio.cohort import build_cohort, make_task, read_manifest
    from fmstudio.cohort.mending import write_mended

    manifest = read_manifest(path)
    roles = choose_roles(manifest, given, project.task)
    task = project.task
    if not task.labels:
        made = make_task(manifest, roles, task.kind, task.positive, task.description)
        task = replace(made, moment=task.moment)
    else:
        _check_same_labels(path.name, roles, task)
    named = name or path.resolve().parent.name or project.name
    cohort = build_cohort(manifest, roles, task, named)

    if not copy and not steps:
        report = report_on(home, manifest, roles, cohort)
        return _register(home.registry, project, path.resolve(), roles, task, cohort, report)
    with uploads.cohort_folder(home.settings) as folder:
        kept = uploads.keep(path, folder, home.settings) if copy else path.resolve()
        if copy:  # what we keep does not say who the patients are
            uploads.strip_headers(folder, home.reader())
        if steps:
            folder.mkdir(mode=0o700, exist_ok=True)
            kept = write_mended(folder, kept, steps)
        manifest = read_manifest(kept)
        cohort = build_cohort(manifest, roles, task, cohort.name)
        report = report_on(home, manifest, roles, cohort)
        return _register(home.registry, project, kept, roles, task, cohort, report)


def now() -> str:
    """The time, as steps are dated."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def complete(home: Home, project: ProjectRecord, record: CohortRecord) -> CohortRecord:
    """A cohort whose report says too which labels are contradicted. Raises as `load` does."""
    from fmstudio.cohort import read_manifest

    if record.summary.get("probed"):
        return record
    cohort = load(home.settings, project, record)
    manifest = read_manifest(manifest_path(home.settings, record))
    report = probed(home, record.summary, manifest, record.roles, cohort)
    return home.registry.update_cohort_summary(record.id, report)


def mend(
    home: Home,
    project: ProjectRecord,
    record: CohortRecord,
    finding: str,
    way: int | None,
    by: str | None = None,
) -> CohortRecord:
    """A new cohort in which a finding is mended; the old one stays, for the runs that used it.

    What is accepted is signed with `by` (default: the account on this computer) and the time.
    Raises NotFound for a finding that there is not, and InputError if what is left is no cohort.
    """
    found = find(record.summary, finding)
    label, steps = steps_of(found, way)
    return after(home, project, record, steps, found["kind"], label, by)


def confirm_identifiers(
    home: Home, project: ProjectRecord, record: CohortRecord, by: str
) -> CohortRecord:
    """A new cohort in which every finding that must be answered is confirmed to identify nobody.

    The cohort itself if there is none. `by` is who says so.
    """
    steps = [
        step
        for finding in unanswered(record.summary)
        for way in finding["mends"]
        for step in way["steps"]
        if step["do"] == "accept"
    ]
    if not steps:
        return record
    return after(home, project, record, steps, "identifiers", "They identify nobody", by)


def after(
    home: Home,
    project: ProjectRecord,
    record: CohortRecord,
    steps: Sequence[Mapping[str, Any]],
    kind: str,
    label: str,
    by: str | None,
    check: Callable[[Mapping[str, Any], Mapping[str, Any], str], None] = lambda *_: None,
) -> CohortRecord:
    """The cohort after some steps, signed and registered as the newest.

    `check` sees the report before and after them, and may raise.
    """
    from fmstudio.cohort import build_cohort, read_manifest
    from fmstudio.cohort.mending import roles_after, signed, write_mended

    who = (by or account()).strip()
    steps = signed(steps, who, now())
    with uploads.cohort_folder(home.settings) as folder:
        folder.mkdir(mode=0o700)
        path = write_mended(folder, manifest_path(home.settings, record), steps)
        manifest, roles = read_manifest(path), {**record.roles, **roles_after(steps)}
        cohort = build_cohort(manifest, roles, project.task, record.name)
        report = report_on(home, manifest, roles, cohort)
        check(record.summary, report, label)
        how = {"from": record.id, "finding": kind, "way": label}
        if any(step["do"] in ("accept", "answer") for step in steps):
            how["by"] = who
        return _register(
            home.registry,
            project,
            path,
            roles,
            project.task,
            cohort,
            report | {"mended": how},
            "cohort mended",
            how,
        )


def undo(home: Home, project: ProjectRecord, record: CohortRecord) -> CohortRecord:
    """The cohort before the last mending, taken again as the newest; the mended one stays.

    Raises NotFound if nothing was mended, and InputError if the files have changed since.
    """
    how = record.summary.get("mended")
    if how is None:
        raise NotFound(
            f"Nothing was mended in the cohort '{record.name}'.",
            hint="There is nothing to undo.",
        )
    before = home.registry.cohort(how["from"])
    load(home.settings, project, before)
    return home.registry.add_cohort(
        project.id,
        before.name,
        before.manifest,
        before.roles,
        before.fingerprint,
        before.summary,
        "mending undone",
        {**how, "from": record.id, "again": before.id},
    )


def concerned(
    settings: Settings, record: CohortRecord
) -> Callable[[Mapping[str, Any]], list[dict[str, str]]]:
    """See `Projects.concerned`."""
    from fmstudio.cohort import read_manifest

    try:
        manifest = read_manifest(manifest_path(settings, record))
    except InputError:
        return lambda finding: []
    holders = [column for column, role in record.roles.items() if role == "case_id"]

    def rows(finding: Mapping[str, Any]) -> list[dict[str, str]]:
        columns = [c for c in finding["columns"] if c in manifest.columns and c not in holders]
        return [
            {"case": manifest.rows[row][holders[0]] if holders else f"row {row + 1}"}
            | {column: manifest.rows[row][column] for column in columns[:MOST_COLUMNS]}
            for row in finding["rows"][:MOST_ROWS]
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
    report: Mapping[str, Any],
    event: str = "cohort added",
    how: Mapping[str, Any] | None = None,
) -> CohortRecord:
    if path.is_relative_to(registry.home / "cohorts"):
        sync_all(path.parent)  # before the row that names it, or a power cut could take it
    if task != project.task:
        registry.update_project_task(project.id, task)
    try:
        return registry.add_cohort(
            project.id, cohort.name, path, roles, cohort.fingerprint, report, event, how
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


def manifest_path(settings: Settings, record: CohortRecord) -> Path:
    """Where the manifest of a registered cohort lies; those that we keep are below home."""
    return settings.home / record.manifest


def table_path(settings: Settings, record: CohortRecord) -> Path:
    """Where the table of a registered cohort lies, below what cleaned it."""
    from fmstudio.cohort.mending import table_of

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


def kept_tables(settings: Settings, runs: Sequence[RunRecord]) -> list[Path]:
    """The folders of uploaded tables without labels that runs learned from."""
    named = {Path(run.config["manifest"]) for run in runs if run.config.get("manifest")}
    return [settings.home / path.parent for path in named if path.parts[0] == "cohorts"]


def load(settings: Settings, project: ProjectRecord, record: CohortRecord) -> Cohort:
    """The cases of a registered cohort. Raises InputError if its files have changed since."""
    from fmstudio.cohort import build_cohort, read_manifest

    manifest = read_manifest(manifest_path(settings, record))
    cohort = build_cohort(manifest, record.roles, project.task, record.name)
    if cohort.fingerprint != record.fingerprint:
        raise InputError(
            f"The files of cohort '{record.name}' have changed since it was added.",
            hint="Add the manifest again, so that results belong to the data they come from.",
        )
    return cohort


def group_columns(record: CohortRecord) -> list[str]:
    """The columns of a cohort that tell groups of patients apart, such as sex or site."""
    return sorted(column for column, role in record.roles.items() if role == "group")


def check_ready(record: CohortRecord, modalities: Sequence[str]) -> None:
    """Raises InputError for a finding that must be mended or answered first, or a modality that
    nobody has."""
    check_answered(record)
    for finding in record.summary["findings"]:
        if finding["severity"] == "stop":
            raise InputError(finding["message"], hint=finding["fix"])
    there = [name for name, count in record.summary["modalities"].items() if count]
    for name in modalities:
        if name not in there:
            raise InputError(
                f"No case of cohort '{record.name}' has the modality '{name}'.",
                hint=f"It has: {', '.join(there)}.",
            )


def read_cases(
    home: Home, adapter: AdapterRecord, path: Path, require_label: bool
) -> tuple[Cohort, dict[str, str]]:
    """The cases of another manifest as an adapter sees them, and the roles of its columns.

    Columns that its training cohort had take their role from there. Raises InputError.
    """
    from fmstudio.cohort import build_cohort, read_manifest

    task = home.registry.project(adapter.project_id).task
    manifest = read_manifest(path)
    for column in task.columns if require_label else ():
        manifest.check_column(column)
    known = {c: r for c, r in _known_roles(home, adapter).items() if c in manifest.columns}
    known |= {column: "label" for column in task.columns if column in manifest.columns}
    roles = choose_roles(manifest, known, replace(task, columns=()))
    answers = adapter.card.get("answers", {})
    cohort = build_cohort(
        manifest, roles, task, path.stem, require_label=require_label, answers=answers
    )
    return cohort, roles


def _known_roles(home: Home, adapter: AdapterRecord) -> dict[str, str]:
    """Roles by column of the training cohort; of an imported adapter those that its card tells."""
    record = training_cohort(home, adapter)
    if record is not None:
        return dict(record.roles)
    columns = adapter.card.get("columns", {})
    return {column: modality for modality, names in columns.items() for column in names}


def held_out(home: Home, adapter: AdapterRecord) -> Cohort:
    """The cohort that an adapter was trained on, for its held-out cases. Raises NotFound."""
    record = training_cohort(home, adapter)
    if record is None:
        raise NotFound(
            f"The adapter {adapter.id} was imported: its held-out patients are not here.",
            hint="Give a labelled manifest with --manifest.",
        )
    return load(home.settings, home.registry.project(adapter.project_id), record)


def training_cohort(home: Home, adapter: AdapterRecord) -> CohortRecord | None:
    """The cohort of an adapter's run; of an imported one that of its project with the same
    fingerprint, if the cohort came here too."""
    if adapter.run_id is not None:
        cohort_id = home.registry.run(adapter.run_id).cohort_id
        return None if cohort_id is None else home.registry.cohort(cohort_id)
    fingerprint = adapter.card.get("fingerprint")
    if fingerprint is None:
        return None
    same = home.registry.cohorts(adapter.project_id, str(fingerprint), limit=1)
    return next(iter(same), None)


def trained_patients(
    home: Home, adapter: AdapterRecord, roles: Mapping[str, str]
) -> frozenset[str] | None:
    """The patients that training or a choice saw; None where they cannot be told from others.

    `roles` are those of the manifest to compare with: where its patients are not named in the
    column that named them in training, a name may be anybody's.
    """
    record = training_cohort(home, adapter)
    column = None if record is None else _names_patients(record.roles)
    if record is None or column is None or column != _names_patients(roles):
        return None
    try:
        cohort = load(home.settings, home.registry.project(adapter.project_id), record)
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
