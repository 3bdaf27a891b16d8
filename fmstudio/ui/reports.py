"""The report on a cohort as a fragment: counts, splits, what is missing, what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fmstudio.contracts import Pipeline
from fmstudio.present.values import number
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
    summary: Mapping[str, Any],
    pipelines: Sequence[Pipeline],
    rows: Rows = lambda finding: [],
    pictures: Pictures = lambda finding: [],
) -> Html:
    """The JSON of `cohort report`, for people.

    `rows` gives the cells that a finding is about, `pictures` what it points to in pictures.
    """
    cases = int(summary.get("cases", 0))
    splits = {name: _count(value) for name, value in summary.get("splits", {}).items()}
    top = figures(
        [("cases", number(cases)), ("patients", number(summary.get("patients")))]
        + [(f"{name}: {SPLITS.get(name, 'cases')}", number(n)) for name, n in splits.items()]
    )
    left = join([section("What the cases hold"), modalities(summary, pipelines)])
    right = join([section("Outcome"), _labels(summary, cases)])
    halves = tag("div", join([tag("div", left), tag("div", right)]), "fm-halves")
    return join(
        [
            top,
            _moment(summary, pipelines),
            halves,
            section("Findings", in_words(summary)),
            findings(summary, rows, pictures=pictures),
        ]
    )


def _moment(summary: Mapping[str, Any], pipelines: Sequence[Pipeline]) -> Html:
    """When the project predicts, and what was left out because it came later."""
    stated = summary.get("moment")
    if not stated:
        return NOTHING
    late = [
        f"{pipeline.label} {number(stated['left_out'][pipeline.name])}"
        for pipeline in pipelines
        if pipeline.name in stated["left_out"]
    ]
    told = f"Later readings, left out: {', '.join(late)}." if late else "No reading is later."
    return notice(moment_of(stated["hours"]), told, "accent")


def modalities(summary: Mapping[str, Any], pipelines: Sequence[Pipeline]) -> Html:
    """For each modality, in how many cases it is there."""
    cases = max(1, int(summary.get("cases", 0)))
    rows = []
    for pipeline in pipelines:
        count = _count(summary.get("modalities", {}).get(pipeline.name, 0))
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


def stops(summary: Mapping[str, Any]) -> list[str]:
    """The findings that keep a cohort from being learned from until they are mended or answered."""
    return [
        one["message"]
        for one in summary.get("findings", [])
        if one["severity"] == "stop" or one.get("must_answer")
    ]


def in_brief(summary: Mapping[str, Any]) -> str:
    """'300 cases of 262 patients'."""
    cases, patients = int(summary.get("cases", 0)), int(summary.get("patients", 0))
    return f"{plural(cases, 'case')} of {plural(patients, 'patient')}"


def _count(value: Any) -> int:
    """A count, whether given as a number or as {cases: …}."""
    if isinstance(value, Mapping):
        value = value.get("cases", value.get("n", 0))
    return int(value or 0)
