"""Answers as JSON, and as plain text that people read in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fmstudio.cli.plain import one_line, when
from fmstudio.cli.run_text import runs_text
from fmstudio.present.outcomes import named, towards_positive
from fmstudio.present.text import columns
from fmstudio.present.values import NOTHING, number, percent
from fmstudio.records import AdapterSummary, CohortRecord, ProjectRecord, RunSummary
from fmstudio.results.audit import CohortAudit
from fmstudio.types import Prediction

if TYPE_CHECKING:
    from fmstudio.checkpoints.compatibility import Verdict
    from fmstudio.runs.additions import Addition
    from fmstudio.studio.bases import Entry
    from fmstudio.studio.sample import Sample


def projects_text(projects: Sequence[ProjectRecord]) -> str:
    """The list of projects."""
    rows = [(p.name, p.task.kind, _some(p.task.labels), when(p.created_at)) for p in projects]
    return columns(("project", "task", "labels", "made"), rows)


def _some(names: Sequence[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more or NOTHING


def project_text(
    project: ProjectRecord,
    cohort: CohortRecord | None,
    runs: Sequence[RunSummary],
    adapters: Sequence[AdapterSummary],
) -> str:
    """A project with what it has."""
    task = project.task
    lines = [
        f"{project.name}: {task.kind}, {', '.join(task.labels) or 'labels not known yet'}",
        *([task.description] if task.description else []),
        *([] if task.moment is None else [f"predicts {task.moment:g} h after the beginning"]),
        "",
        "Cohort",
        "  none yet" if cohort is None else f"  {cohort.name}",
        "",
        "Runs",
        runs_text(runs),
        "",
        "Adapters",
        adapters_text(adapters),
    ]
    return "\n".join(lines)


def cohorts_text(records: Sequence[CohortRecord]) -> str:
    """The list of cohorts."""
    rows = [(r.id, r.name, number(r.audit.cases), when(r.created_at)) for r in records]
    return columns(("cohort", "name", "cases", "added"), rows)


def cohort_text(record: CohortRecord, done: str = "Added") -> str:
    """A cohort that was just added, cleaned, or taken again."""
    roles = columns(("column", "role"), list(record.roles.items()))
    return f"{done} the cohort '{record.name}'.\n\n{report_text(record.audit)}\n\n{roles}"


def report_text(report: CohortAudit) -> str:
    """The report on a cohort."""
    lines = [f"{report.cases} cases of {report.patients} patients"]
    for part in ("modalities", "labels", "splits"):
        counts = ", ".join(f"{name} {count}" for name, count in getattr(report, part).items())
        lines.append(f"{part}: {counts}")
    lines += [f"remark: {remark}" for remark in report.remarks]
    for finding in report.findings:
        mark = f" [{finding.id}]" if finding.id else ""
        gate = " (to be answered before training)" if finding.must_answer else ""
        lines += [f"{finding.severity}{mark}{gate}: {finding.message}", f"  {finding.fix}"]
        for asked in finding.asks or ():
            likely = f" Likely: {', '.join(asked.choices)}." if asked.choices else ""
            lines.append(f"  {asked.option} {asked.form}: {asked.label}{likely}")
        lines += [f"  way {n}: {way.label}" for n, way in enumerate(finding.mends, start=1)]
    return "\n".join(lines)


def catalogue_text(known: Sequence[Entry]) -> str:
    """The list of bases and encoders."""
    rows = [
        (
            one.name,
            one.what,
            ", ".join(one.kinds),
            f"{one.parameters / 1e6:.1f} M",
            f"{one.size_mb:.0f} MB",
            one.licence + (", gated" if one.gated else ""),
            one.adapters,
        )
        for one in known
    ]
    header = ("name", "is a", "kind of data", "parameters", "size", "licence", "adapters")
    return columns(header, rows)


def verdict_text(verdict: Verdict) -> str:
    """What was looked at and found, one line each."""
    rows = [(check.what, check.found, check.hint) for check in verdict.checks]
    revision = f" at revision {verdict.revision[:12]}" if verdict.revision else ""
    return f"It can be added{revision}.\n" + columns(("checked", "found", ""), rows)


def addition_line(attempt: Addition) -> str:
    """How much of a checkpoint was fetched."""
    return f"{attempt.source}: {attempt.done_mb:.0f} of {attempt.total_mb:.0f} MB"


def prediction_text(prediction: Prediction, task: Mapping[str, Any]) -> str:
    """The answer to one case of `task` and what it rests on."""
    if prediction.task == "regression":
        lines = [f"{prediction.value:.4g}"]
        if prediction.interval:
            low, high = prediction.interval
            lines += [f"between {low:.4g} and {high:.4g} for {prediction.coverage or 0.9:.0%}"]
    elif prediction.task == "binary":
        lines = [f"{named(label, task)}: {percent(p)}" for label, p in _positive_first(prediction)]
    else:
        chosen = prediction.prediction
        lines = [", ".join(chosen) if isinstance(chosen, list) else str(chosen)]
        lines += [f"  {label}: {percent(p)}" for label, p in prediction.probabilities.items()]
    contributions, _ = towards_positive(prediction)
    lines += ["Contributions"]
    lines += [f"  {name}: {value:+.3f}" for name, value in contributions.items()]
    lines += [f"Based on: {', '.join(prediction.used)}"]
    if prediction.missing:
        lines += [f"Not given: {', '.join(prediction.missing)}"]
    lines += [f"Remark: {line}" for line in prediction.remarks]
    lines += [f"Warning: {line}" for line in prediction.warnings]
    return "\n".join(lines)


def _positive_first(prediction: Prediction) -> list[tuple[str, float]]:
    """Label and probability of both outcomes of a binary task."""
    return list(prediction.probabilities.items())[::-1]


def adapters_text(adapters: Sequence[AdapterSummary]) -> str:
    """The list of adapters."""
    rows = [(a.id, a.name, ", ".join(a.aliases) or NOTHING, when(a.created_at)) for a in adapters]
    return columns(("adapter", "name", "aliases", "made"), rows)


def sample_text(sample: Sample) -> str:
    """What the sample offers to try."""
    return (
        f"The sample project '{sample.project.name}' is there, with the adapter {sample.adapter}.\n"
        f"Try its case {sample.case_id} on the page Predict."
    )


def audit_text(found: Mapping[str, Any]) -> str:
    """The event log, oldest first."""
    rows = [(e.id, when(e.at), e.kind, e.subject) for e in found["events"]]
    state = (
        "The chain is whole."
        if found["whole"]
        else f"The chain is broken at line {found['first_broken']}: the log was changed by hand."
    )
    return columns(("line", "when", "what", "of"), rows) + "\n" + state


def doctor_text(found: Mapping[str, Any]) -> str:
    """What is here, what is missing and how to get it, what is found and what to do."""
    lines = []
    for part, facts in found.items():
        if part in ("missing", "findings"):
            continue
        lines.append(part)
        shown = facts.items() if isinstance(facts, Mapping) else [("", facts)]
        lines += [f"  {name}: {one_line(value)}" for name, value in shown]
    lines.append("missing")
    lines += [f"  {item['what']}: {item['get']}" for item in found["missing"]] or ["  nothing"]
    lines.append("found in the home folder")
    lines += [f"  {item['what']} {item['do']}" for item in found["findings"]] or ["  nothing"]
    return "\n".join(lines)
