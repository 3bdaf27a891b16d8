"""The report on a cohort as a fragment: counts, splits, what is missing, what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fmstudio.contracts import Pipeline
from fmstudio.present.outcomes import with_meaning
from fmstudio.present.values import number
from fmstudio.results.audit import CohortAudit, IndexTime
from fmstudio.types import TaskSpec
from fmstudio.ui.findings import Pictures, Rows, findings, in_words
from fmstudio.ui.fragments import (
    NOTHING,
    Html,
    bar,
    figures,
    join,
    notice,
    section,
    table,
    tag,
    text,
)
from fmstudio.ui.wording import moment_of, plural

SPLITS: Mapping[str, str] = {
    "train": "to learn from",
    "validation": "to choose and calibrate with",
    "test": "held out, for testing",
}


def cohort_report(
    audit: CohortAudit,
    pipelines: Sequence[Pipeline],
    task: TaskSpec,
    rows: Rows = lambda finding: [],
    pictures: Pictures = lambda finding: [],
) -> Html:
    """The data audit of a cohort for a task.

    `rows` gives the cells that a finding is about, `pictures` what it points to in pictures.
    """
    top = figures(
        [("cases", number(audit.cases)), ("patients", number(audit.patients))]
        + [(f"{name}: {SPLITS.get(name, 'cases')}", number(n)) for name, n in audit.splits.items()]
    )
    left = join([section("What the cases hold"), modalities(audit, pipelines)])
    right = join([section("Outcome"), _labels(audit, task)])
    halves = tag("div", join([tag("div", left), tag("div", right)]), "fm-halves")
    return join(
        [
            top,
            _moment(audit.moment, pipelines),
            halves,
            section("Findings", in_words(audit.findings)),
            findings(audit.findings, rows, pictures=pictures),
        ]
    )


def _moment(stated: IndexTime | None, pipelines: Sequence[Pipeline]) -> Html:
    """When the project predicts, and what was left out because it came later."""
    if stated is None:
        return NOTHING
    late = [
        f"{pipeline.label} {number(stated.left_out[pipeline.name])}"
        for pipeline in pipelines
        if pipeline.name in stated.left_out
    ]
    told = f"Later readings, left out: {', '.join(late)}." if late else "No reading is later."
    return notice(moment_of(stated.hours), told, "accent")


def modalities(audit: CohortAudit, pipelines: Sequence[Pipeline]) -> Html:
    """For each modality, in how many cases it is there."""
    cases = max(1, audit.cases)
    rows = []
    for pipeline in pipelines:
        count = audit.modalities.get(pipeline.name, 0)
        missing = f"{cases - count:,} without" if 0 < count < cases else ""
        missing = "in no case" if count == 0 else missing
        rows.append(
            [
                text(pipeline.label),
                bar(count / cases, number(count)),
                tag("small", text(missing)),
            ]
        )
    return table(["Modality", "Cases", ""], rows)


def _labels(audit: CohortAudit, task: TaskSpec) -> Html:
    """How often each outcome occurs."""
    rows = [
        [text(with_meaning(name, task)), bar(count / max(1, audit.cases), number(count))]
        for name, count in audit.labels.items()
    ]
    return table(["Outcome", "Cases"], rows)


def in_brief(audit: CohortAudit) -> str:
    """'300 cases of 262 patients'."""
    return f"{plural(audit.cases, 'case')} of {plural(audit.patients, 'patient')}"
