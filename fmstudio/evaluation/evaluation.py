"""The whole evaluation of an adapter, from its answers to labelled cases."""

from __future__ import annotations

from collections.abc import Mapping
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
from fmstudio.results.evaluation import (
    PARTS,
    ByLabel,
    Evaluation,
    QuestionParts,
    RegressionParts,
)
from fmstudio.types import TaskSpec

CASES = 8  # best, worst and most uncertain ones each


def judgement(
    adapter: str,
    held: HeldOut,
    conformal: Mapping[str, Any],
    learning_curve: Mapping[str, Any] | None = None,
) -> Evaluation:
    """Everything about `held.test`; thresholds and recalibration come from `held.validation`.

    `adapter` is the id of the adapter, `conformal` what its sets were fitted to, `learning_curve`
    the one of its run.
    """
    task, test = held.task, held.test
    return Evaluation(
        adapter=adapter,
        n=len(test),
        patients=len(set(test.patients.tolist())),
        task=task.kind,
        labels=task.labels,
        columns=task.columns,
        modalities=held.modalities,
        metrics=evaluate(task, test.targets, test.outputs, test.patients),
        subsets=held.subsets,
        fusion=held.fusion,
        missing=held.missing,
        **(_about_a_number(test) if task.kind == "regression" else _about_probabilities(held)),
        conformal=coverage(task, test, conformal)
        | {"levels": at_levels(task, test, held.validation)},
        learning_curve=dict(learning_curve) if learning_curve else None,
        cases=cases(task, test),
    )


def _about_a_number(test: LabelledPredictions) -> dict[str, Any]:
    """The parts of a regression by name; None where it has none."""
    own = RegressionParts(calibration_of_numbers(test), subgroups_of_numbers(test))
    return dict.fromkeys(PARTS) | {"calibration": own.calibration, "subgroups": own.subgroups}


def _about_probabilities(held: HeldOut) -> dict[str, Any]:
    """The parts of every other task by name; by label where it has several questions."""
    before = (
        {}
        if held.validation is None
        else {question.label: question for question in questions(held.task, held.validation)}
    )
    every = [
        _about_question(held, question, before.get(question.label))
        for question in questions(held.task, held.test)
        if len(question)
    ]
    if held.task.kind == "binary":
        return {name: getattr(every[0], name) for name in PARTS}
    n = len(held.test)
    return {name: ByLabel(n, {each.label: getattr(each, name) for each in every}) for name in PARTS}


def _about_question(held: HeldOut, question: Question, chosen_on: Question | None) -> QuestionParts:
    """One question on held-out patients, with what validation patients choose."""
    uncalibrated = None if held.task.kind == "multiclass" else held.as_trained(question.chance)
    return QuestionParts(
        label=question.label,
        discrimination=discrimination(question),
        calibration=calibration(question, recalibration(question, chosen_on, uncalibrated)),
        operating_points=operating_points(question, chosen_on),
        decision_curve=decision_curve(question),
        triage=triage(question),
        subgroups=subgroups(question, held.test),
    )


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
