"""A worker whose work is to count to 40 with a checkpoint at every step: `counting.py RUN --home HOME`.

It stands in for fine-tuning where a test needs a worker process without a model.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fmstudio.evaluation.labelled_predictions import HeldOut, LabelledPredictions
from fmstudio.records import Point, Progress, ProjectRecord, RunRecord
from fmstudio.runs.worker import execute
from fmstudio.settings import Settings
from fmstudio.training.reporter import Reporter, Stopped
from fmstudio.types import Cohort

STEPS = 40
STEP_SECONDS = 0.05


@dataclass(frozen=True)
class Counted:
    result: dict[str, Any]
    adapter_folder: Path
    card: dict[str, Any]
    held_out: HeldOut


def answers(cohort: Cohort) -> HeldOut:
    """One half for every test case."""
    cases = cohort.split("test")
    outputs, present = np.full(len(cases), 0.5), np.ones((len(cases), 1), bool)
    return HeldOut(cohort.task, cohort.modalities, LabelledPredictions.of(cases, outputs, present))


def count(
    run: RunRecord,
    project: ProjectRecord,
    cohort: Cohort,
    folder: Path,
    settings: Settings,
    reporter: Reporter,
) -> Counted:
    checkpoint = folder / "checkpoint.txt"
    first = int(checkpoint.read_text()) if checkpoint.exists() else 0
    reporter.points([Point("loss", step, 1 / step) for step in range(1, first + 1)])
    for step in range(first + 1, STEPS + 1):
        time.sleep(STEP_SECONDS)
        reporter.points([Point("loss", step, 1 / step)])
        reporter.progress(Progress("Counting", step / STEPS, step, STEPS))
        partial = checkpoint.with_suffix(".tmp")
        partial.write_text(str(step))
        partial.replace(checkpoint)
        if reporter.should_stop():
            raise Stopped
    made = folder / "adapter"
    (made / "adapter").mkdir(parents=True)
    (made / "adapter" / "adapter_config.json").write_text("{}")
    (made / "manifest.json").write_text("{}")
    result = {"began_at": first, "cases": len(cohort.cases)}
    return Counted(result, made, {"name": f"{project.name} counted"}, answers(cohort))


if __name__ == "__main__":
    execute(Settings(Path(sys.argv[3])), sys.argv[1], work=count)
