"""Fine-tune: six steps from the question to the running fine-tune."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from fmstudio.errors import InputError, NotFound
from fmstudio.present.values import number
from fmstudio.records import LIVE_STATES, ProjectRecord
from fmstudio.ui import forms, run_settings, settings_step
from fmstudio.ui.encoders import encoder_choice
from fmstudio.ui.findings import findings, in_words
from fmstudio.ui.fragments import (
    NOTHING,
    Html,
    area,
    empty,
    facts,
    heading,
    hidden,
    join,
    notice,
    section,
    tag,
    text,
)
from fmstudio.ui.message import shown
from fmstudio.ui.page import Page
from fmstudio.ui.project_picker import REMEMBER, project_dropdown, without_project
from fmstudio.ui.reports import in_brief, modalities
from fmstudio.ui.review import review_step
from fmstudio.ui.run_monitor import watch
from fmstudio.ui.wording import TASKS

if TYPE_CHECKING:
    from fmstudio.run_config import RunConfig
    from fmstudio.studio import Studio

TASK, DATA, BASE, SETTINGS, REVIEW, RUNNING = range(1, 7)
OPTIONS: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


def build(app: gr.Blocks, studio: Studio) -> None:
    """The page."""
    area(
        heading(
            "Fine-tune",
            "Adapt the base model to your question with the patients of your "
            "cohort. Each step can be gone back to.",
        )
    )
    run_id = hidden("run-id")
    with gr.Walkthrough(selected=TASK, elem_id="wizard") as wizard:
        with gr.Step("Task", id=TASK):
            project, to_data = _task(app, studio)
        with gr.Step("Data", id=DATA):
            cohort = area()
            data_back, data_next = _buttons()
        with gr.Step("Base and modalities", id=BASE):
            base, chosen, encoders = _base(app, studio, project)
            base_back, base_next = _buttons()
        with gr.Step("Settings", id=SETTINGS):
            settings = settings_step.build()
            preset, fields = settings.preset, settings.table.fields
            settings_back, settings_next = _buttons("Review")
        with gr.Step("Review", id=REVIEW):
            review = area(elem_id="review")
            review_back, start = _buttons("Start fine-tuning")
        with gr.Step("Running", id=RUNNING):
            watch(studio, run_id)
            another = gr.Button("Set up another run", elem_classes="fm-narrow")

    for button, step in (
        (data_back, TASK),
        (base_back, DATA),
        (settings_back, BASE),
        (review_back, SETTINGS),
        (another, TASK),
        (base_next, SETTINGS),
    ):
        _go(button, wizard, step)
    settings_step.follow(studio, settings, project, base, chosen, encoders)

    @shown
    def show_data(ref: str | None) -> tuple[dict, Html]:
        if not ref:
            raise InputError("No project is chosen.", hint="Create one on the start page first.")
        return gr.Walkthrough(selected=DATA), data_step(studio, int(ref))

    @shown
    def leave_data(ref: str) -> dict:
        record = studio.cohorts.newest(int(ref))
        if record is None:
            raise InputError("The project has no data.", hint="Add a cohort on the Data page.")
        if record.audit.stops:
            raise InputError(record.audit.stops[0].message, hint="Resolve it on the page Data.")
        return gr.Walkthrough(selected=BASE)

    def planned(base: str, names: list[str], preset: str, *values: Any) -> RunConfig:
        picked = dict(zip(encoders, values, strict=False))
        own = {name: picked[name] for name in names if picked[name]}
        return forms.config(base, names, preset, list(values[len(encoders) :]), own)

    @shown
    def show_review(
        ref: str, base: str, names: list[str], preset: str, *values: Any
    ) -> tuple[dict, Html]:
        config = planned(base, names, preset, *values)
        return gr.Walkthrough(selected=REVIEW), review_step(studio, int(ref), config)

    @shown
    def begin(ref: str, base: str, names: list[str], preset: str, *values: Any) -> tuple[dict, str]:
        run = studio.runs.start(int(ref), planned(base, names, preset, *values))
        return gr.Walkthrough(selected=RUNNING), run.id

    @shown
    def load(ref: str | None, file: str) -> tuple[Any, ...]:
        if not ref:
            raise InputError("No project is chosen.", hint="Choose one in step 1.")
        planned = studio.runs.plan_from_recipe(int(ref), Path(file))
        told = run_settings.origin(f"the recipe {Path(file).name}", planned.remarks)
        return (
            planned.config.base,
            list(planned.config.modalities),
            told,
            *run_settings.filled(planned, encoders, studio),
        )

    @shown
    def fill_again(request: gr.Request) -> tuple[Any, ...]:
        planned = run_settings.asked_again(studio, request)
        if planned is None:
            return gr.skip()
        run = studio.runs.get(request.query_params["again"])
        told = run_settings.origin(f"the run {run.id}", planned.remarks)
        return (
            gr.Walkthrough(selected=SETTINGS),
            data_step(studio, run.project_id),
            told,
            *run_settings.filled(planned, encoders, studio),
        )

    @shown
    def reopen(request: gr.Request) -> tuple[dict, str]:
        """A run that is asked for, or that is live: a reload or second tab shows it again."""
        asked, here = request.query_params.get("run"), request.query_params.get("project")
        if request.query_params.get("again") and not asked:
            return gr.skip()
        found = []
        with suppress(NotFound):  # the address is old: the project was deleted meanwhile
            if here and here.isdecimal():
                found = studio.runs.list(int(here), LIVE_STATES, limit=1)
            if asked:
                found = [studio.runs.get(asked)]
        return (gr.Walkthrough(selected=RUNNING), found[0].id) if found else gr.skip()

    plan = [project, base, chosen, preset, *encoders.values(), *fields]
    filled = [settings.origin, *encoders.values(), preset, *fields]
    settings.table.load.upload(
        load, [project, settings.table.load], [base, chosen, *filled], **OPTIONS
    )
    to_data.click(show_data, project, [wizard, cohort], **OPTIONS)
    data_next.click(leave_data, project, wizard, **OPTIONS)
    # First the ranges, said at each field; Gradio's validators see no choices that came later,
    # so they get the settings alone.
    settings_next.click(
        lambda *_: None, fields, validator=forms.check, api_visibility="private"
    ).success(show_review, plan, [wizard, review], **OPTIONS)
    start.click(begin, plan, [wizard, run_id], **OPTIONS)
    run_id.change(None, run_id, js=REMEMBER.format(name="run"), api_visibility="private")
    another.click(lambda: "", outputs=run_id, **OPTIONS)
    app.load(reopen, outputs=[wizard, run_id], **OPTIONS)
    app.load(fill_again, outputs=[wizard, cohort, *filled], **OPTIONS)


def _go(button: gr.Button, wizard: gr.Walkthrough, step: int) -> None:
    button.click(lambda: gr.Walkthrough(selected=step), outputs=wizard, **OPTIONS)


def _buttons(onward: str = "Next") -> tuple[gr.Button, gr.Button]:
    """Back and onward."""
    with gr.Row(elem_classes="fm-steps"):
        back = gr.Button("Back", elem_classes="fm-narrow")
        forward = gr.Button(onward, variant="primary", elem_classes="fm-narrow")
    return back, forward


def _task(app: gr.Blocks, studio: Studio) -> tuple[gr.Dropdown, gr.Button]:
    """Which question."""
    project = project_dropdown(app, studio)
    words = area()
    none = empty("There is no project yet.", "Create one on the start page", "/")
    without_project(app, studio, words, none)

    @shown
    def show(ref: str | None) -> Html:
        return task_step(studio.projects.get(int(ref))) if ref else gr.skip()

    project.change(show, project, words, **OPTIONS)
    with gr.Row(elem_classes="fm-steps"):
        return project, gr.Button("Next", variant="primary", elem_classes="fm-narrow")


def task_step(project: ProjectRecord) -> Html:
    """The question of a project and what counts as its answer."""
    task = project.task
    pairs = [
        ("Question", task.description or "–"),
        ("The answer is", TASKS.get(task.kind, task.kind)),
        ("Outcome column", ", ".join(task.columns) or "taken from the cohort"),
        ("Outcomes", ", ".join(task.labels) or "taken from the cohort"),
    ]
    if task.positive:
        pairs.append(("Counts as yes", task.positive))
    if task.positive_name:
        pairs.append(("Yes means", task.positive_name))
    if task.negative_name:
        pairs.append(("No means", task.negative_name))
    return join([section(project.name, write=text), facts(pairs)])


def data_step(studio: Studio, project: int) -> Html:
    """What there is to learn from."""
    record = studio.cohorts.newest(project)
    if record is None:
        return empty("This project has no data yet.", "Add a cohort", f"/data?project={project}")
    parts = [
        section(record.name, in_brief(record.audit), text),
        modalities(record.audit, studio.pipelines()),
        section("Findings", in_words(record.audit.findings)),
        findings(record.audit.findings, cleaning=False),
    ]
    if record.audit.stops:
        parts.append(
            notice(
                "This cohort cannot be learned from yet.",
                "Resolve on the page Data what must be fixed.",
                "stop",
            )
        )
    return join(parts)


def _base(
    app: gr.Blocks, studio: Studio, project: gr.Dropdown
) -> tuple[gr.Dropdown, gr.CheckboxGroup, dict[str, gr.Dropdown]]:
    """Which base model, what it may look at, and what reads each modality."""
    base = gr.Dropdown(label="Base model", choices=[], value=None)
    words = area()
    chosen = gr.CheckboxGroup(
        label="The model may look at",
        choices=[],
        value=[],
        info="A case may lack any of them. Leave out what will not be at hand when predicting.",
    )

    @shown
    def offer_bases(request: gr.Request) -> gr.Dropdown:
        bases = [(info.title, info.name) for info in studio.bases.list()]
        again = run_settings.wanted_again(studio, request)
        first = again.base if again else bases[0][1] if bases else None
        return gr.Dropdown(choices=bases, value=first)

    @shown
    def describe(name: str | None) -> Html:
        info = next((info for info in studio.bases.list() if info.name == name), None)
        if info is None:
            return NOTHING
        size = f"{number(info.parameters / 1e6, 1)} million parameters, {info.size_mb:.0f} MB"
        return tag("p", text(f"{info.description} {size}, licence {info.licence}."), "fm-note")

    @shown
    def offer_modalities(ref: str | None, request: gr.Request) -> gr.CheckboxGroup:
        record = studio.cohorts.newest(int(ref)) if ref else None
        counts = record.audit.modalities if record else {}
        there = [pipeline for pipeline in studio.pipelines() if counts.get(pipeline.name)]
        labels = [(f"{one.label} ({number(counts[one.name])})", one.name) for one in there]
        again = run_settings.wanted_again(studio, request)
        if again and record and str(record.project_id) == request.query_params.get("project"):
            there = [one for one in there if one.name in again.modalities]
        return gr.CheckboxGroup(choices=labels, value=[one.name for one in there])

    encoders = encoder_choice(app, studio, chosen)
    app.load(offer_bases, outputs=base, **OPTIONS)
    base.change(describe, base, words, **OPTIONS)
    project.change(offer_modalities, project, chosen, **OPTIONS)
    return base, chosen, encoders


PAGE = Page("finetune", "finetune", "Fine-tune", order=2, build=build)
