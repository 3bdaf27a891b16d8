"""Splits that lack a class."""

from __future__ import annotations

from collections.abc import Iterator

from fmstudio.cohort.audit.evidence import Evidence
from fmstudio.cohort.audit.finding import Check
from fmstudio.cohort.splits import SPLITS
from fmstudio.results.finding import Finding
from fmstudio.types import PatientCase


def find(evidence: Evidence) -> Iterator[Finding]:
    """One finding a class and split."""
    task = evidence.cohort.task
    if task.kind == "regression":
        return
    for k, label in enumerate(task.labels):
        multilabel = task.kind == "multilabel"
        column, answer = (label, "1") if multilabel else (task.columns[0], label)
        for split in SPLITS:
            if not any(_has(case, k) for case in evidence.cohort.split(split)):
                yield Finding(
                    "one_class",
                    "warning",
                    f"No patient of {split} has '{column}' = '{answer}'.",
                    "Add such patients, or give other splits; what is measured there says nothing "
                    "about them.",
                    (column,),
                )


def _has(case: PatientCase, index: int) -> bool:
    if isinstance(case.target, tuple):
        return case.target[index] == 1.0
    return case.target == index


CHECK = Check("one_class", find)
