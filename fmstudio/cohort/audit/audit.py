"""A cohort -> its report: counts, and the findings of every check, the most serious first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache

from threadpoolctl import threadpool_limits

from fmstudio.cohort.audit.counts import counts
from fmstudio.cohort.audit.evidence import Doubt, Evidence
from fmstudio.cohort.audit.finding import Check
from fmstudio.cohort.cleaning import accepted
from fmstudio.contracts import discover
from fmstudio.results.audit import CohortAudit, IndexTime
from fmstudio.results.finding import SEVERITIES, Finding


@cache
def checks() -> tuple[Check, ...]:
    """Every check, in the order of their names."""
    return tuple(discover("fmstudio.cohort.audit.checks", "CHECK").values())


def cohort_report(evidence: Evidence) -> CohortAudit:
    """The report on what is known of a cohort. `probed` says whether labels were doubted yet."""
    return replace(
        counts(evidence.manifest, evidence.roles, evidence.cohort),
        moment=_after_moment(evidence),
        probed=evidence.doubts is not None,
        findings=numbered(found_by(checks(), evidence)),
    )


def _after_moment(evidence: Evidence) -> IndexTime | None:
    """The moment of prediction, and the readings after it by modality; None if none is stated."""
    hours = evidence.cohort.task.moment
    if hours is None:
        return None
    late: Counter[str] = Counter()
    for name in evidence.cohort.modalities:
        late[name] = sum(digest.late for _, digest in evidence.read(name))
    return IndexTime(hours, {name: count for name, count in late.items() if count})


def with_doubts(report: CohortAudit, evidence: Evidence, doubts: Sequence[Doubt]) -> CohortAudit:
    """A report with what the checks say that need the frozen base."""
    asked = replace(evidence, doubts=tuple(doubts))
    new = numbered(found_by([check for check in checks() if check.probes], asked))
    kinds = {check.name for check in checks() if check.probes}
    kept = [one for one in report.findings if one.kind not in kinds]
    return replace(report, probed=True, findings=in_order([*kept, *new]))


def found_by(asked: Iterable[Check], evidence: Evidence) -> list[Finding]:
    """What the checks find; what a person has accepted becomes a note."""
    with threadpool_limits(limits=1):  # many small fits: threads would only wait for each other
        return _found_by(asked, evidence)


def _found_by(asked: Iterable[Check], evidence: Evidence) -> list[Finding]:
    known = accepted(evidence.manifest)
    return [
        _as_accepted(finding, known[key]) if (key := _key(finding)) in known else finding
        for check in asked
        for finding in check.find(evidence)
    ]


def _key(finding: Finding) -> tuple[str, tuple[str, ...], str]:
    return finding.kind, finding.columns, finding.about or ""


def _as_accepted(finding: Finding, who: str) -> Finding:
    said = f"Accepted: {finding.message}" + (f" Confirmed by {who}." if who else "")
    plain = replace(finding, must_answer=None, places=None, asks=None)
    return replace(plain, severity="note", message=said, mends=())


def numbered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings with their ids, the most serious first."""
    seen: Counter[tuple[str, tuple[str, ...]]] = Counter()
    made = []
    for finding in findings:
        made.append(finding.numbered(seen[finding.kind, finding.columns]))
        seen[finding.kind, finding.columns] += 1
    return in_order(made)


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The most serious first, otherwise as they came."""
    return tuple(sorted(findings, key=lambda one: SEVERITIES.index(one.severity)))
