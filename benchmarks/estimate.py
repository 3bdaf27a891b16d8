"""What a run was said to take before it began, beside what it then took.

Each run in a fresh home, so that nothing is cached. Time is that from the start of the run to its
end, memory the peak of the worker process.
"""

from __future__ import annotations

import tempfile
import time
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.cohorts import DATA, QUESTIONS, real_project
from benchmarks.command import studio, watch
from benchmarks.made import PROJECT, made_cohort, made_project
from fmstudio.run_config import RunConfig
from fmstudio.studio import Studio

TITLE = "Estimates"
FEW = 60  # cases of the small made cohort
REAL = "shanghai_diabetes_cgm"
PRESETS = ("quick", "balanced")
WITHIN = 0.3


def measure(options: Namespace, before: Mapping[str, Any]) -> dict[str, Any]:
    """Estimated and measured seconds and MB of several runs."""
    runs = []
    for preset in PRESETS:
        for cases in (FEW, options.cases):
            manifest = made_cohort(options.work, cases)
            make = partial(made_project, manifest=manifest)
            runs.append(_run(options, f"{cases} made cases", make, preset))
        if (DATA / REAL).is_dir():
            make = partial(real_project, name=PROJECT, question=QUESTIONS[REAL])
            runs.append(_run(options, REAL, make, preset))
    return {"runs": runs}


def _run(
    options: Namespace, name: str, make: Callable[[Path], None], preset: str
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        home = Path(folder)
        make(home)
        with Studio.open(home) as opened:
            said = opened.runs.estimate(PROJECT, RunConfig.from_preset(preset))
        begun = studio(home, "finetune", PROJECT, "--preset", preset, "--detach")
        started = time.monotonic()
        result, peak = watch(home, begun["run"])
        seconds = time.monotonic() - started
    return {
        "name": name,
        "preset": preset,
        "epochs": result["epochs"],
        "parts": result["seconds"],
        "said": {"seconds": said.seconds, "mb": said.memory_mb},
        "took": {"seconds": seconds, "mb": peak},
    }


def section(found: Mapping[str, Any]) -> str:
    """The part's page."""
    rows = [_row(run) for run in found["runs"]]
    kept = {what: sum(_within(run, what) for run in found["runs"]) for what in ("seconds", "mb")}
    count = len(rows)
    return (
        "| run | said, s | took, s | said / took | said, MB | took, MB | said / took |\n"
        "|---|---|---|---|---|---|---|\n"
        + "\n".join(rows)
        + f"\n\nWithin ± {WITHIN:.0%}: time in {kept['seconds']} of {count} runs, memory in "
        f"{kept['mb']} of {count}. Each run in a fresh home."
    )


def _row(run: Mapping[str, Any]) -> str:
    said, took = run["said"], run["took"]
    cells: Sequence[str] = [
        f"{run['name']}, {run['preset']}",
        *(f"{one['seconds']:.0f}" for one in (said, took)),
        f"**{said['seconds'] / took['seconds']:.2f}**",
        *(f"{one['mb']:.0f}" for one in (said, took)),
        f"**{said['mb'] / took['mb']:.2f}**",
    ]
    return f"| {' | '.join(cells)} |"


def _within(run: Mapping[str, Any], what: str) -> bool:
    return abs(run["said"][what] / run["took"][what] - 1) <= WITHIN
