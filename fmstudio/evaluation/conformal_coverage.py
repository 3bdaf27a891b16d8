"""Whether conformal sets keep their promise on patients that they were not fitted on.

Shape letters: n cases, K classes or labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fmstudio.evaluation.conformal import conformal_interval, conformal_set, fit_conformal
from fmstudio.evaluation.labelled_predictions import LabelledPredictions
from fmstudio.evaluation.resampling import intervals, ratio
from fmstudio.types import TaskSpec

SMALLEST = 20  # cases of a group whose coverage is told
LEVELS = (0.8, 0.9, 0.95)


def coverage(
    task: TaskSpec, answered: LabelledPredictions, fitted: Mapping[str, Any]
) -> dict[str, Any]:
    """{n, asked, reached, mean_size, sizes, groups, remarks} of the sets that `fitted` gives.

    Reached is the share of cases whose set or interval holds the truth; for multilabel tasks the
    share of labels that are there and in the set, which is what is promised. Size is the number of
    labels in a set, or the width of an interval; `sizes` counts sets by size.
    """
    held, worth, sizes = _held(task, answered, fitted)
    figures = {
        "reached": lambda weights: ratio(weights @ held, weights @ worth),
        "mean_size": lambda weights: ratio(weights @ np.nan_to_num(sizes), weights.sum(axis=1)),
    }
    found = intervals(figures, len(answered), answered.patients)
    counted = None
    if task.kind != "regression":
        counted = {str(int(size)): int((sizes == size).sum()) for size in np.unique(sizes)}
    groups = []
    for column, values in answered.groups.items():
        for value in sorted(set(values) - {""}):
            rows = np.flatnonzero(np.array(values) == value)
            if len(rows) < SMALLEST:
                groups.append({"group": {column: value}, "n": len(rows), "reached": None})
                continue
            own = {"reached": lambda w, rows=rows: ratio(w @ held[rows], w @ worth[rows])}
            reached = intervals(own, len(rows), answered.patients[rows])["reached"]
            groups.append(
                {
                    "group": {column: value},
                    "n": len(rows),
                    "reached": reached.as_dict(),
                    "mean_size": float(np.nan_to_num(sizes[rows]).mean()),
                }
            )
    return {
        "n": len(answered),
        "asked": fitted["coverage"],
        "n_fitted_on": fitted["n"],
        **{name: figure.as_dict() for name, figure in found.items()},
        "sizes": counted,
        "groups": groups,
        "remarks": list(fitted.get("notes", ())),
        "unbounded": int(np.isnan(sizes).sum()),
    }


def at_levels(
    task: TaskSpec, answered: LabelledPredictions, validation: LabelledPredictions | None
) -> list[dict[str, Any]]:
    """The same at several levels, each fitted on the validation patients."""
    if validation is None:
        return []
    fits = [fit_conformal(task, validation.outputs, validation.targets, c) for c in LEVELS]
    kept = ("asked", "reached", "mean_size", "sizes", "n", "unbounded")
    return [
        {name: one[name] for name in kept}
        for one in (coverage(task, answered, fit) for fit in fits)
    ]


def _held(
    task: TaskSpec, answered: LabelledPredictions, fitted: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each case how many truths its set holds, of how many, and the set's size, all (n)."""
    if task.kind == "regression":
        spans = [conformal_interval(fitted, value) for value in answered.outputs]
        inside = [
            span is None or span[0] <= true <= span[1]
            for span, true in zip(spans, answered.targets, strict=True)
        ]
        sizes = [np.nan if span is None else span[1] - span[0] for span in spans]
        return np.array(inside, float), np.ones(len(spans)), np.array(sizes, float)
    sets = [conformal_set(task, fitted, output) for output in answered.outputs]
    lengths = np.array([len(one) for one in sets], float)
    if task.kind == "multilabel":
        member = np.array([[label in one for label in task.labels] for one in sets], float)
        there = np.nan_to_num(answered.targets) > 0.5
        return (member * there).sum(axis=1), there.sum(axis=1).astype(float), lengths
    true = [task.labels[int(index)] for index in answered.targets]
    held = [label in one for label, one in zip(true, sets, strict=True)]
    return np.array(held, float), np.ones(len(sets)), lengths
