"""Fine-tuning with the quick preset, beside a plain transformers.Trainer and peft loop.

Same model, base, cases, batch size and epochs; see plain.py. The studio runs frozen encoders once
per case and keeps their tokens, so its figure is given twice: the loop alone, and with all of the
preparation counted on both sides.
"""

from __future__ import annotations

import json
import tempfile
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.command import process, studio
from benchmarks.made import PROJECT, made_cohort, made_project

TITLE = "Fine-tuning"


def measure(options: Namespace, before: Mapping[str, Any]) -> dict[str, Any]:
    """The studio's result and the plain loop's seconds on `options.cases` generated cases."""
    manifest = made_cohort(options.work, options.cases)
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        home, answer, log = Path(folder, "home"), Path(folder, "plain.json"), Path(folder, "log")
        made_project(home, manifest)
        result = studio(home, "finetune", PROJECT, "--preset", "quick", *_epochs(options))
        command = ("-m", "benchmarks.plain", home, PROJECT, str(result["epochs"]), answer)
        with process(command, log) as plain:
            plain.nice(5)  # as the studio's worker
            plain.wait()
        if not answer.is_file():
            raise RuntimeError(f"The plain loop failed: {log.read_text()[-800:]}")
        return {
            "cases": options.cases,
            "epochs": result["epochs"],
            "train": result["n"]["train"],
            "studio": result["seconds"] | {"cases_per_second": result["cases_per_second"]},
            "plain": json.loads(answer.read_text(encoding="utf-8")),
            "auroc": {each["name"]: each["auroc"] for each in result["ladder"]},
        }


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
        f"| **ratio** (at least 3) | | | **{ratio:.1f}** |\n\n"
        f"{found['cases']} generated cases, {found['train']} of them to train, "
        f"{found['epochs']} epochs. With preparation counted on both sides the studio is "
        f"{whole:.1f} times as fast. All that follows preparation, baselines and judging "
        f"included, took {after:.0f} s (at most 180)."
    )


def _epochs(options: Namespace) -> tuple[str, ...]:
    return () if options.epochs is None else ("--epochs", str(options.epochs))
