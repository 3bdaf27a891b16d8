"""Every real cohort of ../shared/data in five folds: each patient is held out once.

One held-out fifth of a small cohort tells little: intervals of AUROC are half as wide as the scale,
and fifty cases show a calibration error even where chances are right. Here the studio's answers to
all patients are judged together, and logistic regression and gradient boosting on handcrafted
features learn from the same training patients.

Shape letters: n cases.
"""

from __future__ import annotations

import csv
import shutil
import tempfile
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import frozen, rivals
from benchmarks.cohorts import DATA, HEADLINES, QUESTIONS, Question, real_project
from benchmarks.command import studio
from benchmarks.draws import Draw, Few, open_question
from fmstudio.cohort.splits import split_patients
from fmstudio.evaluation.labelled_predictions import HeldOut
from fmstudio.evaluation.metrics import figures_of, headline, mean_over, on_rows
from fmstudio.evaluation.resampling import Figure, intervals
from fmstudio.registry import Registry
from fmstudio.settings import load_settings
from fmstudio.types import TaskSpec

TITLE = "Real cohorts, every patient held out once"
FOLDS = 5
COLUMN = "benchmark_split"
LARGE = 500  # cases, from which on the calibration error is to be at most 0.05
RIVALS = ("logistic", "boosting")
CONTROL = "donateacry_negative_control"


@dataclass(frozen=True)
class Fold:
    """One fold: the studio's answers, its `finetune --json`, and what rivals say of the same test
    cases (n, …) by name."""

    held: HeldOut
    result: Mapping[str, Any]
    rivals: Mapping[str, np.ndarray]


def measure(options: Namespace, before: Mapping[str, Any]) -> dict[str, Any]:
    """A row for each cohort asked for, beside the rows of earlier runs."""
    found = dict(before)
    for name in options.cohort or QUESTIONS:
        started = time.perf_counter()
        row = row_of(in_folds(name, QUESTIONS[name], options))
        key = " ".join([name, *(_named(one) for one in options.encoder)])
        found[key] = row | {"whole_seconds": time.perf_counter() - started}
        print(f"{key}: {found[key]}", flush=True)
    order = list(QUESTIONS)
    return dict(sorted(found.items(), key=lambda one: (order.index(one[0].split()[0]), one[0])))


def _named(encoder: str) -> str:
    modality, _, folder = encoder.partition("=")
    return f"({modality}: {Path(folder).name})"


def in_folds(name: str, question: Question, options: Namespace) -> list[Fold]:
    """The cohort fine-tuned with the quick preset once for each fold, in a home of its own."""
    few = open_question(name, question)
    assert few is not None
    parts = _parts(few)
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        home, data = Path(folder, "home"), Path(folder, "data")
        shutil.copytree(DATA / question.folder, data)
        ran = [_run(home, data, question, few, parts, k, options) for k in range(FOLDS)]
        others = _rivals(few, parts, [held for held, _ in ran], home)
    return [Fold(held, result, other) for (held, result), other in zip(ran, others, strict=True)]


def _parts(few: Few) -> dict[str, int]:
    """Each patient's fold, stratified by label as the studio stratifies."""
    strata: dict[str, frozenset[Any]] = {}
    for case in few.cohort.cases:
        given = case.target if isinstance(case.target, tuple) else (case.target,)
        labels = frozenset((k, v) for k, v in enumerate(given) if v is not None and v == v)
        strata[case.patient_id] = strata.get(case.patient_id, frozenset()) | labels
    shares = {str(k): 1 / FOLDS for k in range(FOLDS)}
    return {patient: int(part) for patient, part in split_patients(strata, 0, shares).items()}


def _run(
    home: Path,
    data: Path,
    question: Question,
    few: Few,
    parts: Mapping[str, int],
    test: int,
    options: Namespace,
) -> tuple[HeldOut, dict[str, Any]]:
    """Test on one fold, validation on the next, training on the others."""
    names = {test: "test", (test + 1) % FOLDS: "validation"}
    split = {c.case_id: names.get(parts[c.patient_id], "train") for c in few.cohort.cases}
    manifest, project = data / f"fold-{test}.csv", f"fold-{test}"
    with (data / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with manifest.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*rows[0], COLUMN])
        writer.writeheader()
        writer.writerows(row | {COLUMN: split.get(row["case_id"], "train")} for row in rows)
    split_too = replace(question, roles=(*question.roles, f"{COLUMN}=split"))
    real_project(home, project, split_too, manifest)
    epochs = () if options.epochs is None else ("--epochs", str(options.epochs))
    encoders = [word for one in options.encoder for word in ("--encoder", one)]
    result = studio(home, "finetune", project, "--preset", "quick", *epochs, *encoders)
    with Registry.open(load_settings(home)) as registry:
        kept = registry.held_out(result["adapter"])
    assert kept is not None
    return HeldOut.from_dict(kept), result


def _rivals(
    few: Few, parts: Mapping[str, int], held: Sequence[HeldOut], home: Path
) -> list[dict[str, np.ndarray]]:
    """What scikit-learn says of each fold's test cases, from the same training patients."""
    if few.cohort.task.kind == "multilabel":
        return [{} for _ in held]
    row = {case.case_id: index for index, case in enumerate(few.cases)}
    made = rivals.Handcrafted(few, frozen.read(few, load_settings(home)))
    part = np.array([parts[patient] for patient in few.patients])
    found = []
    for k, own in enumerate(held):
        test = np.array([row[case_id] for case_id in own.test.case_ids])
        draw = Draw(k, test, np.flatnonzero(~np.isin(part, (k, (k + 1) % FOLDS))))
        linear, trees = made.matrices(draw)
        targets, count = few.targets[draw.pool], max(few.cohort.task.outputs, 2)
        patients = [few.patients[index] for index in draw.pool]
        said = {
            "logistic": rivals.logistic(linear[draw.pool], targets, patients, linear[test], count),
            "boosting": rivals.boosted(trees[draw.pool], targets, trees[test], count, k),
        }
        found.append({n: v if few.cohort.task.outputs > 1 else v[:, 1] for n, v in said.items()})
    return found


def row_of(folds: Sequence[Fold]) -> dict[str, Any]:
    """The figures of one cohort over all its patients."""
    first = folds[0]
    task = first.held.task
    name = headline(task)
    studio_says = [fold.held.test.outputs for fold in folds]
    own = _over_folds(task, folds, studio_says)
    figures: dict[str, Figure] = {"studio": own}
    for rival in first.rivals:
        other = _over_folds(task, folds, [fold.rivals[rival] for fold in folds])
        figures |= {rival: other, f"studio − {rival}": partial(_less, own, other)}
    ece = _pooled_error(task, folds, studio_says)
    figures |= {"ece": ece, "ece before": _pooled_error(task, folds, uncalibrated(folds))}
    patients = [f"{k} {p}" for k, fold in enumerate(folds) for p in fold.held.test.patients]
    found = intervals(figures, len(patients), patients)
    return {
        "n": len(patients),
        "headline": name,
        "figures": {key: figure.as_dict() for key, figure in found.items()},
        "chosen": [fold.result["chosen"] for fold in folds],
        "verdicts": [(fold.result["fusion"] or {}).get("verdict") for fold in folds],
        "ladder": _mean_ladder(folds),
        "single": _best_single(folds, name),
        "seconds": float(np.mean([sum(fold.result["seconds"].values()) for fold in folds])),
    }


def _less(first: Figure, second: Figure, weights: np.ndarray) -> np.ndarray:
    return first(weights) - second(weights)


def _over_folds(task: TaskSpec, folds: Sequence[Fold], outputs: Sequence[np.ndarray]) -> Figure:
    """The headline figure within each fold, in the mean: models of different folds need not speak
    of the same scale."""
    name, start, each = headline(task), 0, []
    for fold, own in zip(folds, outputs, strict=True):
        rows = np.arange(start, start + len(own))
        each.append(partial(on_rows, figures_of(task, fold.held.test.targets, own)[name], rows))
        start += len(own)
    return mean_over(each)


def _pooled_error(task: TaskSpec, folds: Sequence[Fold], outputs: Sequence[np.ndarray]) -> Figure:
    """Expected calibration error of all answers together."""
    targets = np.concatenate([fold.held.test.targets for fold in folds])
    return figures_of(task, targets, np.concatenate(outputs))["ece"]


def uncalibrated(folds: Sequence[Fold]) -> list[np.ndarray]:
    """The answers to test cases as they were trained."""
    return [fold.held.as_trained(fold.held.test.outputs) for fold in folds]


def _mean_ladder(folds: Sequence[Fold]) -> dict[str, float]:
    """Mean headline figure of each model that all folds have."""
    found: dict[str, list[float]] = {}
    for fold in folds:
        for each in fold.result["ladder"]:
            name = next(n for n in HEADLINES if n in each)
            found.setdefault(each["name"], []).append(each[name]["value"])
    return {name: float(np.mean(v)) for name, v in found.items() if len(v) == len(folds)}


def _best_single(folds: Sequence[Fold], name: str) -> dict[str, Any] | None:
    """The modality that does best alone in the mean of the folds, and fused minus that, with an
    interval from the paired intervals of the folds' own test patients."""
    alone: dict[str, list[float]] = {}
    for fold in folds:
        for each in fold.result["subsets"]:
            if len(each["modalities"]) == 1:
                alone.setdefault(each["modalities"][0], []).append(each[name]["value"])
    alone = {modality: v for modality, v in alone.items() if len(v) == len(folds)}
    if len(alone) < 2:
        return None
    best = max(alone, key=lambda modality: np.mean(alone[modality]))
    gains = [
        fold.result["metrics"][name]["value"] - own
        for fold, own in zip(folds, alone[best], strict=True)
    ]
    paired = [fold.result["fusion"]["gain"] for fold in folds]
    error = float(np.sqrt(sum((p["high"] - p["low"]) ** 2 for p in paired))) / len(folds) / 2
    gain = float(np.mean(gains))
    return {
        "modality": best,
        "value": float(np.mean(alone[best])),
        "gain": {"value": gain, "low": gain - error, "high": gain + error},
    }


def section(found: Mapping[str, Any]) -> str:
    """The part's page."""
    lines = [
        "| cohort (cases) | studio | kept | logistic regression | gradient boosting "
        "| studio − better of the two | best single modality | fused − it "
        "| ECE before → after | one run, s |",
        "|" + "---|" * 10,
    ]
    for name, row in found.items():
        figures, single = row["figures"], row["single"]
        known = [rival for rival in RIVALS if rival in figures]
        best = max(known, key=lambda rival: figures[rival]["value"], default=None)
        kept = ", ".join(f"{row['chosen'].count(k)} {k}" for k in dict.fromkeys(row["chosen"]))
        lines.append(
            f"| {name} ({row['n']}) | {_figure(figures['studio'])} | {kept} "
            f"| {_figure(figures.get('logistic'))} | {_figure(figures.get('boosting'))} "
            f"| {_signed(figures[f'studio − {best}']) if best else '–'} "
            f"| {single['modality'] + ' ' + format(single['value'], '.3f') if single else '–'} "
            f"| {_signed(single['gain']) if single else '–'} "
            f"| {figures['ece before']['value']:.3f} → {_figure(figures['ece'])} "
            f"| {row['seconds']:.0f} |"
        )
    large = {
        n: row["figures"]["ece"]["value"]
        for n, row in found.items()
        if n in QUESTIONS and row["n"] >= LARGE
    }
    errors = ", ".join(f"{name} {value:.3f}" for name, value in large.items())
    return (
        "\n".join(lines)
        + "\n\nFive folds by patient: a fifth to test, a fifth to choose and calibrate with, three "
        "to learn from. (Macro) AUROC within each fold, in the mean, with 95 % intervals over "
        "patients; ECE over all answers together. Baselines are on handcrafted features of all "
        "modalities, from the same training patients. *Fused − it* has an interval from those of "
        "the folds. The embedded base has seen, without labels, three fifths of the patients of "
        "six of the cohorts (docs/base.md), some of whom are tested here.\n\n"
        f"{_against_rivals(found)} ECE with {LARGE} cases or more (at most 0.05): "
        f"{errors or 'none yet'}."
    )


def _against_rivals(found: Mapping[str, Any]) -> str:
    """The mean gain over each baseline and over the better of them, without the control."""
    rows = [
        row["figures"]
        for name, row in found.items()
        if name in QUESTIONS and name != CONTROL and RIVALS[0] in row["figures"]
    ]
    if not rows:
        return ""
    told = [
        f"{rival} {np.mean([row[f'studio − {rival}']['value'] for row in rows]):+.3f}"
        for rival in RIVALS
    ]
    better = [min(row[f"studio − {rival}"]["value"] for rival in RIVALS) for row in rows]
    return (
        f"Studio minus baseline, in the mean of {len(rows)} cohorts without the control: "
        f"{', '.join(told)}, the better of the two for each cohort **{np.mean(better):+.3f}**."
    )


def _figure(figure: Mapping[str, Any] | None) -> str:
    if not figure:
        return "–"
    return f"{figure['value']:.3f} ({figure['low']:.3f}–{figure['high']:.3f})"


def _signed(figure: Mapping[str, Any]) -> str:
    return f"{figure['value']:+.3f} ({figure['low']:+.3f} to {figure['high']:+.3f})"
