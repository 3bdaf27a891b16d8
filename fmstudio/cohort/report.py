"""A cohort -> its report: counts, splits, missingness, and what a person should look at.

The JSON is that of `cohort report`; a finding's rows count from 0 in the manifest's order.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fmstudio.cohort.cells import is_missing
from fmstudio.cohort.manifest import Manifest
from fmstudio.cohort.roles import columns_of
from fmstudio.cohort.splits import SPLITS
from fmstudio.cohort.targets import read_targets
from fmstudio.contracts import pipelines
from fmstudio.errors import StudioError
from fmstudio.sandbox import Reader
from fmstudio.types import Cohort, PatientCase, Source

FEW_CASES = 100  # below, an interval on held-out patients is wider than most differences
FEW_TEST_PATIENTS = 10  # of a class: one patient moves sensitivity by 10 points
STOP_SHARE = 0.5
REASONS_SHOWN = 3

Finding = dict[str, Any]


def cohort_report(
    manifest: Manifest, roles: Mapping[str, str], cohort: Cohort, reader: Reader | None
) -> dict[str, Any]:
    """The report on a cohort; with a reader, every file is read once to see if it can be."""
    cases = cohort.cases
    findings = [*_set_aside(manifest, cohort), *_size(cohort), *_patients(manifest, roles)]
    if reader is not None:
        findings += _unreadable(cohort, roles, reader)
    return {
        "cases": len(cases),
        "patients": len({case.patient_id for case in cases}),
        "modalities": {
            name: sum(name in case.sources for case in cases)
            for name in pipelines()
            if name in cohort.modalities
        },
        "labels": _labels(cohort, cases),
        "splits": {name: len(cohort.split(name)) for name in SPLITS},
        "split_patients": {
            name: len({case.patient_id for case in cohort.split(name)}) for name in SPLITS
        },
        "split_labels": {name: _labels(cohort, cohort.split(name)) for name in SPLITS},
        "missing": _missing(manifest, roles, cases),
        "set_aside": len(cohort.set_aside),
        "remarks": list(cohort.remarks),
        "findings": findings,
    } | _range(cohort)


def _labels(cohort: Cohort, cases: Sequence[PatientCase]) -> dict[str, int]:
    """Cases by class; by positive answers for multilabel; all with a number for regression."""
    task = cohort.task
    if task.kind == "regression":
        return {task.labels[0]: len(cases)}
    if task.kind == "multilabel":
        answers = [case.target for case in cases if isinstance(case.target, tuple)]
        return {label: sum(a[k] == 1.0 for a in answers) for k, label in enumerate(task.labels)}
    counts = Counter(case.target for case in cases)
    return {label: counts[float(index)] for index, label in enumerate(task.labels)}


def _range(cohort: Cohort) -> dict[str, Any]:
    if cohort.task.kind != "regression":
        return {}
    values = [case.target for case in cohort.cases if isinstance(case.target, float)]
    middle = statistics.median(values)
    return {"label_range": {"low": min(values), "median": middle, "high": max(values)}}


def _missing(
    manifest: Manifest, roles: Mapping[str, str], cases: Sequence[PatientCase]
) -> dict[str, int]:
    """In how many of the cases each input column says nothing."""
    inputs = {column for name in pipelines() for column in columns_of(roles, name)}
    return {
        column: sum(is_missing(manifest.rows[case.row][column]) for case in cases)
        for column in manifest.columns
        if column in inputs
    }


def _finding(
    kind: str, severity: str, message: str, fix: str,
    columns: Sequence[str] = (), rows: Sequence[int] = (),
) -> Finding:  # fmt: skip
    return {
        "kind": kind, "severity": severity, "columns": list(columns), "rows": list(rows),
        "message": message, "fix": fix,
    }  # fmt: skip


def _set_aside(manifest: Manifest, cohort: Cohort) -> Iterator[Finding]:
    """Rows that are no cases of the cohort, by reason."""
    targets = read_targets(manifest, cohort.task)
    total, columns = len(manifest.rows), cohort.task.columns
    if targets.unlabelled:
        yield _finding(
            "missing_labels", "warning",
            f"{len(targets.unlabelled)} of {total} cases have no label and are set aside.",
            "Fill in the label, or leave it so: the other cases are used.",
            columns, targets.unlabelled,
        )  # fmt: skip
    if targets.left_out:
        seen = Counter(manifest.rows[row][columns[0]].strip() for row in targets.left_out)
        named = ", ".join(f"{value} ({count})" for value, count in seen.most_common(6))
        yield _finding(
            "few_cases", "warning",
            f"{len(targets.left_out)} cases of classes that fewer than three patients have are "
            f"set aside: {named}.",
            "Add patients of these classes, or join them with others.",
            columns, targets.left_out,
        )  # fmt: skip
    known = {*targets.unlabelled, *targets.left_out}
    bare = [row for row in cohort.set_aside if row not in known]
    if bare:
        yield _finding(
            "no_input", "warning",
            f"{len(bare)} of {total} cases have a label but no input at all and are set aside.",
            "Fill in at least one input of each.",
            rows=bare,
        )  # fmt: skip
    if cohort.task.kind == "multilabel":
        yield from _partly_unknown(cohort)


def _partly_unknown(cohort: Cohort) -> Iterator[Finding]:
    for k, column in enumerate(cohort.task.columns):
        answers = [(c.row, c.target[k]) for c in cohort.cases if isinstance(c.target, tuple)]
        rows = [row for row, answer in answers if math.isnan(answer)]
        if rows:
            yield _finding(
                "missing_labels", "note",
                f"'{column}' is not known in {len(rows)} cases; they count for the other labels.",
                "Fill it in where it is known.",
                [column], rows,
            )  # fmt: skip


def _size(cohort: Cohort) -> Iterator[Finding]:
    """Too few cases in all, or of a class in a split."""
    if len(cohort.cases) < FEW_CASES:
        yield _finding(
            "few_cases", "warning",
            f"{len(cohort.cases)} cases are few: expect wide intervals on every figure.",
            "Add cases before relying on the result.",
        )  # fmt: skip
    if cohort.task.kind == "regression":
        return
    multilabel = cohort.task.kind == "multilabel"
    few: list[str] = []
    for k, label in enumerate(cohort.task.labels):
        column = label if multilabel else cohort.task.columns[0]
        answer = "1" if multilabel else label
        for split in SPLITS:
            patients = len({c.patient_id for c in cohort.split(split) if _has(c, k)})
            if not patients:
                yield _finding(
                    "one_class", "warning", f"No patient of {split} has '{column}' = '{answer}'.",
                    "Add such patients, or give other splits; what is measured there says nothing "
                    "about them.",
                    [column],
                )  # fmt: skip
            elif split == "test" and patients < FEW_TEST_PATIENTS:
                few.append(f"{label} ({patients})")
    if few:
        yield _finding(
            "few_cases", "note",
            f"Fewer than {FEW_TEST_PATIENTS} held-out patients have: {', '.join(few)}.",
            "Add such patients to judge the result by.",
            cohort.task.columns,
        )  # fmt: skip


def _has(case: PatientCase, index: int) -> bool:
    if isinstance(case.target, tuple):
        return case.target[index] == 1.0
    return case.target == index


def _patients(manifest: Manifest, roles: Mapping[str, str]) -> Iterator[Finding]:
    holders = columns_of(roles, "patient_id")
    if not holders:
        yield _finding(
            "no_patient_id", "note",
            "No column names the patient, so every case counts as a patient of its own.",
            "If patients can have several cases, give the column that names them the role "
            "patient_id: otherwise one patient can be learned from and tested on.",
        )  # fmt: skip
        return
    unnamed = [i for i, cell in enumerate(manifest.cells(holders[0])) if is_missing(cell)]
    if unnamed:
        yield _finding(
            "no_patient_id", "warning",
            f"{len(unnamed)} cases name no patient; each counts as a patient of its own.",
            "Fill in the patient, so that splits keep the cases of one patient together.",
            holders, unnamed,
        )  # fmt: skip


def _unreadable(cohort: Cohort, roles: Mapping[str, str], reader: Reader) -> Iterator[Finding]:
    """Files that no pipeline can read, by modality; and cases that have nothing else."""
    faults: dict[str, dict[int, str]] = {name: {} for name in cohort.modalities}
    for (row, name), got in reader.read_many(_jobs(cohort)):
        if isinstance(got, StudioError):
            faults[name][row] = got.message
        elif got.empty:
            faults[name][row] = "Nothing could be made out in " + _named(cohort, row, name) + "."
    for name, found in faults.items():
        if not found:
            continue
        given = sum(name in case.sources for case in cohort.cases)
        reasons = list(dict.fromkeys(found.values()))
        shown = " ".join(reasons[:REASONS_SHOWN])
        more = f" And {len(reasons) - REASONS_SHOWN} more." if len(reasons) > REASONS_SHOWN else ""
        yield _finding(
            "unreadable", "stop" if len(found) > STOP_SHARE * given else "warning",
            f"{pipelines()[name].label}: {len(found)} of {given} cases cannot be read and count as "
            f"missing. {shown}{more}",
            "Export these files again, or empty their cells.",
            columns_of(roles, name), sorted(found),
        )  # fmt: skip
    bare = [
        case.row for case in cohort.cases if all(case.row in faults[name] for name in case.sources)
    ]
    if bare:
        yield _finding(
            "no_input", "warning",
            f"{len(bare)} cases have no input that can be read and are set aside.",
            "Export their files again, or add another input.",
            rows=bare,
        )  # fmt: skip


def _jobs(cohort: Cohort) -> Iterator[tuple[tuple[int, str], str, Sequence[Source]]]:
    """Everything that comes from files; typed values are always readable."""
    for case in cohort.cases:
        for name, sources in case.sources.items():
            if any(source.path is not None for source in sources):
                yield (case.row, name), name, sources


def _named(cohort: Cohort, row: int, modality: str) -> str:
    case = next(case for case in cohort.cases if case.row == row)
    return ", ".join(s.path.name if s.path else s.name for s in case.sources[modality][:3])
