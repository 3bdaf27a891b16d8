"""Runs and what came of them as text for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fmstudio.cli.plain import when
from fmstudio.present.text import columns
from fmstudio.present.values import NOTHING, interval, number
from fmstudio.records import RunRecord, RunSummary
from fmstudio.results.metrics import name_of
from fmstudio.results.search import Tried, read_tried


def runs_text(runs: Sequence[RunSummary]) -> str:
    """The list of runs."""
    rows = [
        (r.id, r.status, f"{r.progress.fraction:.0%}", r.adapter_id or NOTHING, when(r.created_at))
        for r in runs
    ]
    return columns(("run", "status", "done", "adapter", "made"), rows)


def run_text(run: RunRecord) -> str:
    """A run as it stands."""
    lines = [f"{run.id}: {run.status}", progress_line(run)]
    if run.error:
        lines += [f"error: {run.error}", f"hint: {run.hint or NOTHING}"]
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
    metrics = [
        (name_of(name), interval(value)) for name, value in result.get("metrics", {}).items()
    ]
    lines += ["", columns((judged_on(result), "value (95 % interval)"), metrics, "No metrics.")]
    lines += overlap_lines(result)
    if result.get("ladder"):
        lines += [
            "",
            columns(("model", "score", "seconds"), [_candidate(r) for r in result["ladder"]]),
        ]
        lines += [f"Chosen: {result.get('chosen') or NOTHING}"]
    lines += _tried(read_tried(result))
    if len(result.get("subsets") or ()) > 2:  # of one modality there is nothing to compare
        most = max(len(s["modalities"]) for s in result["subsets"])
        told = (1, most - 1, most)  # with six modalities there are 63 subsets
        few = [s for s in result["subsets"] if len(s["modalities"]) in told]
        rows = [(" + ".join(s["modalities"]), s["n"], _score(s)) for s in few]
        lines += ["", columns(("modalities", "cases", "score"), rows)]
    if result.get("fusion"):
        fusion = result["fusion"]
        lines += [
            f"Fusion against the best single modality ({fusion['best_single']}): "
            f"{interval(fusion['gain'])}, {fusion['verdict']}."
        ]
    return "\n".join(lines).strip()


def _tried(both: Tried) -> list[str]:
    """What the search tried and what became of the seeds, a line each."""
    lines, found = [], both.search
    if found:
        used = ", ".join(f"{name} {_short(n)}" for name, n in found.used.settings.items())
        lines.append(
            f"Search: {len(found.trials)} sets of settings tried, used: {used} "
            f"(loss {number(found.used.loss)})"
        )
    for name, each in (both.seeds or {}).items():
        alone = f"alone {min(each.losses):.3f} to {max(each.losses):.3f}"
        which, averaged = ("average", "") if each.averaged else ("best", " averaged")
        lines.append(
            f"Seeds of {name}: the {which} of {len(each.losses)} kept "
            f"(loss {number(each.averaged_loss)}{averaged}, {alone})"
        )
    return lines


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def base_result_text(result: Mapping[str, Any]) -> str:
    """What pretraining has made, from how many cases, and what it is worth."""
    counts = ", ".join(f"{name} {count}" for name, count in result["n"].items())
    lines = [
        f"Base {result['base']}, from {result['parent']}",
        f"Learned from {result['learned_from']} cases: {counts}",
        "",
        before_after_text(result["verdict"]),
        "",
        columns(
            ("curve", "first", "last"), [(name, *ends) for name, ends in result["curves"].items()]
        ),
    ]
    groups = result.get("groups")
    if groups:
        rows = [(g["group"] + 1, g["cases"], ", ".join(g["nearest"][:3])) for g in groups["groups"]]
        lines += ["", columns(("group", "cases", "most typical"), rows)]
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
        f"{words}: {name_of(judged['metric'])} of the probe {interval(judged['before'])} before, "
        f"{interval(judged['after'])} after, gain {interval(judged['gain'])}."
    )


def _counts(n: Any) -> list[tuple[str, Any]]:
    return list(n.items()) if isinstance(n, Mapping) else [("all", n)]


def _score(entry: Mapping[str, Any]) -> str:
    """The one figure of an entry, whatever its name is."""
    return next((interval(v) for v in entry.values() if isinstance(v, Mapping)), NOTHING)


def _candidate(entry: Mapping[str, Any]) -> tuple[str, str, str]:
    return entry["name"], _score(entry), f"{entry.get('seconds', 0.0):.1f}"
