"""Whether the model treats groups of patients alike: figures by group, and gaps that are real.

Every value of every group column, and every pair of values of two columns, that at least 20 cases
have is compared with all other cases in sensitivity and false positive rate at a threshold, AUROC,
and how far chances are too low on average. Smaller groups are named with their size. Intervals come
from resampled patients, and each holds for its own gap alone; as some of many gaps come by luck, a
gap is called real by its P value adjusted for all of them (see `permutation`).

Shape letters: n cases, G groups, R resamples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations

import numpy as np

from fmstudio.evaluation.labelled_predictions import LabelledPredictions, Question
from fmstudio.evaluation.metrics import auroc
from fmstudio.evaluation.permutation import adjusted
from fmstudio.evaluation.resampling import Figure, at_edges, drawn, interval, ratio
from fmstudio.results.subgroups import ComparedMetric, Gap, Group, SmallGroup, Subgroups

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
) -> Subgroups:
    """The metrics of each group at a threshold, its gaps to all other cases, and which are real."""
    compared, small = [], []
    for group, members in _groups(question, answered):
        n = int(members.sum())
        if SMALLEST <= n <= len(question) - SMALLEST:
            compared.append((group, members))
        else:
            small.append(SmallGroup(group, n, int(question.truth[members].sum())))
    figures = _figures(question, threshold)
    several = [members for _, members in compared]
    tested = {
        name: np.array([_can_be_tested(question, members, name) for members in several], bool)
        for name in figures
    }
    p_values = _p_values(question, several, figures, tested)
    groups = [
        Group(
            group,
            int(members.sum()),
            int(question.truth[members].sum()),
            {
                name: _with_p(each, float(p_values[name][row]))
                for name, each in _compared(question, members, figures).items()
            },
        )
        for row, (group, members) in enumerate(compared)
    ]
    return Subgroups(
        n=len(question),
        positives=question.positives,
        threshold=threshold,
        groups=tuple(groups),
        tests=int(sum(use.sum() for use in tested.values())),
        small=tuple(small),
        gaps=tuple(
            Gap(entry.group, name, own.gap, own.p)
            for entry in groups
            for name, own in entry.metrics.items()
            if own.p is not None and own.different
        ),
    )


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


def _compared(
    question: Question, members: np.ndarray, figures: Mapping[str, Figure]
) -> dict[str, ComparedMetric]:
    """Metrics of a group and its gaps to all others, both from the same resamples; not tested."""
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
        found[name] = ComparedMetric(value, interval(own - other, gap), None, False)
    return found


def _with_p(metric: ComparedMetric, p: float) -> ComparedMetric:
    """A metric with the P value of its gap, which is NaN where it was not tested."""
    return replace(metric, p=p, different=p <= ALPHA) if np.isfinite(p) else metric


def _weighed(figure: Figure, members: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return figure(weights * members)


def _gap(figure: Figure, members: np.ndarray) -> np.ndarray:
    return figure(members) - figure(1 - members)


def _can_be_tested(question: Question, members: np.ndarray, name: str) -> bool:
    """Whether a metric rests on enough cases, in the group and outside it."""
    sides = (question.truth[members], question.truth[~members])
    return min(_counted(truth, name) for truth in sides) >= FEWEST_TO_TEST


def _p_values(
    question: Question,
    members: Sequence[np.ndarray],
    figures: Mapping[str, Figure],
    tested: Mapping[str, np.ndarray],
) -> Mapping[str, np.ndarray]:
    """For each metric the adjusted P values (G) of its gaps, NaN where they were not tested."""
    if not members:
        return {}
    gaps = {name: partial(_gap, figure) for name, figure in figures.items()}
    return adjusted(gaps, BETWEEN_ALL, question, np.array(members), tested)


def _counted(truth: np.ndarray, name: str) -> int:
    """How many cases a figure of these rests on."""
    positives, negatives = int(truth.sum()), int((~truth).sum())
    return {
        "sensitivity": positives,
        "false_positive_rate": negatives,
        "auroc": min(positives, negatives),
        "calibration": len(truth),
    }[name]
