"""Peak memory of the training worker on a small and on a ten times larger cohort."""

from __future__ import annotations

import csv
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
    manifest = made_cohort(options.work, options.cases)
    many = _repeated(manifest, options.many // options.cases)
    return {"runs": [_run(options, manifest), _run(options, many)]}


def _repeated(manifest: Path, times: int) -> Path:
    """A manifest beside the other with each case so many times; as other patients with the same
    files they would be a leak, and refused.

    Making thousands of cases takes longer than training on them, and the worker holds as much for
    a case whose files another case has as well.
    """
    rows = list(csv.DictReader(manifest.read_text(encoding="utf-8").splitlines()))
    many = manifest.with_name("many.csv")
    with many.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for number in range(times):
            for row in rows:
                writer.writerow(row | {"case_id": f"{row['case_id']}_{number}"})
    return many


def _run(options: Namespace, manifest: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        home = Path(folder)
        made_project(home, manifest)
        epochs = ("--epochs", str(options.epochs or 3))
        started = studio(home, "finetune", PROJECT, "--preset", "quick", *epochs, "--detach")
        result, peak = watch(home, started["run"])
    cases = sum(result["n"].values())
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
        "that decode files are not counted, they have a limit of their own. The large cohort has "
        "the files of the small one ten times over, as further cases of the same patients."
    )
