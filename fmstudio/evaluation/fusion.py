"""What each subset of the modalities is worth on the same patients, and whether fusion helps.

Shape letters: n cases, r cases that have a whole subset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from fmstudio.evaluation.metrics import (
    figures_of,
    gain,
    headline,
    mean_over,
    on_rows,
    score,
    verdict,
)
from fmstudio.evaluation.resampling import Patients, intervals
from fmstudio.types import Interval, TaskSpec

ADAPTER = "adapter"


@dataclass(frozen=True)
class Shown:
    """What a model answers if it is given these modalities alone.

    `rows` (r) are the cases that have all of them, `outputs` its answers to those, `model` which
    model it is: the adapter, or one that was made for these modalities.
    """

    modalities: tuple[str, ...]
    rows: np.ndarray
    outputs: np.ndarray
    model: str = ADAPTER


@dataclass(frozen=True)
class Judged:
    """The cases (n) on which all are compared, and the adapter's answers from all there is."""

    task: TaskSpec
    targets: np.ndarray
    patients: Patients
    fused: np.ndarray

    def of(self, rows: np.ndarray) -> list[object]:
        """Whose cases some are."""
        return [self.patients[row] for row in rows]


def every_subset(modalities: Sequence[str]) -> list[tuple[str, ...]]:
    """Every non-empty subset, the small ones first, in the given order within."""
    sizes = range(1, len(modalities) + 1)
    return [chosen for size in sizes for chosen in combinations(modalities, size)]


def subsets_json(
    judged: Judged,
    shown: Sequence[Shown],
    modalities: Sequence[str],
    adapter: Sequence[Shown] = (),
) -> list[dict[str, Any]]:
    """{modalities, n, headline figure, model, gain, verdict} of each; the last one is all of them.

    `gain` is that of everything a case has over this subset, paired on the same `n` cases. The last
    entry holds every case, whatever it has. Where a model made for a subset stands in it, the key
    "adapter" has what the adapter itself reached, which is what a prediction from these modalities
    is worth; `adapter` are its own outputs.
    """
    name = headline(judged.task)
    entries: list[dict[str, Any]] = []
    by_itself = {one.modalities: one for one in adapter}
    for one in shown:
        if len(one.modalities) == len(modalities) > 1:
            continue  # every case with whatever it has says the same of more cases
        targets, patients = judged.targets[one.rows], judged.of(one.rows)
        figure = _figure(judged.task, targets, one.outputs, patients)
        won = gain(judged.task, targets, judged.fused[one.rows], one.outputs, patients)
        entries.append(
            {
                "modalities": list(one.modalities),
                "n": len(one.rows),
                name: figure.as_dict(),
                "model": one.model,
                "gain": won.as_dict(),
                "verdict": verdict(won),
            }
        )
        own = by_itself.get(one.modalities)
        if one.model != ADAPTER and own is not None:
            of_adapter = _figure(
                judged.task, judged.targets[own.rows], own.outputs, judged.of(own.rows)
            )
            entries[-1]["adapter"] = of_adapter.as_dict()
    whole = _figure(judged.task, judged.targets, judged.fused, judged.patients)
    return [
        *entries,
        {
            "modalities": list(modalities),
            "n": len(judged.fused),
            name: whole.as_dict(),
            "model": ADAPTER,
        },
    ]


def _figure(
    task: TaskSpec, targets: np.ndarray, outputs: np.ndarray, patients: Patients
) -> Interval:
    """The headline figure alone: of 63 subsets, every further figure would cost seconds."""
    name = headline(task)
    return intervals({name: figures_of(task, targets, outputs)[name]}, len(outputs), patients)[name]


def fusion_json(judged: Judged, singles: Sequence[Shown]) -> dict[str, Any] | None:
    """Fused minus best single modality, paired on the same cases; None with fewer than two.

    Best is the one that did best on these patients: a gain is claimed only if it is there against
    the strongest rival. The luck of the best of several makes the claim harder, never easier.
    """
    figures = [score(judged.task, judged.targets[one.rows], one.outputs) for one in singles]
    usable = [(f, one) for f, one in zip(figures, singles, strict=True) if np.isfinite(f)]
    if not usable or len(singles) < 2:
        return None
    best = max(usable, key=lambda pair: pair[0])[1]
    targets, patients = judged.targets[best.rows], judged.of(best.rows)
    won = gain(judged.task, targets, judged.fused[best.rows], best.outputs, patients)
    return {
        "best_single": best.modalities[0],
        "n": len(best.rows),
        "gain": won.as_dict(),
        "verdict": verdict(won),
    }


def missing_json(
    judged: Judged, shown: Sequence[Shown], modalities: Sequence[str]
) -> list[dict[str, Any]]:
    """The adapter's headline figure by how many of the modalities are hidden from it.

    {missing, subsets, n, headline figure}: the mean over all subsets of that size that can be
    judged, each on the cases that have all of it; `n` are the cases in any of them.
    """
    name, found = headline(judged.task), []
    for missing in range(len(modalities)):
        size = len(modalities) - missing
        own = [one for one in shown if len(one.modalities) == size and one.model == ADAPTER]
        usable = [
            one
            for one in own
            if np.isfinite(score(judged.task, judged.targets[one.rows], one.outputs))
        ]
        if not usable:
            continue
        rows = np.unique(np.concatenate([one.rows for one in usable]))
        figures = [
            partial(
                on_rows,
                figures_of(judged.task, judged.targets[one.rows], one.outputs)[name],
                one.rows,
            )
            for one in usable
        ]
        n = len(judged.fused)
        figure = intervals({name: mean_over(figures)}, n, judged.patients)[name]
        found.append(
            {"missing": missing, "subsets": len(usable), "n": len(rows), name: figure.as_dict()}
        )
    return found
