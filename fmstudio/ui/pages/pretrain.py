"""Pretrain: a new base from cases without labels, watched while it learns, judged at its end."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from fmstudio.errors import InputError, NotFound
from fmstudio.present.values import number
from fmstudio.pretrain_config import USUAL, PretrainConfig
from fmstudio.records import LIVE_STATES
from fmstudio.ui.forms import widget
from fmstudio.ui.fragments import (
    NOTHING,
    Html,
    area,
    facts,
    figures,
    heading,
    hidden,
    join,
    notice,
    section,
    tag,
)
from fmstudio.ui.message import shown
from fmstudio.ui.page import Page
from fmstudio.ui.pages.data import FILES, HERE, TABLES, WAYS, ZIP, case_view, gathered
from fmstudio.ui.plots import groups_map
from fmstudio.ui.project_picker import REMEMBER, project_dropdown
from fmstudio.ui.run_monitor import watch
from fmstudio.ui.wording import estimated, listed, plural

if TYPE_CHECKING:
    from fmstudio.studio import Studio
    from fmstudio.studio.pretraining import Planned

NO_TABLE = "none"
MORE = [("Nothing more: the cases of the project are enough", NO_TABLE), *WAYS]
EFFORTS = [
    ("Short: 10 passes over the cases. To see whether it runs.", 10),
    ("Usual: 30 passes.", 30),
    ("Long: 200 passes. For a night.", 200),
]
SETTINGS = ("batch_size", "learning_rate", "seed")
OPTIONS: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


def build(app: gr.Blocks, studio: Studio) -> None:
    """The page."""
    area(
        heading(
            "Pretrain",
            "Let a base learn from cases without an outcome: unlabelled ones that you have, and "
            "the training patients of your cohort. Held-out patients are left out, so that the new "
            "base can be judged on them.",
        )
    )
    project = project_dropdown(app, studio)
    kind, table = _table()
    base, modalities, objectives = _learning(app, studio, project)
    effort = gr.Radio(EFFORTS, value=30, label="How much effort", elem_classes="fm-stack")
    items = {item.name: item for item in PretrainConfig.__dataclass_fields__.values()}
    with gr.Accordion("All settings", open=False), gr.Row():
        settings = [widget(items[name], items[name].default) for name in SETTINGS]
    name = gr.Textbox(
        label="Name of the new base", max_length=40, info=items["name"].metadata["help"]
    )
    with gr.Row(elem_classes="fm-steps"):
        look = gr.Button("Look at the plan", elem_classes="fm-narrow")
        start = gr.Button(
            "Start pretraining", variant="primary", elem_classes="fm-narrow", interactive=False
        )
    plan = area(elem_id="plan")
    ready = gr.State(None)
    run_id = hidden("run-id")
    detail = watch(studio, run_id)
    _map(studio, run_id, detail.outcome)

    given = [project, kind, *table, base, modalities, objectives, effort, name, *settings]

    @shown
    def show_plan(*values: Any) -> tuple[Html, Any, dict]:
        path, config = asked_for(studio, *values)
        planned = studio.pretraining.plan(int(values[0]), config, path)
        return plan_step(studio, planned), (path, planned.config), gr.update(interactive=True)

    @shown
    def begin(ref: str, kind: str, ready: tuple[Path | None, PretrainConfig]) -> tuple[str, dict]:
        path, config = ready
        run = studio.pretraining.start(int(ref), config, path, copy=kind != HERE)
        return run.id, gr.update(interactive=False)

    @shown
    def reopen(request: gr.Request) -> str:
        """The run that the address names, or one that is live."""
        asked = request.query_params.get("run")
        if asked:
            with suppress(NotFound):  # the address is old: the run was deleted meanwhile
                if studio.runs.get(asked).kind == "pretrain":
                    return asked
        live = studio.runs.list(states=LIVE_STATES, kind="pretrain", limit=1)
        return live[0].id if live else ""

    look.click(show_plan, given, [plan, ready, start], **OPTIONS)
    start.click(begin, [project, kind, ready], [run_id, start], **OPTIONS)
    gr.on(
        [component.change for component in given],
        lambda: gr.update(interactive=False),
        outputs=start,
        **OPTIONS,
    )
    project.change(
        shown(lambda ref: studio.pretraining.free_name(int(ref)) if ref else ""),
        project,
        name,
        **OPTIONS,
    )
    run_id.change(None, run_id, js=REMEMBER.format(name="run"), api_visibility="private")
    app.load(reopen, outputs=run_id, **OPTIONS)


def _table() -> tuple[gr.Radio, list[gr.components.Component]]:
    """Where further cases come from: which way, and the widgets of every way."""
    kind = gr.Radio(
        MORE,
        value=NO_TABLE,
        label="Further cases",
        elem_classes="fm-stack",
        info="A table like that of a cohort; it needs no outcome. Cases of the project without an "
        "outcome are learned from anyway.",
    )
    archive = gr.File(label="ZIP", file_types=[".zip"], height=130, visible=False)
    with gr.Row(visible=False) as separate:
        table = gr.File(label="Table", file_types=TABLES, height=150)
        files = gr.File(label="Files (many at once)", file_count="multiple", height=150)
    here = gr.Textbox(
        label="Path of the table",
        visible=False,
        placeholder="/home/me/study/unlabelled.csv",
        info="The files stay where they are; the table's folder is where their paths start.",
    )
    kind.change(
        lambda chosen: [gr.update(visible=chosen == each) for each in (ZIP, FILES, HERE)],
        kind,
        [archive, separate, here],
        **OPTIONS,
    )
    return kind, [archive, table, files, here]


def _learning(
    app: gr.Blocks, studio: Studio, project: gr.Dropdown
) -> tuple[gr.Dropdown, gr.CheckboxGroup, gr.CheckboxGroup]:
    """From which base, from what, and to do what."""
    base = gr.Dropdown(label="Learn on from", choices=[], value=None)
    modalities = gr.CheckboxGroup(
        label="Modalities",
        choices=[],
        value=[],
        info="None chosen means everything that the cases have.",
    )
    objectives = gr.CheckboxGroup(
        label="What the base learns to do",
        choices=[],
        value=[],
        elem_classes="fm-stack",
        info="The studio is still loading. The list comes in some seconds.",
    )

    @shown
    def offer() -> tuple[gr.Dropdown, gr.CheckboxGroup]:
        bases = [(info.title, info.name) for info in studio.bases.list()]
        labels = [(one.label, one.name) for one in studio.pipelines()]
        return (
            gr.Dropdown(choices=bases, value=bases[0][1]),
            gr.CheckboxGroup(choices=labels, value=[]),
        )

    @shown
    def offer_objectives() -> gr.CheckboxGroup:
        """By itself, for it loads torch where nobody has yet."""
        ways = [(f"{one.label}: {one.help}", one.name) for one in studio.pretraining.objectives()]
        return gr.CheckboxGroup(choices=ways, value=list(USUAL), info="")

    app.load(offer, outputs=[base, modalities], **OPTIONS)
    app.load(offer_objectives, outputs=objectives, **OPTIONS)
    return base, modalities, objectives


def asked_for(studio: Studio, *values: Any) -> tuple[Path | None, PretrainConfig]:
    """What was filled in, in the order of the page: the table of further cases, and the settings.

    Raises InputError for what is missing or out of its range.
    """
    (
        project,
        kind,
        archive,
        table,
        files,
        here,
        base,
        modalities,
        objectives,
        effort,
        name,
        *settings,
    ) = values
    if not project:
        raise InputError("No project is chosen.", hint="Create one on the start page first.")
    path = None if kind == NO_TABLE else gathered(studio, kind, archive, table, files, here)
    given = dict(zip(SETTINGS, settings, strict=True))
    config = PretrainConfig(
        name=name.strip(),
        base=base,
        modalities=tuple(modalities),
        objectives=tuple(objectives),
        epochs=int(effort),
        **given,
    )
    return path, config


def plan_step(studio: Studio, planned: Planned) -> Html:
    """What will be learned from, and what it will take."""
    names = {pipeline.name: pipeline.label for pipeline in studio.pipelines()}
    there = [f"{names[key]} ({number(count)})" for key, count in planned.modalities.items()]
    words = {one.name: one.label for one in studio.pretraining.objectives()}
    pairs = [
        *((name.capitalize(), number(count)) for name, count in planned.counts.items()),
        ("Modalities", listed(there)),
        ("Objectives", listed([words[name] for name in planned.config.objectives])),
    ]
    judged = (
        notice("The new base will be evaluated.", "Before and after, on your held-out patients.")
        if planned.labelled
        else notice(
            "The new base cannot be evaluated.",
            "The project has no labelled cohort yet.",
            "warning",
        )
    )
    cost = [
        ("to learn from", plural(planned.cases, "case")),
        ("estimated time", estimated(planned.estimate)),
        ("estimated memory", f"{number(round(planned.estimate.memory_mb))} MB"),
    ]
    return tag("div", join([section("The plan"), figures(cost), facts(pairs), judged]), "fm-answer")


def _map(studio: Studio, run_id: gr.Textbox, outcome: gr.HTML) -> None:
    """The groups of a finished run as a map, and one of its cases to look at."""
    plot = gr.Plot(label="Map of the cases", visible=False, elem_id="groups-map")
    chosen = gr.Dropdown(label="Look at a case", choices=[], value=None, visible=False)
    view = area(elem_id="group-case")

    @shown
    def draw(run_id: str) -> tuple[dict, dict, Html]:
        groups = (studio.runs.get(run_id).result or {}).get("groups") if run_id else None
        if not groups:
            return gr.update(visible=False), gr.update(visible=False), NOTHING
        return (
            gr.update(value=groups_map(groups), visible=True),
            gr.update(choices=case_choices(groups), value=None, visible=True),
            NOTHING,
        )

    @shown
    def look(run_id: str, case_id: str | None) -> Html:
        case = studio.pretraining.learned_case(run_id, case_id) if case_id else None
        return case_view(studio, case) if case else NOTHING

    gr.on([run_id.change, outcome.change], draw, run_id, [plot, chosen, view], **OPTIONS)
    chosen.input(look, [run_id, chosen], view, api_visibility="private")


def case_choices(groups: dict[str, Any]) -> list[tuple[str, str]]:
    """The most typical cases of each group first, then all others."""
    typical = [
        (f"Group {entry['group'] + 1}, typical: {case}", case)
        for entry in groups["groups"]
        for case in entry["nearest"]
    ]
    named = {case for _, case in typical}
    rest = [
        (f"Group {point['group'] + 1}: {point['case']}", point["case"])
        for point in groups["points"]
        if point["case"] not in named
    ]
    return typical + rest


PAGE = Page("pretrain", "pretrain", "Pretrain", order=3, build=build)
