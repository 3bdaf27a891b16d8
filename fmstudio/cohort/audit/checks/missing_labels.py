"""Rows that are no cases: without a label, or without an input."""

from __future__ import annotations

import math
from collections.abc import Iterator

from fmstudio.cohort.audit.evidence import Evidence
from fmstudio.cohort.audit.finding import Check, counted
from fmstudio.cohort.targets import read_targets
from fmstudio.results.finding import Finding


def find(evidence: Evidence) -> Iterator[Finding]:
    """Rows that were set aside, by reason; then labels that are known in part."""
    manifest, cohort = evidence.manifest, evidence.cohort
    targets = read_targets(manifest, cohort.task)
    unlabelled = [row for row in targets.unlabelled if row not in manifest.left_out]
    total = len(manifest.rows)
    if unlabelled:
        yield Finding(
            "missing_labels",
            "warning",
            f"{len(unlabelled)} of {total} cases have no label and are excluded.",
            "Fill in the label, or leave it so: the other cases are used.",
            cohort.task.columns,
            tuple(unlabelled),
        )
    known = {*targets.unlabelled, *targets.left_out, *manifest.left_out}
    bare = [row for row in cohort.set_aside if row not in known]
    if bare:
        yield Finding(
            "no_input",
            "warning",
            f"{len(bare)} of {total} cases have a label but no input at all and are excluded.",
            "Fill in at least one input of each.",
            (),
            tuple(bare),
        )
    if cohort.task.kind == "multilabel":
        yield from _partly_unknown(evidence)


def _partly_unknown(evidence: Evidence) -> Iterator[Finding]:
    for k, column in enumerate(evidence.cohort.task.columns):
        rows = [
            case.row
            for case in evidence.cases
            if isinstance(case.target, tuple) and math.isnan(case.target[k])
        ]
        if rows:
            yield Finding(
                "missing_labels",
                "note",
                f"'{column}' is not known in {counted(len(rows), 'case')}; they count for the "
                "other labels.",
                "Fill it in where it is known.",
                (column,),
                tuple(rows),
            )


CHECK = Check("missing_labels", find)
