"""What fusion is worth on generated patients, beside what could be known of them at best.

The generator knows the hidden state behind every file, so the best possible AUROC is known too.
"""

from __future__ import annotations

import tempfile
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.command import studio
from benchmarks.made import PROJECT, made_cohort, made_project
from data_samples.generate import best_auroc

TITLE = "Fusion on generated patients"
CASES = 900  # so that the held-out patients tell a difference of 0.05


def measure(options: Namespace, before: Mapping[str, Any]) -> dict[str, Any]:
    """The ladder and every single modality on held-out patients, and the generator's best."""
    manifest = made_cohort(options.work, CASES)
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        home = Path(folder)
        made_project(home, manifest)
        result = studio(home, "finetune", PROJECT, "--preset", "quick")
    kept = ("n", "ladder", "chosen", "subsets", "fusion", "metrics")
    return {name: result[name] for name in kept} | {"best": best_auroc(100_000)}


def section(found: Mapping[str, Any]) -> str:
    """The part's page."""
    singles = [one for one in found["subsets"] if len(one["modalities"]) == 1]
    whole = max(found["subsets"], key=lambda one: len(one["modalities"]))
    rows = [
        f"| {name} | {_interval(one['auroc'])} | {one['n']} |"
        for name, one in [
            *((one["modalities"][0], one) for one in singles),
            ("all together", whole),
        ]
    ]
    single = max(one["auroc"]["value"] for one in singles)
    fused = found["metrics"]["auroc"]["value"]
    best = ", ".join(f"{name} {value:.3f}" for name, value in found["best"].items())
    ladder = ", ".join(f"{one['name']} {one['auroc']['value']:.3f}" for one in found["ladder"])
    return (
        "| given | AUROC (95 % interval) | held-out cases |\n|---|---|---|\n"
        + "\n".join(rows)
        + f"\n\nFused minus best single modality (at least 0.05): **{fused - single:+.3f}**. "
        f"Ladder: {ladder}; chosen: {found['chosen']}.\n\nThe best possible: {best}."
    )


def _interval(figure: Mapping[str, float]) -> str:
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"
