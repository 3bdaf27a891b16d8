"""The report on a cohort as it is made, completed, and acted upon."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fmstudio.errors import InputError, NotFound
from fmstudio.results.audit import CohortAudit
from fmstudio.results.finding import Finding, Step
from fmstudio.studio.libraries import load_libraries
from fmstudio.types import Cohort

if TYPE_CHECKING:
    from fmstudio.cohort import Manifest
    from fmstudio.cohort.audit.evidence import Evidence
    from fmstudio.studio.context import Context


def evidence_of(
    context: Context, manifest: Manifest, roles: Mapping[str, str], cohort: Cohort
) -> Evidence:
    """What the checks look at: every file is read once, or found in the cache."""
    from fmstudio.cohort.audit.evidence import Evidence
    from fmstudio.cohort.audit.input_summaries import read_digests, read_left_open
    from fmstudio.features.cache import Cache

    digests = read_digests(cohort, context.reader(), Cache.of(context.settings))
    left_open = read_left_open(cohort, context.reader(), digests)
    return Evidence(manifest, roles, cohort, digests, left_open=left_open)


def report_on(
    context: Context, manifest: Manifest, roles: Mapping[str, str], cohort: Cohort
) -> CohortAudit:
    """The report without the frozen base's opinion, which takes longer."""
    from fmstudio.cohort.audit import cohort_report

    return cohort_report(evidence_of(context, manifest, roles, cohort))


def probed(
    context: Context,
    report: CohortAudit,
    manifest: Manifest,
    roles: Mapping[str, str],
    cohort: Cohort,
) -> CohortAudit:
    """A report completed by the labels that the frozen base's probe contradicts."""
    load_libraries()
    from fmstudio.cohort.audit.audit import with_doubts
    from fmstudio.cohort.audit.evidence import Evidence
    from fmstudio.cohort.audit.label_check import doubts

    found = doubts(cohort, context.reader(), context.settings)
    return with_doubts(report, Evidence(manifest, roles, cohort), found)


def find(report: CohortAudit, finding: str) -> Finding:
    """A finding by its id, or by its kind where there is only one. Raises NotFound, InputError."""
    every = report.findings
    fitting = [one for one in every if finding in (one.id, one.kind)]
    if not fitting:
        known = ", ".join(f"{one.id} ({one.kind})" for one in every)
        raise NotFound(
            f"The report has no finding '{finding}'.",
            hint=f"It has: {known}." if known else "It has none at all.",
        )
    if len(fitting) > 1:
        raise InputError(
            f"{len(fitting)} findings are of the kind '{finding}'.",
            hint=f"Name one of them: {', '.join(one.id for one in fitting)}.",
        )
    return fitting[0]


def steps_of(finding: Finding, way: int | None) -> tuple[str, tuple[Step, ...]]:
    """(label, steps) of a way to resolve a finding, counted from 1; of the first if None.

    Raises InputError if it has no such way.
    """
    ways = finding.mends
    place = 1 if way is None else way
    if not 1 <= place <= len(ways):
        many = "no way" if not ways else "only 1 way" if len(ways) == 1 else f"{len(ways)} ways"
        raise InputError(
            f"The finding {finding.id} ({finding.kind}) has {many} to be resolved here.",
            hint=finding.fix,
        )
    return ways[place - 1].label, ways[place - 1].steps
