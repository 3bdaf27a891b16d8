"""Peak memory of the training worker on a small and on a ten times larger cohort."""

from __future__ import annotations

import tempfile
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.command import studio, watch
from benchmarks.made import PROJECT, made_cohort, made_project

TITLE = "Memory"


def measure(options: Namespace, before: Mapping[str, Any]) -> dict[str, Any]:
    """MB by number of cases, as the kernel saw them and as the result states them."""
    return {
        "runs": [_run(options, cases) for cases in (options.cases, options.many)],
    }


def _run(options: Namespace, cases: int) -> dict[str, Any]:
    manifest = made_cohort(options.work, cases)
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        home = Path(folder)
        made_project(home, manifest)
        epochs = ("--epochs", str(options.epochs or 3))
        started = studio(home, "finetune", PROJECT, "--preset", "quick", *epochs, "--detach")
        result, peak = watch(home, started["run"])
    return {"cases": cases, "peak_mb": peak, "stated_mb": result["peak_memory_mb"]}


def section(found: Mapping[str, Any]) -> str:
    """The part's page."""
    small, large = found["runs"]
    rows = [f"| {run['cases']} | {run['peak_mb']:.0f} |" for run in (small, large)]
    more = large["peak_mb"] / small["peak_mb"] - 1
    return (
        "| cases | peak of the worker, MB |\n|---|---|\n"
        + "\n".join(rows)
        + f"\n| **difference** (less than 20 %) | **{more:+.0%}** |\n\n"
        "Peak resident memory of the worker process over the whole run (VmHWM); the processes "
        "that decode files are not counted, they have a limit of their own."
    )
