"""The parts of an evaluation that belong to one question, each in its place on the page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr

from fmstudio.present.outcomes import positive_in_a_sentence
from fmstudio.results.metrics import headline_in
from fmstudio.ui import evaluation_plots, evaluation_tables, threshold_tables
from fmstudio.ui.fragments import NOTHING, empty, join, section

if TYPE_CHECKING:
    from fmstudio.studio import Studio


PARTS = (
    "discrimination",
    "calibration",
    "operating_points",
    "decision_curve",
    "triage",
    "subgroups",
)


def question_of(found: Mapping[str, Any], label: str | None) -> dict[str, Any]:
    """The parts of a judgement that are about one question."""
    parts = {}
    for name in PARTS:
        part = found[name]
        if part and "by_label" in part:
            part = part["by_label"].get(label) or next(iter(part["by_label"].values()))
        parts[name] = part
    return parts


def shown_parts(studio: Studio, found: Mapping[str, Any], parts: Mapping[str, Any]) -> list[Any]:
    """Values for `_rest`."""
    names = evaluation_tables.labels_of(studio.pipelines())
    main = headline_in(found["metrics"]) or next(iter(found["metrics"]))
    learned = found["learning_curve"]
    lead = "Everything it is given against any subset, on the same cases; intervals are paired."
    kinds = ("worst", "uncertain", "best")
    about = (found["labels"], found["adapter"], found["task"])
    listed = [evaluation_tables.case_list(found, kind, *about) for kind in kinds]
    return [
        evaluation_plots.reliability(parts["calibration"]),
        evaluation_tables.calibration(parts["calibration"]),
        join(
            [
                section("Do the modalities help each other?", lead),
                evaluation_tables.subsets(found, names),
            ]
        ),
        plot_in_place(evaluation_plots.by_missing(found["missing"], main)),
        evaluation_tables.groups(parts["subgroups"]),
        evaluation_tables.conformal(found["conformal"], found["task"] == "regression"),
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


def word_of(found: Mapping[str, Any], wanted: str | None, task: Mapping[str, Any]) -> str:
    """What a positive case of `task` is called in a sentence."""
    if found["task"] == "binary":
        return positive_in_a_sentence(task | {"labels": found["labels"]})
    return wanted or str(found["labels"][0])


def first_parts(found: Mapping[str, Any], parts: Mapping[str, Any], word: str) -> list[Any]:
    """Values for `_moved` as an adapter is chosen: the threshold for the first target."""
    if found["triage"] is None:
        return [gr.skip()] * 2 + [NOTHING, None, None, None, NOTHING]
    points = parts["operating_points"]
    at = next((one for one in points["points"] if one["threshold"] is not None), points["half"])
    return [
        on_slider(at["threshold"], at.get("target", "sensitivity")),
        round(100 * at["prevalence"], 1),
        threshold_tables.at_threshold(at, word),
        evaluation_plots.roc(parts["discrimination"], at),
        evaluation_plots.precision_recall(parts["discrimination"], at),
        evaluation_plots.decision(parts["decision_curve"]),
        threshold_tables.triage(parts["triage"]),
    ]
