"""The whole judgement of an adapter on cases that it answered: the JSON of `evaluate`.

Each part is {n, …} for a task with one yes-or-no question; with several (labels, or each class
against the others) it is {n, by_label: {label: {n, …}}}. A task about a number has no thresholds:
its decision curve, operating points and triage are null.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fmstudio.evaluation.conformal_coverage import at_levels, coverage
from fmstudio.evaluation.curves import discrimination
from fmstudio.evaluation.decision_curve import decision_curve
from fmstudio.evaluation.labelled_predictions import (
    HeldOut,
    LabelledPredictions,
    Question,
    questions,
)
from fmstudio.evaluation.metrics import evaluate
from fmstudio.evaluation.operating_points import operating_points
from fmstudio.evaluation.recalibration import recalibration
from fmstudio.evaluation.regression_metrics import calibration_of_numbers, subgroups_of_numbers
from fmstudio.evaluation.reliability import calibration
from fmstudio.evaluation.subgroups import subgroups
from fmstudio.evaluation.triage import triage
from fmstudio.types import TaskSpec

CASES = 8  # best, worst and most uncertain ones each
Part = Callable[[Question, Question | None], dict[str, Any]]


def judgement(
    held: HeldOut, conformal: Mapping[str, Any], learning_curve: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Everything about `held.test`; thresholds and recalibration come from `held.validation`.

    `conformal` is what the adapter's sets were fitted to, `learning_curve` the one of its run.
    """
    task, test = held.task, held.test
    figures = evaluate(task, test.targets, test.outputs, test.patients)
    parts = _about_a_number(test) if task.kind == "regression" else _about_chances(held)
    return {
        "n": len(test),
        "patients": len(set(test.patients.tolist())),
        "task": task.kind,
        "labels": list(task.labels),
        "columns": list(task.columns),
        "modalities": list(held.modalities),
        "metrics": {name: figure.as_dict() for name, figure in figures.items()},
        "subsets": [dict(one) for one in held.subsets],
        "fusion": held.fusion,
        "missing": [dict(one) for one in held.missing],
        **parts,
        "conformal": coverage(task, test, conformal)
        | {"levels": at_levels(task, test, held.validation)},
        "learning_curve": dict(learning_curve) if learning_curve else None,
        "cases": cases(task, test),
    }


def _about_a_number(test: LabelledPredictions) -> dict[str, Any]:
    return {
        "discrimination": None,
        "calibration": calibration_of_numbers(test),
        "operating_points": None,
        "decision_curve": None,
        "triage": None,
        "subgroups": subgroups_of_numbers(test),
    }


def _about_chances(held: HeldOut) -> dict[str, Any]:
    def checked(question: Question, chosen_on: Question | None) -> dict[str, Any]:
        before = None if held.task.kind == "multiclass" else held.as_trained(question.chance)
        told = recalibration(question, chosen_on, before)
        return calibration(question) | {"recalibration": told}

    parts: Mapping[str, Part] = {
        "discrimination": lambda question, _: discrimination(question),
        "calibration": checked,
        "operating_points": operating_points,
        "decision_curve": lambda question, _: decision_curve(question),
        "triage": lambda question, _: triage(question),
        "subgroups": lambda question, _: subgroups(question, held.test),
    }
    return {name: each_question(held, part) for name, part in parts.items()}


def each_question(held: HeldOut, part: Part) -> dict[str, Any]:
    """A part of the judgement for every question of the task."""
    before = (
        {}
        if held.validation is None
        else {question.label: question for question in questions(held.task, held.validation)}
    )
    found = {
        question.label: part(question, before.get(question.label))
        for question in questions(held.task, held.test)
        if len(question)
    }
    if held.task.kind == "binary":
        return next(iter(found.values()))
    return {"n": len(held.test), "by_label": found}


def cases(task: TaskSpec, test: LabelledPredictions) -> dict[str, list[dict[str, Any]]]:
    """The cases to look at: {best, worst, uncertain}, each {case_id, answer, truth, sureness}.

    Sureness is the chance of what is true, so that worst is what was most surely wrong; for numbers
    it is minus the absolute error, and none is uncertain.
    """
    sure, doubt = _sureness(task, test)
    order = np.argsort(-sure, kind="stable")
    kinds = {"best": order[:CASES], "worst": order[::-1][:CASES]}
    if doubt is not None:
        kinds["uncertain"] = np.argsort(-doubt, kind="stable")[:CASES]
    return {
        kind: [
            {
                "case_id": test.case_ids[row],
                "answer": _plain(test.outputs[row]),
                "truth": _plain(test.targets[row]),
                "sureness": float(sure[row]),
            }
            for row in rows
        ]
        for kind, rows in kinds.items()
    }


def _sureness(task: TaskSpec, test: LabelledPredictions) -> tuple[np.ndarray, np.ndarray | None]:
    """For each case (n) the chance of the truth, and how undecided the answer is."""
    outputs, targets = test.outputs, test.targets
    if task.kind == "regression":
        return -np.abs(outputs - targets), None
    if task.kind == "multiclass":
        ordered = np.sort(outputs, axis=1)
        return outputs[np.arange(len(outputs)), targets.astype(int)], (
            1 - (ordered[:, -1] - ordered[:, -2])
        )
    columns = outputs.reshape(len(outputs), -1)
    true = targets.reshape(columns.shape)
    right = np.where(np.isnan(true), np.nan, np.where(true > 0.5, columns, 1 - columns))
    return np.nanmean(right, axis=1), 1 - np.abs(2 * columns - 1).mean(axis=1)


def _plain(value: Any) -> Any:
    """A number or a list of numbers, null for NaN."""
    if np.ndim(value):
        return [_plain(one) for one in value]
    return float(value) if np.isfinite(value) else None
