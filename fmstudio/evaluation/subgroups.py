"""Whether the model treats groups of patients alike: figures by group, and gaps that are real.

Every value of every group column, and every pair of values of two columns, that at least 20 cases
have is compared with all other cases in sensitivity and false positive rate at a threshold, AUROC,
and how far chances are too low on average. Smaller groups are named with their size. Intervals come
from resampled patients, and each holds for its own gap alone; as some of many gaps come by luck, a
gap is called real by its P value adjusted for all of them (see `permutation`).

Shape letters: n cases, G groups, R resamples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from fmstudio.evaluation.labelled_predictions import LabelledPredictions, Question
from fmstudio.evaluation.metrics import auroc
from fmstudio.evaluation.permutation import adjusted
from fmstudio.evaluation.resampling import Figure, at_edges, drawn, interval, ratio

SMALLEST = 20  # cases of a group that is compared
FEWEST_TO_TEST = (
    10  # cases that a figure must rest on, in the group and outside it, before it is tested
)
ALPHA = 0.04  # so that with all that is estimated on the way, at most 5 % are called real by luck
FIGURES = ("sensitivity", "false_positive_rate", "auroc", "calibration")
RATES = {"sensitivity": True, "false_positive_rate": False}  # and whom they are the rates of
BETWEEN_ALL = frozenset(("calibration",))


def subgroups(
    question: Question, answered: LabelledPredictions, threshold: float = 0.5
) -> dict[str, Any]:
    """{n, positives, threshold, groups, small, tests, gaps}; `gaps` are those called real.

    A group has {group, n, positives, figures}; a figure has {value, low, high}, its `gap` to all
    other cases with interval, the adjusted `p` (null if too few cases allow no test) and
    `different`.
    """
    every = list(_groups(question, answered))
    sizes = [int(members.sum()) for _, members in every]
    fits = [SMALLEST <= size <= len(question) - SMALLEST for size in sizes]
    compared = [one for one, fit in zip(every, fits, strict=True) if fit]
    figures = _figures(question, threshold)
    found = [
        _entry(question, *one) | {"figures": _judged(question, one[1], figures)} for one in compared
    ]
    tests = _test(question, [members for _, members in compared], figures, found)
    return {
        "n": len(question),
        "positives": question.positives,
        "threshold": threshold,
        "groups": found,
        "tests": tests,
        "small": [_entry(question, *one) for one, fit in zip(every, fits, strict=True) if not fit],
        "gaps": [
            {"group": entry["group"], "figure": name, "gap": own["gap"], "p": own["p"]}
            for entry in found
            for name, own in entry["figures"].items()
            if own["different"]
        ],
    }


def _groups(
    question: Question, answered: LabelledPredictions
) -> Iterator[tuple[dict[str, str], np.ndarray]]:
    """Each group's {column: value} and which cases of the question are in it (n)."""
    columns = {
        column: np.array([values[row] for row in question.rows], dtype=str)
        for column, values in answered.groups.items()
    }
    single = {
        (column, value): found == value
        for column, found in columns.items()
        for value in sorted(set(found.tolist()) - {""})
    }
    for (column, value), members in single.items():
        yield {column: value}, members
    for one, two in combinations(single, 2):
        both = single[one] & single[two]
        # A pair that is no smaller than one of its two groups is that group again.
        if one[0] != two[0] and 0 < both.sum() < min(single[one].sum(), single[two].sum()):
            yield dict((one, two)), both


def _entry(question: Question, group: Mapping[str, str], members: np.ndarray) -> dict[str, Any]:
    return {
        "group": dict(group),
        "n": int(members.sum()),
        "positives": int(question.truth[members].sum()),
    }


def _figures(question: Question, threshold: float) -> dict[str, Figure]:
    """The four figures as functions of case weights: those of a group where others weigh 0."""
    truth, chance = question.truth, question.chance
    flagged = (chance >= threshold).astype(float)
    yes, no = truth.astype(float), (~truth).astype(float)
    return {
        "sensitivity": lambda w: ratio(w @ (flagged * yes), w @ yes),
        "false_positive_rate": lambda w: ratio(w @ (flagged * no), w @ no),
        "auroc": lambda w: auroc(truth, chance, w),
        "calibration": lambda w: ratio(w @ (yes - chance), w.sum(axis=1)),
    }


def _judged(
    question: Question, members: np.ndarray, figures: Mapping[str, Figure]
) -> dict[str, dict[str, Any]]:
    """Figures of a group and its gaps to all others, both from the same resamples."""
    inside, outside = members.astype(float), (~members).astype(float)
    parts: dict[str, Figure] = {}
    for name, figure in figures.items():
        parts[f"in {name}"] = partial(_weighed, figure, inside)
        parts[f"out {name}"] = partial(_weighed, figure, outside)
    several = drawn(parts, question.patients)
    found = {}
    for name, figure in figures.items():
        own, other = float(figure(inside[None])[0]), float(figure(outside[None])[0])
        gap = several[f"in {name}"] - several[f"out {name}"]
        value = interval(own, several[f"in {name}"])
        if name in RATES:
            of = int((question.truth[members] == RATES[name]).sum())
            value = at_edges(value, round(own * of) if of else 0, of)
        found[name] = {
            **value.as_dict(),
            "gap": interval(own - other, gap).as_dict(),
            "p": None,
            "different": False,
        }
    return found


def _weighed(figure: Figure, members: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return figure(weights * members)


def _gap(figure: Figure, members: np.ndarray) -> np.ndarray:
    return figure(members) - figure(1 - members)


def _test(
    question: Question,
    members: list[np.ndarray],
    figures: Mapping[str, Figure],
    found: list[dict[str, Any]],
) -> int:
    """Writes adjusted P values into `found`; how many gaps were tested."""
    if not members:
        return 0
    tested = {
        name: np.array(
            [
                min(_counted(question.truth[m], name) for m in (one, ~one)) >= FEWEST_TO_TEST
                for one in members
            ]
        )
        for name in figures
    }
    gaps = {name: partial(_gap, figure) for name, figure in figures.items()}
    values = adjusted(gaps, BETWEEN_ALL, question, np.array(members), tested)
    for name, column in values.items():
        for entry, p in zip(found, column, strict=True):
            if np.isfinite(p):
                entry["figures"][name] |= {"p": float(p), "different": bool(p <= ALPHA)}
    return int(sum(use.sum() for use in tested.values()))


def _counted(truth: np.ndarray, name: str) -> int:
    """How many cases a figure of these rests on."""
    positives, negatives = int(truth.sum()), int((~truth).sum())
    return {
        "sensitivity": positives,
        "false_positive_rate": negatives,
        "auroc": min(positives, negatives),
        "calibration": len(truth),
    }[name]
