"""How good the frozen features of a base are with few labels, beside what needs no base.

    python -m benchmarks.bases --base PATH --cohort NAME --kinds waveform --budgets 64 --json OUT

Every model sees the same held-out patients and the same labels, seed by seed, so that differences
are paired. OUT is added to: rows of earlier calls stay, and stand in the tables beside new ones.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
import warnings
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch

from benchmarks import bases_page, frozen, rivals
from benchmarks.cohorts import QUESTIONS
from benchmarks.draws import ALL, Draw, Few, names, open_question
from fmstudio.contracts import KINDS
from fmstudio.evaluation.calibration import probabilities
from fmstudio.evaluation.metrics import auroc
from fmstudio.model.bases import EMBEDDED, RANDOM
from fmstudio.settings import Settings, load_settings

TITLE = "Bases with few labels"
RESAMPLES = 100
BUDGETS = ("32", "64", "128", ALL)
Row = dict[str, Any]

section = bases_page.section


def measure(options: Namespace, before: Mapping[str, Any]) -> dict[str, Any]:
    """All cohorts, budgets and rivals, and LoRA, for the random and the embedded base."""
    asked = parser().parse_args(["--rivals", "--lora", ",".join(BUDGETS)])
    asked.cohort, asked.work = options.cohort, options.work
    return run(asked, before)


def run(options: Namespace, before: Mapping[str, Any]) -> dict[str, Any]:
    """New rows beside those of `before`."""
    torch.set_num_threads(1)
    # With 20 classes and 32 labels scikit-learn wonders whether this is a regression.
    warnings.filterwarnings("ignore", message="The number of unique classes")
    settings = load_settings(options.work / "bases")
    rows = {_key(row): row for row in before.get("rows", [])}
    for name in options.cohort or names(QUESTIONS):
        few = open_question(name, QUESTIONS[name], options.kinds)
        if few is None:
            continue
        started = time.perf_counter()
        found = list(_rows(few, options, settings))
        rows |= {_key(row): row for row in found}
        print(f"{name}: {len(found)} rows, {time.perf_counter() - started:.0f} s", flush=True)
        for line in bases_page.summary(found):
            print(f"    {line}", flush=True)
    return {"rows": list(rows.values())}


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row[n] for n in ("cohort", "modalities", "model", "method", "budget", "seed"))


def _rows(few: Few, options: Namespace, settings: Settings) -> Iterator[Row]:
    inputs = frozen.read(few, settings)
    readable = {case_id for own in inputs.values() for case_id in own}
    few = few.without(frozenset(case.case_id for case in few.cases) - readable)
    draws = list(few.draws(options.seeds))
    if options.rivals:
        made = rivals.Handcrafted(few, inputs)
        for draw in draws:
            yield from _rivals(few, inputs, made, draw, options.budgets)
    del inputs
    for base in options.base or (RANDOM, EMBEDDED):
        name = frozen.register(base, settings)
        kept: dict[tuple[int, ...], frozen.Frozen] = {}
        for draw in draws:
            # Where the same patients are held out every time, so are processors and features.
            group = tuple(sorted(draw.pool))
            if group not in kept:
                kept = {group: frozen.freeze(name, few, draw, settings, bool(options.lora))}
            own = kept[group]

            def probe(labelled: np.ndarray, draw: Draw = draw, own: frozen.Frozen = own) -> Any:
                return _read(few, frozen.probe(few, own, labelled, draw))

            def lora(labelled: np.ndarray, draw: Draw = draw, own: frozen.Frozen = own) -> Any:
                return _read(few, frozen.lora(few, own, labelled, draw))

            yield from _judged(few, draw, options.budgets, base, "probe", probe)
            yield from _judged(few, draw, options.lora, base, "lora", lora)


def _rivals(
    few: Few, inputs: rivals.Inputs, made: rivals.Handcrafted, draw: Draw, budgets: Sequence[str]
) -> Iterator[Row]:
    linear, trees = made.matrices(draw)
    outputs, test = max(few.cohort.task.outputs, 2), draw.test

    def logistic(rows: np.ndarray) -> np.ndarray:
        own = [few.patients[row] for row in rows]
        found = rivals.logistic(linear[rows], few.targets[rows], own, linear[test], outputs)
        return found if outputs > 2 else found[:, 1]

    def boosted(rows: np.ndarray) -> np.ndarray:
        found = rivals.boosted(trees[rows], few.targets[rows], trees[test], outputs, draw.seed)
        return found if outputs > 2 else found[:, 1]

    def on_table(rows: np.ndarray) -> np.ndarray | None:
        return rivals.on_table(few, inputs, draw, rows)

    for name, model in (
        (rivals.LOGISTIC, logistic),
        (rivals.FOREST, boosted),
        (rivals.BOOSTING, on_table),
    ):
        yield from _judged(few, draw, budgets, name, "rival", model)


def _read(few: Few, logits: np.ndarray) -> np.ndarray:
    return probabilities(few.cohort.task, logits)


def _judged(
    few: Few,
    draw: Draw,
    budgets: Sequence[str],
    model: str,
    method: str,
    answer: Callable[[np.ndarray], np.ndarray | None],
) -> Iterator[Row]:
    """A row for each budget; a budget larger than the pool is the pool."""
    known: dict[int, np.ndarray] = {}
    for budget in budgets:
        labelled, started = draw.labelled(budget), time.perf_counter()
        if len(labelled) not in known:
            outputs = answer(labelled)
            if outputs is None:
                return
            known[len(labelled)] = _aurocs(few, draw, outputs)
        yield {
            "cohort": few.name,
            "modalities": list_of(few),
            "model": model,
            "method": method,
            "budget": budget,
            "labels": len(labelled),
            "tested": len(draw.test),
            "seed": draw.seed,
            "auroc": round(float(known[len(labelled)][0]), 5),
            "resampled": bases_page.packed(known[len(labelled)][1:]),
            "seconds": round(time.perf_counter() - started, 3),
        }


def _aurocs(few: Few, draw: Draw, outputs: np.ndarray) -> np.ndarray:
    """(Macro) AUROC on the held-out cases, then with patients drawn anew (1 + RESAMPLES,).

    The same patients are drawn for every model and seed of a cohort, so that what differs between
    two models can be paired.
    """
    everyone = sorted({case.patient_id for case in few.cohort.cases})
    counts = np.random.default_rng(0).multinomial(
        len(everyone), np.full(len(everyone), 1 / len(everyone)), size=RESAMPLES
    )
    place = {patient: index for index, patient in enumerate(everyone)}
    columns = [place[few.patients[row]] for row in draw.test]
    weights = np.concatenate([np.ones((1, len(columns))), counts[:, columns]])
    targets = few.targets[draw.test]
    if few.cohort.task.kind == "binary":
        return auroc(targets == 1, outputs, weights)
    each = [auroc(targets == k, outputs[:, k], weights) for k in np.unique(targets).astype(int)]
    return np.nanmean(each, axis=0)


def list_of(few: Few) -> str:
    """The modalities of a row."""
    return " + ".join(few.modalities)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(prog="python -m benchmarks.bases", description=__doc__)
    found.add_argument("--base", action="append", help="name, folder, random:SEED, random:FOLDER")
    found.add_argument("--cohort", action="append", choices=names(QUESTIONS), metavar="NAME")
    found.add_argument("--kinds", type=_kinds, default=(), help="such as waveform,frames")
    found.add_argument("--budgets", type=_budgets, default=BUDGETS, help="such as 32,64,all")
    found.add_argument("--seeds", type=int, default=5)
    found.add_argument("--lora", type=_budgets, default=(), help="budgets at which LoRA runs too")
    found.add_argument("--rivals", action="store_true", help="also what needs no base")
    found.add_argument("--json", type=Path, help="file that is read, added to and written")
    found.add_argument(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir(), "fmstudio-benchmarks"),
        help="where what was read and encoded is kept between calls",
    )
    return found


def _kinds(text: str) -> tuple[str, ...]:
    found = tuple(text.split(","))
    if strange := set(found) - set(KINDS):
        raise argparse.ArgumentTypeError(f"{strange.pop()} is none of {', '.join(KINDS)}")
    return found


def _budgets(text: str) -> tuple[str, ...]:
    found = tuple(text.split(","))
    if any(one != ALL and not one.isdigit() for one in found):
        raise argparse.ArgumentTypeError(f"give numbers or '{ALL}', with commas between")
    return found


def main() -> None:
    """Measure, print, keep."""
    options = parser().parse_args()
    before = {}
    if options.json and options.json.is_file():
        before = json.loads(options.json.read_text(encoding="utf-8"))
    found = run(options, before)
    print(bases_page.section(found))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
