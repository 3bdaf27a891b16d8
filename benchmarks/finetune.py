"""Fine-tuning with the quick preset, beside a plain transformers.Trainer and peft loop.

Same model, base, layers that get an adapter, cases, batch size and epochs; see plain.py. The studio
does not climb its ladder for this, as nobody writes one in a plain loop. It runs frozen encoders
once per case and keeps their tokens, so its figure is given twice: the loop alone, and with all of
the preparation counted on both sides.
"""

from __future__ import annotations

import json
import tempfile
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.command import process, studio
from benchmarks.made import PROJECT, made_cohort, made_project
from fmstudio.evaluation.labelled_predictions import HeldOut
from fmstudio.evaluation.metrics import evaluate, gain
from fmstudio.registry import Registry
from fmstudio.settings import load_settings
from fmstudio.training.candidates import LORA

TITLE = "Fine-tuning"
PLAIN, GAIN = "Trainer + peft", "studio − Trainer + peft"
THREADS = (1, 2)  # on which the trunk alone is measured


def measure(options: Namespace, before: Mapping[str, Any]) -> dict[str, Any]:
    """The studio's result and the plain loop's seconds on `options.cases` generated cases."""
    manifest = made_cohort(options.work, options.cases)
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        home, answer, log = Path(folder, "home"), Path(folder, "plain.json"), Path(folder, "log")
        made_project(home, manifest)
        words = ("--preset", "quick", "--no-ladder", *_epochs(options))
        result = studio(home, "finetune", PROJECT, *words)
        command = ("-m", "benchmarks.plain", home, PROJECT, str(result["epochs"]), answer)
        with process(command, log) as plain:
            plain.nice(5)  # as the studio's worker
            plain.wait()
        if not answer.is_file():
            raise RuntimeError(f"The plain loop failed: {log.read_text()[-800:]}")
        trunk = [_trunk(home, threads, Path(folder)) for threads in THREADS]
        said = json.loads(answer.read_text(encoding="utf-8"))
        figures = _figures(home, result["adapter"], said.pop("answers"))
        return {
            "cases": options.cases,
            "epochs": result["epochs"],
            "train": result["n"]["train"],
            "studio": result["seconds"] | {"cases_per_second": result["cases_per_second"]},
            "plain": said,
            "trunk": trunk,
            "auroc": {each["name"]: each["auroc"] for each in result["ladder"]} | figures,
        }


def _figures(home: Path, adapter: str, answers: Mapping[str, float]) -> dict[str, Any]:
    """AUROC of the plain loop on the test cases, and the studio's LoRA minus it, paired."""
    with Registry.open(load_settings(home)) as registry:
        held = HeldOut.from_dict(registry.held_out(adapter) or {})
    test = held.test
    plain = np.array([answers[case_id] for case_id in test.case_ids])
    own = next((v for name, v in held.ladder.items() if name.startswith(LORA)), test.outputs)
    figures = {
        PLAIN: evaluate(held.task, test.targets, plain, test.patients)["auroc"],
        GAIN: gain(held.task, test.targets, own, plain, test.patients),
    }
    return {name: figure.as_dict() for name, figure in figures.items()}


def _trunk(home: Path, threads: int, folder: Path) -> dict[str, Any]:
    """The trunk's speed at balanced settings on the cases that were prepared, see trunk.py."""
    answer, log = folder / f"trunk-{threads}.json", folder / "log"
    command = ("-m", "benchmarks.trunk", home, PROJECT, "balanced", answer)
    with process(command, log, {"OMP_NUM_THREADS": str(threads)}) as running:
        running.wait()
    if not answer.is_file():
        raise RuntimeError(f"The trunk could not be measured: {log.read_text()[-800:]}")
    return json.loads(answer.read_text(encoding="utf-8"))


def section(found: Mapping[str, Any]) -> str:
    """The part's page."""
    own, plain = found["studio"], found["plain"]
    after = sum(v for k, v in own.items() if k not in ("prepare", "cases_per_second"))
    ratio = own["cases_per_second"] / plain["cases_per_second"]
    whole = (plain["prepare"] + plain["train"]) / (own["prepare"] + own["train"])
    return (
        "| | prepare, s | train, s | cases per second |\n|---|---|---|---|\n"
        f"| studio, quick preset | {own['prepare']:.1f} | {own['train']:.1f} "
        f"| {own['cases_per_second']:.1f} |\n"
        f"| Trainer + peft | {plain['prepare']:.1f} | {plain['train']:.1f} "
        f"| {plain['cases_per_second']:.1f} |\n"
        f"| **ratio** (at least 5) | | | **{ratio:.1f}** |\n\n"
        f"{found['cases']} generated cases, {found['train']} of them to train, "
        f"{found['epochs']} epochs. With preparation counted on both sides the studio is "
        f"{whole:.1f} times as fast. All that follows preparation, baselines and judging "
        f"included, took {after:.0f} s (at most 180).{_auroc_section(found['auroc'])}"
        + _trunk_section(found["trunk"])
    )


def _auroc_section(found: Mapping[str, Any]) -> str:
    plain, more = found[PLAIN], found[GAIN]
    return (
        f" AUROC of the plain loop on the test cases {plain['value']:.3f} ({plain['low']:.3f}–"
        f"{plain['high']:.3f}); the studio's LoRA has {more['value']:+.3f} ({more['low']:+.3f} to "
        f"{more['high']:+.3f}) more."
    )


def _trunk_section(trunk: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        f"| {one['threads']} | {one['trunk']:.0f} | {one['large']:.0f} | {one['own']:.0f} "
        f"| **{one['trunk'] / one['large']:.0%}** | {one['trunk'] / one['own']:.0%} | "
        + " | ".join(f"{share:.0%}" for share in one["shares"].values())
        + " |"
        for one in trunk
    ]
    kinds = list(trunk[0]["shares"])
    return (
        "\n\nThe trunk at balanced settings, forward and back, in billions of operations a second "
        f"(batches of {trunk[0]['tokens']} tokens), and where its time goes:\n\n"
        f"| threads | trunk | large product | product of its size | share of the large (at least "
        f"70 %) | of its size | {' | '.join(kinds)} |\n|{'---|' * (6 + len(kinds))}\n"
        + "\n".join(rows)
        + "\n\nThe rest goes into attention over short sequences, which reaches less than half of "
        "the speed, and into GELU, layer norms and sums, which wait for memory and not for "
        "products; of the products LoRA's own, eight wide, are slower than their count says."
    )


def _epochs(options: Namespace) -> tuple[str, ...]:
    return () if options.epochs is None else ("--epochs", str(options.epochs))
