"""The parts of an evaluation that belong to one question, each in its place on the page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr

from fmstudio.present.outcomes import positive_in_a_sentence
from fmstudio.results.evaluation import Evaluation, QuestionParts, RegressionParts
from fmstudio.results.metrics import headline_in
from fmstudio.ui import evaluation_plots, evaluation_tables, subgroup_tables, threshold_tables
from fmstudio.ui.fragments import NOTHING, empty, join, section

if TYPE_CHECKING:
    from fmstudio.studio import Studio


def shown_parts(
    studio: Studio, found: Evaluation, parts: QuestionParts | RegressionParts
) -> list[Any]:
    """Values for `_rest`."""
    names = evaluation_tables.labels_of(studio.pipelines())
    main = headline_in(found.metrics) or next(iter(found.metrics))
    learned = found.learning_curve
    lead = "Everything it is given against any subset, on the same cases; intervals are paired."
    kinds = ("worst", "uncertain", "best")
    listed = [evaluation_tables.case_list(found, kind) for kind in kinds]
    return [
        evaluation_plots.reliability(parts.calibration),
        evaluation_tables.regression_calibration(parts.calibration)
        if isinstance(parts, RegressionParts)
        else evaluation_tables.calibration(parts.calibration),
        join(
            [
                section("Do the modalities help each other?", lead),
                evaluation_tables.subsets(found, names),
            ]
        ),
        plot_in_place(evaluation_plots.by_missing(found.missing, main)),
        subgroup_tables.groups(parts.subgroups),
        evaluation_tables.conformal(found.conformal, found.task == "regression"),
        plot_in_place(evaluation_plots.learning(learned) if learned else None),
        evaluation_tables.budget(learned)
        if learned
        else empty("This adapter was made without a learning curve. A new run has one."),
        join(listed),
    ]


def plot_in_place(figure: Any) -> Any:
    """A figure in its place; no empty box where there is none."""
    return gr.Plot(value=figure, visible=figure is not None)


def on_slider(threshold: float, target: str) -> float:
    """A threshold with four places: the next lower one, so that nobody who was flagged is lost;
    for a specificity the next higher one, so that nobody else is."""
    rounded = math.ceil if target == "specificity" else math.floor
    return rounded(round(10_000 * threshold, 6)) / 10_000


def word_of(found: Evaluation, wanted: str | None, task: Mapping[str, Any]) -> str:
    """What a positive case of `task` is called in a sentence."""
    if found.task == "binary":
        return positive_in_a_sentence(task | {"labels": list(found.labels)})
    return wanted or found.labels[0]


def first_parts(parts: QuestionParts | RegressionParts, word: str) -> list[Any]:
    """Values for `_moved` as an adapter is chosen: the threshold for the first target."""
    if isinstance(parts, RegressionParts):
        return [gr.skip()] * 2 + [NOTHING, None, None, None, NOTHING]
    points = parts.operating_points
    target, at = next(
        ((point.target, at) for point, at in points.reached), ("sensitivity", points.half)
    )
    return [
        on_slider(at.threshold, target),
        round(100 * at.prevalence, 1),
        threshold_tables.at_threshold(at, word),
        evaluation_plots.roc(parts.discrimination, at),
        evaluation_plots.precision_recall(parts.discrimination, at),
        evaluation_plots.decision(parts.decision_curve),
        threshold_tables.triage(parts.triage),
    ]
