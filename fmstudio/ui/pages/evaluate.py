"""Evaluate: how good an adapter is on held-out patients, and what it would do in use."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from fmstudio.errors import InputError
from fmstudio.results.evaluation import QuestionParts
from fmstudio.studio.uploads import temp_folder
from fmstudio.ui import evaluation_plots, evaluation_tables, threshold_tables
from fmstudio.ui.evaluation_parts import first_parts, on_slider, shown_parts, word_of
from fmstudio.ui.fragments import NOTHING, Html, area, empty, heading, join, section
from fmstudio.ui.message import shown
from fmstudio.ui.page import READY, Page
from fmstudio.ui.pages.predict import adapter_choices, asked_adapter
from fmstudio.ui.project_picker import REMEMBER
from fmstudio.ui.results import metrics

if TYPE_CHECKING:
    from fmstudio.studio import Studio

OPTIONS: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
TARGETS = [
    ("Sensitivity", "sensitivity"),
    ("Specificity", "specificity"),
    ("PPV", "ppv"),
    ("NPV", "npv"),
]


@dataclass(frozen=True)
class Sliders:
    """What a reader can move, and where what follows from it appears."""

    threshold: gr.Slider
    prevalence: gr.Slider
    target: gr.Dropdown
    asked: gr.Slider
    find: gr.Button
    said: gr.HTML
    roc: gr.Plot
    pr: gr.Plot
    decision: gr.Plot
    ppv: gr.Slider
    npv: gr.Slider
    promised: gr.HTML


def build(app: gr.Blocks, studio: Studio) -> None:
    """The page."""
    area(
        heading(
            "Evaluate",
            "How good an adapter is on patients that it never saw, and what it "
            "would do in your clinic.",
        )
    )
    with gr.Row():
        chosen = gr.Dropdown(label="Adapter", choices=[], value=None, scale=3, elem_id="judged")
        label = gr.Dropdown(label="About", choices=[], value=None, scale=2, visible=False)
        others = gr.Dropdown(
            label="Compare with",
            choices=[],
            value=[],
            multiselect=True,
            scale=3,
            elem_id="compared",
        )
    glance = area(elem_id="glance")
    compared = area(elem_id="side-by-side")
    with gr.Column(visible=False) as body:
        with gr.Column(visible=True) as thresholds:
            sliders = _thresholds()
        shown_parts = _rest()
        _report(studio, chosen)
    outputs = [glance, body, thresholds, label, *shown_parts, *_moved(sliders)]
    _wire(app, studio, chosen, label, others, compared, sliders, outputs)


def _thresholds() -> Sliders:
    """Discrimination, thresholds, decision curve and triage: all that needs a yes or no."""
    area(
        section(
            "Discrimination",
            "Each point of a curve is a threshold; the shaded band is "
            "where the curve would mostly lie with other patients like these.",
        )
    )
    with gr.Row():
        roc = gr.Plot(show_label=False, elem_id="roc")
        pr = gr.Plot(show_label=False, elem_id="pr")
    area(
        section(
            "A threshold, and what it does to patients",
            "Move the threshold, or say what you "
            "need and let validation patients find it. Set the prevalence of your own clinic: "
            "PPV, NPV and net benefit depend on it.",
        )
    )
    with gr.Row():
        label = "Threshold: flag from this probability on"
        threshold = gr.Slider(0, 1, 0.5, step=0.0001, label=label, elem_id="threshold")
        prevalence = gr.Slider(
            0.1, 99.9, 50, step=0.1, label="Prevalence in your clinic, %", elem_id="prevalence"
        )
    with gr.Row(equal_height=True):
        target = gr.Dropdown(TARGETS, value="sensitivity", label="I need", min_width=140)
        asked = gr.Slider(50, 99.5, 90, step=0.5, label="of at least, %", elem_id="asked")
        find = gr.Button("Find the threshold", min_width=180, elem_id="find")
    said = area(elem_id="at-threshold")
    area(
        section(
            "Decision curve",
            "Net benefit counts those rightly treated, minus "
            "those wrongly treated at the weight that your threshold gives them. Where the "
            "model's curve is highest, acting on it does best.",
        )
    )
    decision = gr.Plot(show_label=False, elem_id="decision")
    area(
        section(
            "Rule in, rule out, defer",
            "How many could be answered with a promise, and how many are left to a clinician.",
        )
    )
    with gr.Row():
        ppv = gr.Slider(50, 99, 90, step=1, label="Promise a PPV of at least, %")
        npv = gr.Slider(50, 99, 95, step=1, label="Promise an NPV of at least, %")
    promised = area(elem_id="triage")
    return Sliders(
        threshold, prevalence, target, asked, find, said, roc, pr, decision, ppv, npv, promised
    )


def _rest() -> list[gr.components.Component]:
    """What no slider moves, in the order in which `shown_parts` fills it."""
    area(
        section(
            "Is it calibrated?",
            "Of cases that it gives 70 %, 7 of 10 "
            "should have it. Each point is a tenth of the cases, the bar its exact 95 % "
            "interval.",
        )
    )
    with gr.Row(equal_height=False):
        with gr.Column(min_width=420):
            reliability = gr.Plot(show_label=False, elem_id="reliability")
        with gr.Column(min_width=560):
            calibration = area(elem_id="calibration")
    fusion = area(elem_id="fusion")
    missing = gr.Plot(show_label=False, elem_id="missing")
    area(
        section(
            "Does performance differ between subgroups?",
            "Each group against all others. A gap "
            "is marked only if it holds against all comparisons taken together, so that equal "
            "groups are called different in at most 5 % of cohorts.",
        )
    )
    groups = area(elem_id="groups")
    area(
        section(
            "Conformal prediction sets",
            "The labels that cannot be excluded for a case, so "
            "that the truth is among them as often as asked.",
        )
    )
    conformal = area(elem_id="conformal")
    area(
        section(
            "Learning curve",
            "Refits on fewer of the training patients, and the "
            "power law through them. A forecast, not a promise.",
        )
    )
    learning = gr.Plot(show_label=False, elem_id="learning")
    budget = area(elem_id="budget")
    cases = area(elem_id="cases")
    return [reliability, calibration, fusion, missing, groups, conformal, learning, budget, cases]


def _moved(sliders: Sliders) -> list[gr.components.Component]:
    return [
        sliders.threshold,
        sliders.prevalence,
        sliders.said,
        sliders.roc,
        sliders.pr,
        sliders.decision,
        sliders.promised,
    ]


def _report(studio: Studio, chosen: gr.Dropdown) -> None:
    """The report on an adapter as a ZIP to download."""
    area(
        section(
            "Report",
            "Methods and results as they were, TRIPOD+AI and CLAIM with what is "
            "known filled in and what only you know marked open, the model card, figures as "
            "files, and everything as JSON. HTML and PDF.",
        )
    )
    with gr.Row():
        button = gr.Button("Write the report", variant="primary", elem_id="report")
        download = gr.File(label="Report (ZIP)", visible=False, interactive=False)

    @shown
    def write(adapter_id: str) -> dict[str, Any]:
        folder = temp_folder(studio.settings) / f"report-{adapter_id}"
        studio.evaluation.report(adapter_id, folder)
        path = shutil.make_archive(str(folder), "zip", folder.parent, folder.name)
        return gr.update(value=path, visible=True)

    button.click(write, chosen, download, api_visibility="private", show_progress_on=[button])
    chosen.change(lambda: gr.update(value=None, visible=False), outputs=download, **OPTIONS)


def _wire(
    app: gr.Blocks,
    studio: Studio,
    chosen: gr.Dropdown,
    label: gr.Dropdown,
    others: gr.Dropdown,
    compared: gr.HTML,
    sliders: Sliders,
    outputs: Sequence[gr.components.Component],
) -> None:
    """Opening the page, another adapter, every slider."""

    @shown
    def opened(request: gr.Request) -> tuple[gr.Dropdown, gr.Dropdown, Any]:
        value = asked_adapter(studio, request)
        labels = adapter_choices(studio, value)
        none = empty("There is no adapter to evaluate yet.", "Fine-tune a model", "/finetune")
        return (
            gr.Dropdown(choices=labels, value=value),
            gr.Dropdown(choices=labels, value=[], multiselect=True),
            gr.skip() if value else none,
        )

    @shown
    def show(adapter_id: str | None, wanted: str | None) -> tuple[Any, ...]:
        if not adapter_id:
            return (gr.skip(),) * len(outputs)
        found = studio.evaluation.evaluate(adapter_id)
        parts = found.parts(wanted)
        task = studio.adapters.task(studio.adapters.get(adapter_id))
        questions = [one.label for one in found.questions()] if found.several else []
        about = wanted if wanted in questions else next(iter(questions), None)
        asks = gr.Dropdown(choices=questions, value=about, visible=bool(questions))
        names = evaluation_tables.labels_of(studio.pipelines())
        top = join([metrics(found.metrics), evaluation_tables.glance(found, parts, names)])
        rest = shown_parts(studio, found, parts)
        return (
            top,
            gr.update(visible=True),
            gr.update(visible=found.triage is not None),
            asks,
            *rest,
            *first_parts(parts, word_of(found, wanted, task)),
        )

    @shown
    def moved(adapter_id: str, threshold: float, prevalence: float, wanted: str | None):
        found = studio.evaluation.evaluate(adapter_id)
        at = studio.evaluation.at_threshold(adapter_id, threshold, prevalence / 100, wanted)
        parts = found.parts(wanted)
        assert isinstance(parts, QuestionParts)  # a number has no threshold to move
        curves = parts.discrimination
        task = studio.adapters.task(studio.adapters.get(adapter_id))
        return (
            threshold_tables.at_threshold(at, word_of(found, wanted, task)),
            evaluation_plots.roc(curves, at),
            evaluation_plots.precision_recall(curves, at),
        )

    @shown
    def elsewhere(adapter_id: str, prevalence: float, wanted: str | None):
        found = studio.evaluation.decision_curve(adapter_id, prevalence / 100, wanted)
        return evaluation_plots.decision(found)

    @shown
    def found_threshold(
        adapter_id: str, target: str, asked: float, prevalence: float, wanted: str | None
    ):
        threshold = studio.evaluation.threshold_for(
            adapter_id, target, asked / 100, prevalence / 100, wanted
        )
        if threshold is None:
            name = next(name for name, key in TARGETS if key == target)
            raise InputError(
                f"No threshold reaches a {name} of {asked:.1f} % on the validation patients.",
                hint="Ask for less.",
            )
        return on_slider(threshold, target)

    @shown
    def promised(adapter_id: str, ppv: float, npv: float, wanted: str | None) -> Html:
        return threshold_tables.triage(
            studio.evaluation.triage(adapter_id, ppv / 100, npv / 100, wanted)
        )

    @shown
    def together(adapter_id: str | None, also: list[str]) -> Html:
        also = [one for one in also or [] if one != adapter_id]
        if not adapter_id:
            return NOTHING
        found = studio.evaluation.compare([adapter_id, *also])
        if len(found["adapters"]) < 2:
            return NOTHING
        titles = {value: name for name, value in adapter_choices(studio, adapter_id, *also)}
        return join([section("Side by side"), evaluation_tables.side_by_side(found, titles)])

    app.load(opened, outputs=[chosen, others, outputs[0]], **OPTIONS).then(
        None, js=READY, **OPTIONS
    )
    waiting = OPTIONS | {"show_progress": "minimal", "show_progress_on": [outputs[0]]}
    chosen.change(show, [chosen, label], list(outputs), **waiting)
    label.input(show, [chosen, label], list(outputs), **OPTIONS)
    chosen.change(None, chosen, js=REMEMBER.format(name="adapter"), api_visibility="private")
    at = [chosen, sliders.threshold, sliders.prevalence, label]
    sliding = OPTIONS | {"trigger_mode": "always_last"}  # a dragged slider moves many times
    # Numbers and marks follow the two sliders, whoever moved them: what was asked for last is what
    # is shown in the end, also where a threshold is looked for while the slider still moves.
    gr.on(
        [sliders.threshold.change, sliders.prevalence.change],
        moved,
        at,
        [sliders.said, sliders.roc, sliders.pr],
        **sliding,
    )
    sliders.prevalence.input(
        elsewhere, [chosen, sliders.prevalence, label], sliders.decision, **sliding
    )
    sliders.find.click(
        found_threshold,
        [chosen, sliders.target, sliders.asked, sliders.prevalence, label],
        sliders.threshold,
        **sliding,
    )
    asked = [chosen, sliders.ppv, sliders.npv, label]
    for slider in (sliders.ppv, sliders.npv):
        slider.input(promised, asked, sliders.promised, **sliding)
    gr.on([chosen.change, others.change], together, [chosen, others], compared, **OPTIONS)


PAGE = Page("evaluate", "evaluate", "Evaluate", order=4, build=build)
