"""The figures of `bases` as Markdown: by cohort, and gains paired by cohort and seed."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from fmstudio.model.bases import RANDOM

CONTROL = "donateacry_negative_control"  # its label is hardly to be heard: left out of means
RESAMPLES = 4000
NORMAL = 1.96
Row = Mapping[str, Any]
Column = tuple[str, str, str]  # model, method, budget
Figures = dict[Column, dict[tuple[str, int], np.ndarray]]  # by cohort and seed: see `_unpacked`


def packed(resampled: np.ndarray) -> str:
    """AUROCs in [0, 1] as text, two bytes each."""
    return base64.b64encode((resampled * 65535).round().astype("<u2").tobytes()).decode()


def _unpacked(row: Row) -> np.ndarray:
    """A row's AUROC, and what it was with patients drawn anew: (1 + resamples,)."""
    stored = np.frombuffer(base64.b64decode(row["resampled"]), "<u2") / 65535
    return np.concatenate([[row["auroc"]], stored])


def _figures(rows: Iterable[Row]) -> Figures:
    found: Figures = {}
    for row in rows:
        column = (row["model"], row["method"], row["budget"])
        found.setdefault(column, {})[_cohort(row), row["seed"]] = _unpacked(row)
    return found


def _cohort(row: Row) -> str:
    return f"{row['cohort']} ({row['modalities']})"


def _mean(figures: Mapping[tuple[str, int], np.ndarray], cohort: str) -> float:
    own = [value[0] for (name, _), value in figures.items() if name == cohort]
    return float(np.mean(own)) if own else float("nan")


def _by_cohort(
    a: Mapping[tuple[str, int], np.ndarray], b: Mapping[tuple[str, int], np.ndarray]
) -> dict[str, np.ndarray]:
    """Differences a - b (seeds, 1 + resamples) by cohort, the control left out."""
    found: dict[str, list[np.ndarray]] = {}
    for key in sorted(a.keys() & b.keys()):
        if not key[0].startswith(CONTROL):
            found.setdefault(key[0], []).append(a[key] - b[key])
    return {name: np.array(values) for name, values in found.items()}


def _over_cohorts(differences: Mapping[str, np.ndarray]) -> tuple[float, float, float]:
    """Mean over cohorts, with a 95 % interval from drawing cohorts, and seeds within them, anew."""
    values = [each[:, 0] for each in differences.values()]
    draw = np.random.default_rng(0)
    means = [
        np.mean([draw.choice(values[c], len(values[c])).mean() for c in chosen])
        for chosen in draw.integers(len(values), size=(RESAMPLES, len(values)))
    ]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(np.mean([each.mean() for each in values])), float(low), float(high)


def _in_cohort(values: np.ndarray) -> tuple[float, float]:
    """Mean and half-width of the 95 % interval of differences (seeds, 1 + resamples).

    Two errors add up: that of the patients who happened to be held out, and that of the labels
    that happened to be drawn.
    """
    patients = values[:, 1:].mean(0).var()
    labels = values[:, 0].var(ddof=1) / len(values) if len(values) > 1 else 0.0
    return float(values[:, 0].mean()), float(NORMAL * np.sqrt(patients + labels))


def summary(rows: Sequence[Row]) -> list[str]:
    """One line a model for the terminal."""
    lines: dict[tuple[str, str], list[str]] = {}
    for (model, method, budget), own in _figures(rows).items():
        lines.setdefault((model, method), []).append(
            f"{budget} {np.mean([v[0] for v in own.values()]):.3f}"
        )
    return [f"{model}, {method}: {'  '.join(said)}" for (model, method), said in lines.items()]


def section(found: Mapping[str, Any]) -> str:
    """The part's page."""
    rows = found["rows"]
    if not rows:
        return "Nothing was measured."
    figures = _figures(rows)
    methods = [m for m in ("probe", "lora", "rival") if any(c[1] == m for c in figures)]
    parts = [_table(rows, figures, method) for method in methods]
    parts += [_gains(figures, method) for method in ("probe", "lora")]
    return "\n\n".join(part for part in parts if part)


def _table(rows: Sequence[Row], figures: Figures, method: str) -> str:
    title = {"probe": "Probe", "lora": "LoRA, quick preset", "rival": "Without a base"}[method]
    columns = [column for column in figures if column[1] == method]
    cohorts = list(dict.fromkeys(_cohort(row) for row in rows))
    sizes = {_cohort(r): (r["labels"], r["tested"]) for r in rows if r["budget"] == "all"}
    head = " | ".join(f"{model}, {budget}" for model, _, budget in columns)
    lines = [f"{title}:", "", f"| cohort (all labels, tested) | {head} |"]
    lines.append("|---" * (len(columns) + 1) + "|")
    for cohort in sorted(cohorts, key=lambda name: name.startswith(CONTROL)):
        means = [_mean(figures[column], cohort) for column in columns]
        size = f"; {sizes[cohort][0]}, {sizes[cohort][1]}" if cohort in sizes else ""
        lines.append(f"| {cohort}{size} | " + " | ".join(map(_figure, means)) + " |")
    kept = [name for name in cohorts if not name.startswith(CONTROL)]
    if kept:
        means = [_over([_mean(figures[c], name) for name in kept]) for c in columns]
        lines.append("| **mean without the control** | " + " | ".join(map(_figure, means)) + " |")
    return "\n".join(lines)


def _over(means: Sequence[float]) -> float:
    """The mean over cohorts that have a figure: boosting on the table needs a table."""
    known = [value for value in means if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def _figure(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.3f}"


def _gains(figures: Figures, method: str) -> str:
    """Every base minus random weights, and minus the rivals, label budget by label budget."""
    bases = dict.fromkeys(model for model, own, _ in figures if own == method)
    others = [(model, own) for model, own, _ in figures if own == "rival"]
    lines = []
    for base in bases:
        # Where the same architecture was measured with random weights, that is what to beat.
        untrained = next((n for n in (f"{RANDOM}:{base}", RANDOM) if n in bases), None)
        against = [(untrained, method)] if untrained and not base.startswith(RANDOM) else []
        for other in dict.fromkeys([*against, *others]):
            for budget in dict.fromkeys(column[2] for column in figures):
                a, b = figures.get((base, method, budget)), figures.get((*other, budget))
                differences = _by_cohort(a, b) if a and b else {}
                if differences:
                    mean, low, high = _over_cohorts(differences)
                    gain = f"{mean:+.3f} ({low:+.3f} to {high:+.3f})"
                    worse = _worse(differences)
                    lines.append(f"| {base} − {other[0]} | {budget} | {gain} | {worse} |")
    if not lines:
        return ""
    return (
        f"Mean gain in AUROC ({method}), paired by cohort and seed, with a 95 % interval from "
        "drawing cohorts and seeds anew; a cohort's own interval is over patients and seeds:\n\n"
        "| | labels | gain | cohorts worse by more than their interval |\n|---|---|---|---|\n"
        + "\n".join(lines)
    )


def _worse(differences: Mapping[str, np.ndarray]) -> str:
    found = []
    for name, values in differences.items():
        mean, half = _in_cohort(values)
        if mean + half < 0:
            found.append(f"{name.split(' (')[0]} {mean:+.3f} ± {half:.3f}")
    return ", ".join(found) or "none"
