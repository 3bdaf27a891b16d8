"""Answers as JSON, and as plain text that people read in a terminal."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmstudio.present.values import interval
from fmstudio.records import AdapterRecord, CohortRecord, ProjectRecord, RunRecord
from fmstudio.types import Interval, Prediction

if TYPE_CHECKING:
    from fmstudio.model.compatibility import Verdict
    from fmstudio.runs.additions import Addition
    from fmstudio.studio.catalogue import Entry
    from fmstudio.studio.sample import Sample


def as_json(value: Any) -> str:
    """Any answer as one JSON document; null for a number that cannot be computed."""
    return json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False)


def plain(value: Any) -> Any:
    """A record, or anything made of records, as what JSON knows."""
    if isinstance(value, Interval):
        return value.as_dict()
    if is_dataclass(value) and not isinstance(value, type):
        return plain({name: getattr(value, name) for name in value.__dataclass_fields__})
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return value.name
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def table(header: Sequence[str], rows: Sequence[Sequence[Any]], empty: str = "None yet.") -> str:
    """Columns side by side, or `empty` if there are no rows."""
    if not rows:
        return empty
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = ("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)


def record_text(record: Any) -> str:
    """Any record, one field a line; what is nested as JSON."""
    lines = []
    for name, value in plain(record).items():
        nested = isinstance(value, (dict, list))
        shown = json.dumps(value, ensure_ascii=False, indent=2) if nested else value
        lines.append(f"{name}: {'-' if shown is None else shown}")
    return "\n".join(lines)


def when(moment: datetime | None) -> str:
    """A moment in the reader's own time zone."""
    return "-" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M")


def projects_text(projects: Sequence[ProjectRecord]) -> str:
    """The list of projects."""
    rows = [(p.name, p.task.kind, _some(p.task.labels), when(p.created_at)) for p in projects]
    return table(("project", "task", "labels", "made"), rows)


def _some(names: Sequence[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more or "-"


def project_text(
    project: ProjectRecord,
    cohort: CohortRecord | None,
    runs: Sequence[RunRecord],
    adapters: Sequence[AdapterRecord],
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
    rows = [(r.id, r.name, r.summary.get("cases", "-"), when(r.created_at)) for r in records]
    return table(("cohort", "name", "cases", "added"), rows)


def cohort_text(record: CohortRecord, done: str = "Added") -> str:
    """A cohort that was just added, mended, or taken again."""
    roles = table(("column", "role"), list(record.roles.items()))
    return f"{done} the cohort '{record.name}'.\n\n{report_text(record.summary)}\n\n{roles}"


def report_text(report: Mapping[str, Any]) -> str:
    """The report on a cohort."""
    lines = [f"{report['cases']} cases of {report['patients']} patients"]
    for part in ("modalities", "labels", "splits"):
        counts = ", ".join(f"{name} {_count(value)}" for name, value in report[part].items())
        lines.append(f"{part}: {counts}")
    lines += [f"remark: {remark}" for remark in report.get("remarks", [])]
    for finding in report["findings"]:
        mark = f" [{finding['id']}]" if "id" in finding else ""
        gate = " (to be answered before training)" if finding.get("must_answer") else ""
        lines += [
            f"{finding['severity']}{mark}{gate}: {finding['message']}",
            f"  {finding['fix']}",
        ]
        for asked in finding.get("asks", []):
            option = "--" + asked["key"].replace("_", "-")
            likely = f" Likely: {', '.join(asked['choices'])}." if asked["choices"] else ""
            lines.append(f"  {option} {asked['form']}: {asked['label']}{likely}")
        ways = finding.get("mends", [])
        lines += [f"  way {n}: {way['label']}" for n, way in enumerate(ways, start=1)]
    return "\n".join(lines)


def _count(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)


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
            len(one.used_by),
        )
        for one in known
    ]
    header = ("name", "is a", "kind of data", "parameters", "size", "licence", "adapters")
    return table(header, rows)


def verdict_text(verdict: Verdict) -> str:
    """What was looked at and found, one line each."""
    rows = [(check.what, check.found, check.hint) for check in verdict.checks]
    revision = f" at revision {verdict.revision[:12]}" if verdict.revision else ""
    return f"It can be added{revision}.\n" + table(("checked", "found", ""), rows)


def addition_line(attempt: Addition) -> str:
    """How much of a checkpoint was fetched."""
    return f"{attempt.source}: {attempt.done_mb:.0f} of {attempt.total_mb:.0f} MB"


def runs_text(runs: Sequence[RunRecord]) -> str:
    """The list of runs."""
    rows = [
        (r.id, r.status, f"{r.progress.fraction:.0%}", r.adapter_id or "-", when(r.created_at))
        for r in runs
    ]
    return table(("run", "status", "done", "adapter", "made"), rows)


def run_text(run: RunRecord) -> str:
    """A run as it stands."""
    lines = [f"{run.id}: {run.status}", progress_line(run)]
    if run.error:
        lines += [f"error: {run.error}", f"hint: {run.hint or '-'}"]
    if run.result:
        lines += ["", result_text(run.result)]
    return "\n".join(lines)


def progress_line(run: RunRecord) -> str:
    """How far a run is, in one line."""
    progress = run.progress
    line = f"{run.id} {progress.fraction:4.0%} {progress.stage or run.status}"
    if progress.epochs:
        line += f", epoch {progress.epoch} of {progress.epochs}"
    return line


def judged_on(result: Mapping[str, Any]) -> str:
    """Whom the figures are about."""
    found = result.get("overlap")
    if found is None:
        return "on held-out patients"
    if found["rows"] is None and found["files"] is None and found["patients"] is None:
        return f"on {result['manifest']}"
    return f"on {result['manifest']}, cases not trained on"


def overlap_lines(result: Mapping[str, Any]) -> list[str]:
    """How many cases of a manifest the adapter was trained on."""
    found = result.get("overlap")
    if found is None:
        return []
    known = [
        f"{found[what]} {what}" for what in ("patients", "files", "rows") if found[what] is not None
    ]
    if not known:
        return [
            "Whether the adapter was trained on any of these cases is not known: it was made "
            "before that was kept. Do not call them held-out patients."
        ]
    lines = [
        f"Trained on before, and left out here: {found['cases']} cases "
        f"({', '.join(known)} in common)."
    ]
    if not found["ids_known"]:
        lines += ["Patients could not be compared by their ids, only by files and rows."]
    if found["plain_rows"]:
        lines += [
            f"{found['plain_rows']} rows of the training are too plain to be distinguished "
            "from those of others."
        ]
    return lines


def result_text(result: Mapping[str, Any]) -> str:
    """Metrics, the ladder of models and the value of each modality; of a new base its worth."""
    if "parent" in result:
        return base_result_text(result)
    lines = []
    if result.get("adapter"):
        lines += [f"Adapter {result['adapter']}"]
    if result.get("n"):
        lines += ["Cases: " + ", ".join(f"{k} {v}" for k, v in _counts(result["n"]))]
    metrics = [(name, interval(value)) for name, value in result.get("metrics", {}).items()]
    lines += ["", table((judged_on(result), "value (95 % interval)"), metrics, "No metrics.")]
    lines += overlap_lines(result)
    if result.get("ladder"):
        lines += [
            "",
            table(("model", "score", "seconds"), [_candidate(r) for r in result["ladder"]]),
        ]
        lines += [f"Chosen: {result.get('chosen', '-')}"]
    lines += _tried(result)
    if len(result.get("subsets") or ()) > 2:  # of one modality there is nothing to compare
        most = max(len(s["modalities"]) for s in result["subsets"])
        told = (1, most - 1, most)  # with six modalities there are 63 subsets
        few = [s for s in result["subsets"] if len(s["modalities"]) in told]
        rows = [(" + ".join(s["modalities"]), s["n"], _score(s)) for s in few]
        lines += ["", table(("modalities", "cases", "score"), rows)]
    if result.get("fusion"):
        fusion = result["fusion"]
        lines += [
            f"Fusion against the best single modality ({fusion['best_single']}): "
            f"{interval(fusion['gain'])}, {fusion['verdict']}."
        ]
    return "\n".join(lines).strip()


def _tried(result: Mapping[str, Any]) -> list[str]:
    """What the search tried and what became of the seeds, a line each."""
    lines, found = [], result.get("search")
    if found:
        best = found["trials"][found["best"]]
        used = ", ".join(f"{name} {_short(value)}" for name, value in best["settings"].items())
        lines.append(
            f"Search: {len(found['trials'])} sets of settings tried, used: {used} "
            f"(loss {_loss(best['loss'])})"
        )
    for name, soup in (result.get("seeds") or {}).items():
        alone = f"alone {min(soup['losses']):.3f} to {max(soup['losses']):.3f}"
        which, averaged = ("average", "") if soup["averaged"] else ("best", " averaged")
        lines.append(
            f"Seeds of {name}: the {which} of {len(soup['losses'])} kept "
            f"(loss {_loss(soup['averaged_loss'])}{averaged}, {alone})"
        )
    return lines


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _loss(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def base_result_text(result: Mapping[str, Any]) -> str:
    """What pretraining has made, from how many cases, and what it is worth."""
    counts = ", ".join(f"{name} {count}" for name, count in result["n"].items())
    lines = [
        f"Base {result['base']}, from {result['parent']}",
        f"Learned from {result['learned_from']} cases: {counts}",
        "",
        before_after_text(result["verdict"]),
        "",
        table(
            ("curve", "first", "last"), [(name, *ends) for name, ends in result["curves"].items()]
        ),
    ]
    groups = result.get("groups")
    if groups:
        rows = [(g["group"] + 1, g["cases"], ", ".join(g["nearest"][:3])) for g in groups["groups"]]
        lines += ["", table(("group", "cases", "most typical"), rows)]
        lines += [f"Groups over several seeds agree to {groups['stability']:.2f} of 1."]
    return "\n".join([*lines, "", f"Next: finetune PROJECT --base {result['base']}"])


def before_after_text(judged: Mapping[str, Any]) -> str:
    """The verdict on a new base in a sentence."""
    if judged["verdict"] is None:
        return f"Not evaluated: {judged['reason']}"
    words = {
        "better": "The new base is better on the held-out patients",
        "worse": "The new base is worse on the held-out patients",
        "no evidence": "No evidence that the new base is better or worse",
    }[judged["verdict"]]
    return (
        f"{words}: {judged['metric']} of the probe {interval(judged['before'])} before, "
        f"{interval(judged['after'])} after, gain {interval(judged['gain'])}."
    )


def _counts(n: Any) -> list[tuple[str, Any]]:
    return list(n.items()) if isinstance(n, Mapping) else [("all", n)]


def _score(entry: Mapping[str, Any]) -> str:
    """The one figure of an entry, whatever its name is."""
    return next((interval(v) for v in entry.values() if isinstance(v, Mapping)), "-")


def _candidate(entry: Mapping[str, Any]) -> tuple[str, str, str]:
    return entry["name"], _score(entry), f"{entry.get('seconds', 0.0):.1f}"


def prediction_text(prediction: Prediction) -> str:
    """The answer to one case and what it rests on."""
    if prediction.task == "regression":
        lines = [f"{prediction.value:.4g}"]
        if prediction.interval:
            low, high = prediction.interval
            lines += [f"between {low:.4g} and {high:.4g} for {prediction.coverage or 0.9:.0%}"]
    else:
        chosen = prediction.prediction
        lines = [", ".join(chosen) if isinstance(chosen, list) else str(chosen)]
        lines += [f"  {label}: {p:.3f}" for label, p in prediction.probabilities.items()]
    lines += ["Contributions"]
    lines += [f"  {name}: {value:+.3f}" for name, value in prediction.contributions.items()]
    lines += [f"Based on: {', '.join(prediction.used)}"]
    if prediction.missing:
        lines += [f"Not given: {', '.join(prediction.missing)}"]
    lines += [f"Remark: {line}" for line in prediction.remarks]
    lines += [f"Warning: {line}" for line in prediction.warnings]
    return "\n".join(lines)


def adapters_text(adapters: Sequence[AdapterRecord]) -> str:
    """The list of adapters."""
    rows = [(a.id, a.name, ", ".join(a.aliases) or "-", when(a.created_at)) for a in adapters]
    return table(("adapter", "name", "aliases", "made"), rows)


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
    return table(("line", "when", "what", "of"), rows) + "\n" + state


def doctor_text(found: Mapping[str, Any]) -> str:
    """What is here, what is missing and how to get it, what is found and what to do."""
    lines = []
    for part, facts in found.items():
        if part in ("missing", "findings"):
            continue
        lines.append(part)
        shown = facts.items() if isinstance(facts, Mapping) else [("", facts)]
        lines += [f"  {name}: {_shown(value)}" for name, value in shown]
    lines.append("missing")
    lines += [f"  {item['what']}: {item['get']}" for item in found["missing"]] or ["  nothing"]
    lines.append("found in the home folder")
    lines += [f"  {item['what']} {item['do']}" for item in found["findings"]] or ["  nothing"]
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
