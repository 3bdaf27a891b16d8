"""Every real cohort of ../shared/data through the commands, from manifest to a second home.

For each: project create, cohort add, finetune with the quick preset, evaluate, export, verify,
import into another home, and a batch of predictions in both homes, which must be the same.
Figures are on held-out patients.
"""

from __future__ import annotations

import csv
import shutil
import statistics
import tempfile
import time
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.command import ROOT, studio

TITLE = "Real cohorts"
DATA = ROOT.parent / "shared" / "data"
COMPARED = 12  # cases predicted in both homes
RUNGS = ("baseline: gradient boosting on table", "probe", "lora", "lora: trunk")
HEADLINES = ("auroc", "macro_auroc", "r2")


@dataclass(frozen=True)
class Question:
    """What is asked of one cohort. `known` are scikit-learn's AUROCs of the folder's INDEX.md.

    `ignore` are columns that give the outcome away or say how the data were collected.
    """

    folder: str
    labels: tuple[str, ...]
    known: str
    task: str = "binary"
    ignore: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()


QUESTIONS = {
    "covid_cxr": Question(
        "covid_cxr",
        ("label_covid",),
        "image .70, table .63, note .83",
        ignore=("finding", "survival", "went_icu", "intubated", "license"),
    ),
    "circor_heart_sounds": Question(
        "circor_heart_sounds",
        ("label_murmur",),
        "sound .77, table .54, both .77",
        ignore=("campaign", "META_murmur_locations_LEAKY", "META_systolic_grading_LEAKY"),
    ),
    "physionet2012_icu": Question(
        "physionet2012_icu",
        ("label_in_hospital_death",),
        "table .69, signals .83, both .84",
        ignore=(
            "SCORE_saps1",
            "SCORE_sofa",
            "OUTCOME_los_days_LEAKY",
            "OUTCOME_survival_days_LEAKY",
        ),
    ),
    "pocus_lung_ultrasound": Question(
        "pocus_lung_ultrasound",
        ("label_pathological",),
        "video .88, table .76, note .99",
        ignore=(
            "n_frames",
            "label",
            "sign_effusion",
            "sign_consolidation",
            "sign_b_lines",
            "sign_a_lines",
            "sign_pleural_irregularity",
            "license",
            "source_filename_LEAKY",
            "source_url",
        ),
    ),
    "shanghai_diabetes_cgm": Question(
        "shanghai_diabetes_cgm",
        ("label_any_complication",),
        "glucose .70, table .87, note .91",
        ignore=(
            "label_macrovascular",
            "label_microvascular",
            "label_type1",
            "label_hypoglycemia",
            "COMPL_text_LEAKY",
            "REC_n_readings_LEAKY",
        ),
    ),
    "shanghai_diabetes_cgm_multilabel": Question(
        "shanghai_diabetes_cgm",
        ("label_macrovascular", "label_microvascular", "label_type1", "label_hypoglycemia"),
        "",
        task="multilabel",
        ignore=("label_any_complication", "COMPL_text_LEAKY", "REC_n_readings_LEAKY"),
    ),
    "depresjon_actigraphy": Question(
        "depresjon_actigraphy",
        ("label_depressed",),
        "signal .85, table .60",
        ignore=(
            "n_minutes",
            "REC_days_LEAKY",
            "MADRS_start_LEAKY",
            "MADRS_end_LEAKY",
            "afftype_LEAKY",
            "inpatient_LEAKY",
            "edu",
            "marriage_LEAKY",
            "work_LEAKY",
            "source_id_LEAKY",
        ),
    ),
    "mts_dialog_notes": Question(
        "mts_dialog_notes",
        ("label_section",),
        "TF-IDF .95–.97",
        task="multiclass",
        ignore=("orig_split",),
    ),
    "pneumoniamnist_28": Question(
        "pneumoniamnist_28",
        ("label_pneumonia",),
        "image .97",
        ignore=("orig_split",),
    ),
    "donateacry_negative_control": Question(
        "donateacry_negative_control",
        ("label_hungry",),
        "sound .52–.58 (a control)",
        ignore=("reason",),
    ),
}


def measure(options: Namespace, before: Mapping[str, Any]) -> dict[str, Any]:
    """A row for each cohort asked for, beside the rows of earlier runs."""
    found = dict(before)
    for name in options.cohort or QUESTIONS:
        if name not in QUESTIONS:
            raise SystemExit(f"There is no cohort '{name}'; choose from {', '.join(QUESTIONS)}")
        found[name] = _story(QUESTIONS[name], options)
        print(f"{name}: {found[name]}", flush=True)
    return {name: found[name] for name in QUESTIONS if name in found}


def real_project(home: Path, name: str, question: Question, manifest: Path | None = None) -> None:
    """A project on a real cohort, or on another manifest of its files."""
    manifest = manifest or DATA / question.folder / "manifest.csv"
    labels = [word for label in question.labels for word in ("--label", label)]
    studio(home, "project", "create", name, "--task", question.task, *labels)
    roles = [f"{column}=ignore" for column in question.ignore] + list(question.roles)
    words = [word for role in roles for word in ("--role", role)]
    studio(home, "cohort", "add", name, manifest, *words)


def _story(question: Question, options: Namespace) -> dict[str, Any]:
    manifest = DATA / question.folder / "manifest.csv"
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        home, other = Path(folder, "home"), Path(folder, "other")
        real_project(home, "study", question)
        epochs = () if options.epochs is None else ("--epochs", str(options.epochs))
        result = studio(home, "finetune", "study", "--preset", "quick", *epochs)
        again = studio(home, "evaluate", result["adapter"])
        bundle = Path(folder, "bundle.zip")
        studio(home, "export", result["adapter"], bundle)
        studio(other, "verify", bundle)
        taken = studio(other, "import", bundle, "--project", "study")
        few = _first_cases(manifest, Path(folder, "few"))
        answers = [
            _predictions(place, adapter, few, Path(folder, f"{place.name}.csv"))
            for place, adapter in ((home, result["adapter"]), (other, taken["adapter"]))
        ]
    return (
        _row(result)
        | _calibrated(again)
        | {
            "n": result["n"],
            "same_evaluation": _same(again["metrics"], result["metrics"]),
            "same_predictions": answers[0] == answers[1],
            "whole_seconds": time.perf_counter() - started,
        }
    )


def _same(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Whether figures agree to 1e-4: merged into the base, an adapter rounds in other places."""
    return a.keys() == b.keys() and all(
        abs(a[name][end] - b[name][end]) < 1e-4
        for name in a
        for end in ("value", "low", "high")
        if a[name][end] is not None
    )


def _first_cases(manifest: Path, folder: Path) -> Path:
    """The first cases of a cohort with their files in a folder of their own: its manifest."""
    folder.mkdir()
    with manifest.open(newline="", encoding="utf-8") as file:
        rows = [row for _, row in zip(range(COMPARED + 1), csv.reader(file), strict=False)]
    for cell in {each.strip() for row in rows[1:] for text in row for each in text.split(";")}:
        # A cell that is a path names a file beside the manifest; notes are longer than any path.
        if 0 < len(cell) < 200 and (manifest.parent / cell).is_file():
            (folder / cell).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(manifest.parent / cell, folder / cell)
    target = folder / "manifest.csv"
    with target.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return target


def _predictions(home: Path, adapter: str, manifest: Path, out: Path) -> list[list[str]]:
    studio(home, "predict", adapter, "--manifest", manifest, "--out", out)
    with out.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def _row(result: Mapping[str, Any]) -> dict[str, Any]:
    headline = next(name for name in HEADLINES if name in result["metrics"])
    ladder = {each["name"]: each[headline] for each in result["ladder"]}
    singles = [each for each in result["subsets"] if len(each["modalities"]) == 1]
    wanted = (result.get("fusion") or {}).get("best_single")
    best = next((each for each in singles if each["modalities"] == [wanted]), None)
    return {
        "headline": headline,
        "fused": result["metrics"][headline],
        "chosen": result["chosen"],
        "reason": result["reason"],
        "ladder": ladder,
        "subsets": len(result["subsets"]),
        "verdict": (result.get("fusion") or {}).get("verdict"),
        "best_single": best and {"modality": wanted, headline: best[headline]},
        "gain": (result.get("fusion") or {}).get("gain"),
        "seconds": result["seconds"],
        "peak_memory_mb": result["peak_memory_mb"],
    }


def _calibrated(judged: Mapping[str, Any]) -> dict[str, Any]:
    """The expected calibration error before and after calibrating on validation patients; for
    several labels their mean."""
    parts = judged["calibration"].get("by_label", {"": judged["calibration"]}).values()
    rows = [part["recalibration"]["methods"] for part in parts if "recalibration" in part]
    before = [row[0]["ece"]["value"] for row in rows if row[0]["method"] == "before calibration"]
    return {
        "ece_before": statistics.mean(before) if before else None,
        "ece": judged["metrics"].get("ece"),
    }


def section(found: Mapping[str, Any]) -> str:
    """The part's page."""
    lines = [
        "| cohort (test cases) | kept | boosting | probe | LoRA | deeper "
        "| best single modality | fusion, subsets | ECE before → after | known "
        "| prepare, train, s |",
        "|" + "---|" * 11,
    ]
    for name, row in found.items():
        single = row["best_single"]
        alone = f"{single['modality']} {_figure(single[row['headline']])}" if single else "–"
        seconds = row["seconds"]
        lines.append(
            f"| {name} ({row['n']['test']}) | {_figure(row['fused'])} ({row['chosen']}) "
            f"| {' | '.join(_figure(row['ladder'].get(rung)) for rung in RUNGS)} "
            f"| {alone} | {row['verdict'] or '–'}, {row['subsets']} "
            f"| {_number(row['ece_before'])} → {_figure(row['ece'])} | {QUESTIONS[name].known} "
            f"| {seconds['prepare']:.0f}, {seconds['train']:.0f} |"
        )
    same = sum(row["same_predictions"] and row["same_evaluation"] for row in found.values())
    return (
        "\n".join(lines)
        + "\n\nAUROC (macro AUROC for several classes or labels) with 95 % intervals over "
        "resampled patients. *Known* are cross-validated AUROCs of scikit-learn on handcrafted "
        "features, from INDEX.md of the data. Evaluated again and predicted alike in a second "
        f"home: {same} of {len(found)}."
    )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _figure(figure: Mapping[str, Any] | None) -> str:
    if not figure or figure["value"] is None:
        return "–"
    if figure["low"] is None:
        return f"{figure['value']:.2f}"
    return f"{figure['value']:.2f} ({figure['low']:.2f}–{figure['high']:.2f})"
