"""The report on a cohort as a fragment: counts, splits, what is missing, what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fmstudio.contracts import Pipeline
from fmstudio.ui.fragments import (  # fmt: skip
    Html,
    badge,
    bar,
    figures,
    join,
    section,
    table,
    tag,
    text,
)
from fmstudio.ui.wording import number, plural

SEVERITIES: Mapping[str, tuple[str, str]] = {
    "stop": ("Must be fixed", "stop"),
    "warning": ("Look at this", "warning"),
    "note": ("Note", "plain"),
}
SPLITS: Mapping[str, str] = {
    "train": "to learn from",
    "validation": "to choose and calibrate with",
    "test": "held out, to judge with",
}
_MOST_ROWS_NAMED = 12


def cohort_report(summary: Mapping[str, Any], pipelines: Sequence[Pipeline]) -> Html:
    """The JSON of `cohort report`, for people."""
    cases = int(summary.get("cases", 0))
    splits = {name: _count(value) for name, value in summary.get("splits", {}).items()}
    top = figures(
        [("cases", number(cases)), ("patients", number(summary.get("patients")))]
        + [(f"{name}: {SPLITS.get(name, 'cases')}", number(n)) for name, n in splits.items()]
    )
    left = join([section("What the cases hold"), modalities(summary, pipelines)])
    right = join([section("Outcome"), _labels(summary, cases)])
    halves = tag("div", join([tag("div", left), tag("div", right)]), "fm-halves")
    return join([top, halves, section("Findings"), findings(summary)])


def modalities(summary: Mapping[str, Any], pipelines: Sequence[Pipeline]) -> Html:
    """For each modality, in how many cases it is there."""
    cases = max(1, int(summary.get("cases", 0)))
    rows = []
    for pipeline in pipelines:
        count = _count(summary.get("modalities", {}).get(pipeline.name, 0))
        missing = f"{cases - count:,} without" if 0 < count < cases else ""
        missing = "in no case" if count == 0 else missing
        rows.append([
            text(pipeline.label), bar(count / cases, number(count)), tag("small", text(missing)),
        ])  # fmt: skip
    return table(["Modality", "Cases", ""], rows)


def _labels(summary: Mapping[str, Any], cases: int) -> Html:
    """How often each outcome occurs."""
    labels = summary.get("labels", {})
    if not labels:
        return tag("p", text("The outcome is a number."), "fm-note")
    rows = [
        [text(name), bar(_count(count) / max(1, cases), number(_count(count)))]
        for name, count in labels.items()
    ]
    return table(["Outcome", "Cases"], rows)


def findings(summary: Mapping[str, Any]) -> Html:
    """What was found, the most serious first, with the way to mend it."""
    order = list(SEVERITIES)
    found = sorted(
        summary.get("findings", []),
        key=lambda one: order.index(one["severity"]) if one["severity"] in order else len(order),
    )
    if not found:
        return tag("p", text("Nothing to complain about."), "fm-note")
    rows = []
    for finding in found:
        label, tone = SEVERITIES.get(finding["severity"], (finding["severity"], "plain"))
        fix = tag("div", tag("small", text(finding.get("fix", ""))))
        where = tag("small", text(_where(finding)))
        rows.append([badge(label, tone), join([text(finding["message"]), fix]), where])
    return table(["", "What was found, and what to do", "Where"], rows)


def _where(finding: Mapping[str, Any]) -> str:
    """The columns and rows of a finding; rows are counted from 1, the header left out."""
    columns = ", ".join(finding.get("columns", []))
    rows = [row + 1 for row in finding.get("rows", [])]
    named = ", ".join(str(row) for row in rows[:_MOST_ROWS_NAMED])
    more = f" and {len(rows) - _MOST_ROWS_NAMED} more" if len(rows) > _MOST_ROWS_NAMED else ""
    lines = [f"column {columns}" if columns else "", f"row {named}{more}" if rows else ""]
    return " · ".join(line for line in lines if line)


def stops(summary: Mapping[str, Any]) -> list[str]:
    """The findings that keep a cohort from being learned from."""
    return [one["message"] for one in summary.get("findings", []) if one["severity"] == "stop"]


def in_brief(summary: Mapping[str, Any]) -> str:
    """'300 cases of 262 patients'."""
    cases, patients = int(summary.get("cases", 0)), int(summary.get("patients", 0))
    return f"{plural(cases, 'case')} of {plural(patients, 'patient')}"


def _count(value: Any) -> int:
    """A count, whether given as a number or as {cases: …}."""
    if isinstance(value, Mapping):
        value = value.get("cases", value.get("n", 0))
    return int(value or 0)
