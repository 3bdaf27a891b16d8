"""A manifest, its roles and a task -> a Cohort: cases with sources, target and split."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence

from fmstudio.cohort.answers import with_answers
from fmstudio.cohort.cells import is_missing
from fmstudio.cohort.cleaning import answered
from fmstudio.cohort.fingerprint import fingerprint
from fmstudio.cohort.identity import case_ids, patient_ids
from fmstudio.cohort.index_time import up_to_moment
from fmstudio.cohort.manifest import Manifest
from fmstudio.cohort.roles import check_roles, columns_of, split_role
from fmstudio.cohort.sources import read_sources
from fmstudio.cohort.splits import (
    SHARES,
    complete_splits,
    given_splits,
    quantile_bins,
    split_patients,
)
from fmstudio.cohort.targets import Target, read_targets
from fmstudio.cohort.task import FEWEST_PATIENTS
from fmstudio.contracts import pipelines
from fmstudio.errors import InputError
from fmstudio.types import Cohort, PatientCase, TaskSpec

FEWEST_CASES = 20


def build_cohort(
    manifest: Manifest,
    roles: Mapping[str, str],
    task: TaskSpec,
    name: str,
    seed: int = 0,
    require_label: bool = True,
    answers: Mapping[str, str] | None = None,
) -> Cohort:
    """Cases to learn from: labelled, with some input, each in one of train, validation and test.

    With `require_label` False, cases to predict: every row, labelled or not, whatever its files;
    a split only where a column gives it. `answers` are what was said of other files of the same
    kind (see `Question`); those that the manifest brings along go before them.
    Raises InputError naming file, column, line or patient for whatever keeps a manifest from being
    such a cohort.
    """
    check_roles(manifest, roles)
    cases, patients = case_ids(manifest, roles), patient_ids(manifest, roles)
    given, found = read_sources(manifest, roles, check_files=require_label)
    sources, moment = up_to_moment(manifest, roles, given, task.moment)
    said = dict(answers or {})
    said |= {key: str(step["said"]) for key, step in answered(manifest).items()}
    sources = [
        {name: with_answers(name, own, said) for name, own in row.items()} for row in sources
    ]
    targets = read_targets(manifest, task, strict=require_label)
    kept = [row for row in range(len(manifest.rows)) if row not in manifest.left_out]
    if require_label:
        kept = [row for row in kept if targets.values[row] is not None and sources[row]]
        _check_enough(manifest, task, kept, targets.values, patients, bool(any(sources)))
    splits, remark = _splits(
        manifest, roles, task, kept, targets.values, patients, seed, require_label
    )
    groups = columns_of(roles, "group")
    return Cohort(
        name=name,
        cases=tuple(
            PatientCase(
                case_id=cases[row],
                patient_id=patients[row],
                sources=sources[row],
                target=targets.values[row],
                split=splits.get(patients[row]),
                groups={group: manifest.rows[row][group].strip() for group in groups},
                row=row,
            )
            for row in kept
        ),
        task=task,
        modalities=tuple(m for m in pipelines() if any(m in sources[row] for row in kept)),
        fingerprint=fingerprint(manifest, roles, sources),
        set_aside=tuple(sorted(set(range(len(manifest.rows))) - set(kept))),
        remarks=tuple(
            remark
            for remark in (*manifest.remarks, *_read(manifest, roles), found, moment, remark)
            if remark
        ),
        answers=said,
    )


def _read(manifest: Manifest, roles: Mapping[str, str]) -> Iterator[str]:
    """How the cells of inputs were read where that is not plain."""
    tables = [name for name, pipeline in pipelines().items() if pipeline.kind == "table"]
    for column in manifest.columns:
        if set(split_role(roles.get(column, ""))) & {*tables, "time"}:
            yield from manifest.readings[column].remarks


def _check_enough(
    manifest: Manifest,
    task: TaskSpec,
    kept: Sequence[int],
    targets: Sequence[Target],
    patients: Sequence[str],
    any_input: bool,
) -> None:
    """Refuse what nothing can be learned from."""
    if not any_input:
        raise InputError(
            f"No column of {manifest.path.name} holds an input.",
            hint=f"Give at least one column the role of a modality: {', '.join(pipelines())}.",
        )
    if len(kept) < FEWEST_CASES:
        raise InputError(
            f"{manifest.path.name} has {len(kept)} cases with a label and an input; at least "
            f"{FEWEST_CASES} are needed.",
            hint="Add cases, or fill in missing labels.",
        )
    number = len({patients[row] for row in kept})
    if number < FEWEST_PATIENTS:
        whose = "one patient" if number == 1 else f"{number} patients"
        raise InputError(
            f"All {len(kept)} cases are of {whose}.",
            hint="Patients are kept apart in train, validation and test, so that at least three "
            "are needed. Check the column with the role patient_id.",
        )
    _check_classes(task, kept, targets)


def _check_classes(task: TaskSpec, kept: Sequence[int], targets: Sequence[Target]) -> None:
    """Refuse a single class among the cases that are left."""
    if task.kind == "multilabel":
        for k, column in enumerate(task.columns):
            seen = {answers[k] for row in kept if isinstance(answers := targets[row], tuple)}
            if not {0.0, 1.0} <= seen:
                raise InputError(
                    f"Among the cases that can be used, '{column}' has only one answer.",
                    hint="Add cases with the other answer, or give the column the role 'ignore'.",
                )
    elif len({targets[row] for row in kept}) < 2:
        raise InputError(
            f"Among the cases that can be used, '{task.columns[0]}' has only one value.",
            hint="Add cases of another class; nothing can be learned from one.",
        )


def _splits(
    manifest: Manifest,
    roles: Mapping[str, str],
    task: TaskSpec,
    kept: Sequence[int],
    targets: Sequence[Target],
    patients: Sequence[str],
    seed: int,
    required: bool,
) -> tuple[dict[str, str], str]:
    """Each patient's split, and a remark on how it was made."""
    named = dict(enumerate(patients))
    column = next(iter(columns_of(roles, "split")), None)
    if not required:
        if column is None:
            return {}, ""
        rows = [row for row in kept if not is_missing(manifest.rows[row][column])]
        return given_splits(manifest, column, rows, named), ""
    strata = _strata(task, kept, targets, patients)
    if column is not None:
        return complete_splits(given_splits(manifest, column, kept, named), strata, seed)
    _check_class_sizes(task, strata)
    return split_patients(strata, seed, SHARES), ""


def _strata(
    task: TaskSpec, kept: Sequence[int], targets: Sequence[Target], patients: Sequence[str]
) -> Mapping[str, frozenset[Hashable]]:
    """What each patient's cases say, for stratification: classes, answers, or a quantile bin."""
    if task.kind == "regression":
        sums: dict[str, list[float]] = {}
        for row in kept:
            value = targets[row]
            if isinstance(value, float):
                sums.setdefault(patients[row], []).append(value)
        return quantile_bins({p: sum(values) / len(values) for p, values in sums.items()})
    found: dict[str, set[Hashable]] = {}
    for row in kept:
        value = targets[row]
        said = set(enumerate(value)) if isinstance(value, tuple) else {value}
        known = {one for one in said if not (isinstance(one, tuple) and one[1] != one[1])}
        found.setdefault(patients[row], set()).update(known)
    return {patient: frozenset(said) for patient, said in found.items()}


def _check_class_sizes(task: TaskSpec, strata: Mapping[str, frozenset[Hashable]]) -> None:
    """Refuse a class of a binary task that cannot be in train, validation and test."""
    if task.kind != "binary":
        return
    for index, label in enumerate(task.labels):
        count = sum(index in said for said in strata.values())
        if count < FEWEST_PATIENTS:
            raise InputError(
                f"Only {count} {'patient has' if count == 1 else 'patients have'} "
                f"'{task.columns[0]}' = '{label}'.",
                hint=f"At least {FEWEST_PATIENTS} are needed: one each for training, validation "
                "and testing.",
            )
