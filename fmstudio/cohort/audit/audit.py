"""A cohort -> its report: counts, and the findings of every check, the most serious first.

The JSON is that of `cohort report`; a finding's rows count from 0 in the manifest's order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from threadpoolctl import threadpool_limits

from fmstudio.cohort.audit.counts import counts
from fmstudio.cohort.audit.evidence import Doubt, Evidence
from fmstudio.cohort.audit.finding import SEVERITIES, Check, Finding
from fmstudio.cohort.cleaning import accepted
from fmstudio.contracts import discover


@cache
def checks() -> tuple[Check, ...]:
    """Every check, in the order of their names."""
    return tuple(discover("fmstudio.cohort.audit.checks", "CHECK").values())


def cohort_report(evidence: Evidence) -> dict[str, Any]:
    """The report on what is known of a cohort. `probed` says whether labels were doubted yet."""
    return {
        **counts(evidence.manifest, evidence.roles, evidence.cohort),
        "left_out": sorted(evidence.manifest.left_out),
        **_after_moment(evidence),
        "probed": evidence.doubts is not None,
        "findings": as_json(found_by(checks(), evidence)),
    }


def _after_moment(evidence: Evidence) -> dict[str, Any]:
    """The moment of prediction, and the readings after it by modality; {} where none is stated."""
    hours = evidence.cohort.task.moment
    if hours is None:
        return {}
    late: Counter[str] = Counter()
    for name in evidence.cohort.modalities:
        late[name] = sum(digest.late for _, digest in evidence.read(name))
    return {"moment": {"hours": hours, "left_out": {n: c for n, c in late.items() if c}}}


def with_doubts(
    report: dict[str, Any], evidence: Evidence, doubts: Sequence[Doubt]
) -> dict[str, Any]:
    """A report with what the checks say that need the frozen base."""
    asked = replace(evidence, doubts=tuple(doubts))
    new = as_json(found_by([check for check in checks() if check.probes], asked))
    kinds = {check.name for check in checks() if check.probes}
    kept = [one for one in report["findings"] if one["kind"] not in kinds]
    return {**report, "probed": True, "findings": in_order([*kept, *new])}


@threadpool_limits.wrap(limits=1)  # many small fits: threads would only wait for each other
def found_by(asked: Iterable[Check], evidence: Evidence) -> list[Finding]:
    """What the checks find; what a person has accepted becomes a note."""
    known = accepted(evidence.manifest)
    return [
        _as_accepted(finding, known[key]) if (key := _key(finding)) in known else finding
        for check in asked
        for finding in check.find(evidence)
    ]


def _key(finding: Finding) -> tuple[str, tuple[str, ...], str]:
    return finding.kind, finding.columns, finding.about


def _as_accepted(finding: Finding, who: str) -> Finding:
    said = f"Accepted: {finding.message}" + (f" Confirmed by {who}." if who else "")
    return replace(finding, severity="note", message=said, mends=(), gate=False, places=(), asks=())


def as_json(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Findings as JSON, the most serious first."""
    seen: Counter[tuple[str, tuple[str, ...]]] = Counter()
    made = []
    for finding in findings:
        made.append(finding.as_dict(seen[finding.kind, finding.columns]))
        seen[finding.kind, finding.columns] += 1
    return in_order(made)


def in_order(findings: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The most serious first, otherwise as they came."""
    return sorted(findings, key=lambda one: SEVERITIES.index(one["severity"]))
