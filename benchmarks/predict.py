"""One warm six-modality case from files to prediction, and the network's share of it.

Every case is predicted once, so that nothing is found in a cache; the first few warm the model
and the reading processes up and are not counted.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.command import studio
from benchmarks.made import PROJECT, made_cohort, made_project

TITLE = "Prediction"
WARM_UP = 5


def measure(options: Namespace, before: Mapping[str, Any]) -> dict[str, Any]:
    """Milliseconds of each case: the whole, and the network."""
    small = min(options.cases, 60)
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        home = Path(folder)
        made_project(home, made_cohort(options.work, small))
        result = studio(home, "finetune", PROJECT, "--preset", "quick", "--epochs", "1")
        return _timed(home, result["adapter"], made_cohort(options.work, options.cases, seed=1))


def _timed(home: Path, adapter: str, manifest: Path) -> dict[str, Any]:
    from fmstudio.studio import Studio

    whole, network = [], []
    with Studio.open(home) as opened:
        project = opened.projects.create("new", "binary", "label_deterioration", "1")
        opened.cohorts.add(project.id, manifest)
        complete = [case for case in opened.cohorts.cases(project.id) if len(case.sources) == 6]
        spent = _count_network(opened.predictions.predictor(adapter))
        for case in complete[: WARM_UP + 100]:
            spent.clear()
            started = time.perf_counter()
            opened.predictions.predict(adapter, case.sources, case.case_id)
            whole.append(1000 * (time.perf_counter() - started))
            network.append(1000 * sum(spent))
    return {"whole_ms": whole[WARM_UP:], "network_ms": network[WARM_UP:]}


def _count_network(predictor: Any) -> list[float]:
    """Seconds of every pass through the model from now on are appended to the list."""
    spent: list[float] = []
    features = predictor.model.features

    def timed(batch: Any) -> Any:
        started = time.perf_counter()
        found = features(batch)
        spent.append(time.perf_counter() - started)
        return found

    predictor.model.features = timed
    return spent


def section(found: Mapping[str, Any]) -> str:
    """The part's page."""
    rows = []
    for name, limit, values in (
        ("files to prediction", "at most 300", found["whole_ms"]),
        ("of which the network", "at most 100", found["network_ms"]),
    ):
        p95 = sorted(values)[max(0, int(0.95 * len(values)) - 1)]
        rows.append(f"| {name} ({limit}) | **{statistics.median(values):.0f}** | {p95:.0f} |")
    return (
        "| | median, ms | 95th percentile, ms |\n|---|---|---|\n"
        + "\n".join(rows)
        + f"\n\n{len(found['whole_ms'])} cases with all six modalities, each new to the studio."
    )
