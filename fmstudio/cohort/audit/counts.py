"""What a cohort holds, in numbers: cases, patients, modalities, labels, splits, gaps."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence

from fmstudio.cohort.cells import is_missing
from fmstudio.cohort.manifest import Manifest
from fmstudio.cohort.roles import columns_of
from fmstudio.cohort.splits import SPLITS
from fmstudio.contracts import pipelines
from fmstudio.results.audit import CohortAudit, LabelRange
from fmstudio.types import Cohort, PatientCase


def counts(manifest: Manifest, roles: Mapping[str, str], cohort: Cohort) -> CohortAudit:
    """The report on a cohort in which nothing was looked for yet."""
    cases = cohort.cases
    return CohortAudit(
        cases=len(cases),
        patients=len({case.patient_id for case in cases}),
        modalities={
            name: sum(name in case.sources for case in cases)
            for name in pipelines()
            if name in cohort.modalities
        },
        labels=_labels(cohort, cases),
        splits={name: len(cohort.split(name)) for name in SPLITS},
        split_patients={
            name: len({case.patient_id for case in cohort.split(name)}) for name in SPLITS
        },
        split_labels={name: _labels(cohort, cohort.split(name)) for name in SPLITS},
        missing=_missing(manifest, roles, cases),
        set_aside=len(cohort.set_aside),
        remarks=tuple(cohort.remarks),
        label_range=_range(cohort),
        left_out=tuple(sorted(manifest.left_out)),
    )


def _labels(cohort: Cohort, cases: Sequence[PatientCase]) -> dict[str, int]:
    """Cases by class; by positive answers for multilabel; all with a number for regression."""
    task = cohort.task
    if task.kind == "regression":
        return {task.labels[0]: len(cases)}
    if task.kind == "multilabel":
        answers = [case.target for case in cases if isinstance(case.target, tuple)]
        return {label: sum(a[k] == 1.0 for a in answers) for k, label in enumerate(task.labels)}
    found = Counter(case.target for case in cases)
    return {label: found[float(index)] for index, label in enumerate(task.labels)}


def _range(cohort: Cohort) -> LabelRange | None:
    if cohort.task.kind != "regression":
        return None
    values = [case.target for case in cohort.cases if isinstance(case.target, float)]
    return LabelRange(min(values), statistics.median(values), max(values))


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
