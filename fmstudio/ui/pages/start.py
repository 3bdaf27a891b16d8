"""Start: the sample case in one step, the projects with what to do next, and a new project."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gradio as gr

from fmstudio.present.values import interval
from fmstudio.records import LIVE_STATES, ProjectRecord, RunSummary
from fmstudio.results.metrics import name_of
from fmstudio.ui.fragments import (
    NOTHING,
    Html,
    area,
    badge,
    empty,
    heading,
    hidden,
    join,
    link,
    section,
    tag,
    text,
)
from fmstudio.ui.message import shown
from fmstudio.ui.page import READY, Page
from fmstudio.ui.paging import pager, part
from fmstudio.ui.wording import TASKS, headline, moment_of, plural

if TYPE_CHECKING:
    from fmstudio.studio import Studio


CARDS = 12  # projects on a page


def next_step(
    studio: Studio, project: ProjectRecord, live: RunSummary | None = None
) -> tuple[Html, str, str]:
    """Where a project stands (as a badge), and the label and address of what to do next.

    `live` is its newest run that waits or works.
    """
    here = f"?project={project.id}"
    cohort = studio.cohorts.newest(project.id)
    if cohort is None:
        return badge("No data yet"), "Add data", f"/data{here}"
    if live is not None:
        return badge("Fine-tuning", "accent"), "Watch the run", f"/runs{here}&run={live.id}"
    if studio.adapters.count(project.id):
        return badge("Ready to predict", "good"), "Predict", f"/predict{here}"
    cases = plural(cohort.audit.cases, "case")
    return badge(cases), "Fine-tune", f"/finetune{here}"


def card(studio: Studio, project: ProjectRecord, live: RunSummary | None) -> Html:
    """A project with its question, where it stands, and what to do next."""
    state, label, target = next_step(studio, project, live)
    question = project.task.description or TASKS.get(project.task.kind, project.task.kind)
    lines = [tag("div", state), tag("h3", text(project.name)), tag("p", text(question))]
    if project.task.moment is not None:
        lines.append(tag("p", text(moment_of(project.task.moment))))
    adapters = studio.adapters.summaries(project.id, limit=1)
    best = headline(adapters[0].metrics) if adapters else None
    if best:
        lines.append(tag("p", text(f"{name_of(best[0])} {interval(best[1])}")))
    lines.append(tag("footer", link(label, target, "fm-button fm-quiet")))
    return tag("article", join(lines), "fm-card")


def cards(studio: Studio, request: gr.Request) -> Html:
    """The projects of the user on the page of the list that the address asks for, newest first."""
    shown_part = part(request, studio.projects.count(sample=False), CARDS)
    own = studio.projects.list(sample=False, limit=shown_part.rows, skip=shown_part.skip)
    if not own:
        return empty("No project of your own yet. Create one below: give it a name and a question.")
    live = {run.project_id: run for run in reversed(studio.runs.summaries(states=LIVE_STATES))}
    cards = join(card(studio, project, live.get(project.id)) for project in own)
    found = tag("div", cards, "fm-cards")
    return join([found, pager(shown_part, "/")])


def sample_project(studio: Studio) -> ProjectRecord | None:
    """The sample project once it can answer; None before, and where it was deleted."""
    sample = next(iter(studio.projects.list(sample=True, limit=1)), None)
    ready = sample and studio.cohorts.newest(sample.id) and studio.adapters.count(sample.id)
    return sample if ready else None


def sample_card(sample: ProjectRecord | None, waiting: bool) -> Html:
    """The synthetic case that comes with the studio, one click from its prediction."""
    if sample is None:
        told = "A synthetic patient and a fine-tuned adapter are being unpacked. This happens once."
        body = [tag("h3", text("The sample case is being prepared")), tag("p", text(told))]
        return tag("article", tag("div", join(body)), "fm-card fm-wide") if waiting else NOTHING
    question = sample.task.description or sample.name
    body = [
        tag("h3", text("See it work on a synthetic patient")),
        tag("p", text("One case with all kinds of data, and an adapter that answers:")),
        tag("p", text(question)),
    ]
    button = link("Open the sample case", "/predict?sample=1", "fm-button")
    return tag("article", join([tag("div", join(body)), button]), "fm-card fm-wide")


def build(app: gr.Blocks, studio: Studio) -> None:
    """The page."""
    area(
        heading(
            "Foundation Model Studio",
            "Adapt a multimodal model to your own clinical question, on this computer: films, "
            "records, notes, curves, sounds and clips of a patient become one prediction.",
        )
    )
    sample = area()
    area(section("Your projects", "A project is one question asked of one kind of patient."))
    projects = area()
    preparing = gr.Timer(2, active=False)
    created, create = _creation()
    _deletion(app, studio, projects)

    @shown
    def show(request: gr.Request) -> tuple[Html, Html, gr.Timer]:
        sample = sample_project(studio)
        waiting = sample is None and not studio.ready
        return sample_card(sample, waiting), cards(studio, request), gr.Timer(active=waiting)

    @shown
    def new(
        name: str, question: str, kind: str, moment: float | None, positive: str, negative: str
    ) -> str:
        binary = kind == "binary"  # what was typed before another kind was chosen is not meant
        project = studio.projects.create(
            name.strip(),
            kind,
            describe=question.strip(),
            moment=moment or None,
            positive_name=positive if binary else "",
            negative_name=negative if binary else "",
        )
        return f"/data?project={project.id}"

    gr.on(
        [app.load, preparing.tick],
        show,
        outputs=[sample, projects, preparing],
        api_visibility="private",
        show_progress="hidden",
    ).then(None, js=READY, api_visibility="private")
    address = hidden()
    create.click(new, created, address, api_visibility="private")
    address.change(
        None, address, js="(to) => { if (to) window.location.href = to }", api_visibility="private"
    )


def _creation() -> tuple[list[gr.components.Component], gr.Button]:
    """The form of a new project: its fields in the order in which the verb takes them."""
    area(section("New project"))
    with gr.Group():
        with gr.Row():
            name = gr.Textbox(label="Name", placeholder="Pneumonia on admission", max_length=120)
            question = gr.Textbox(
                label="Question in one sentence",
                max_length=500,
                scale=2,
                placeholder="Does this patient have pneumonia when admitted?",
            )
        with gr.Row():
            kind = gr.Radio(
                [(label, key) for key, label in TASKS.items()],
                value="binary",
                label="The answer is",
                scale=2,
            )
            moment = gr.Number(
                label="Time of prediction, hours (0: none)",
                value=0,
                minimum=0,
                min_width=300,
                elem_id="moment",
                info="For answers given at a set time, so that nothing later gives them away. With "
                "24, readings and notes that carry a time count only up to 24 hours after the "
                "beginning of the case.",
            )
        with gr.Row() as outcomes:
            positive = gr.Textbox(
                label="Yes (1 in your table) means",
                max_length=120,
                placeholder="Deterioration within 48 h",
                elem_id="positive-name",
            )
            negative = gr.Textbox(
                label="No (0 in your table) means",
                max_length=120,
                placeholder="Stable for 48 h",
                elem_id="negative-name",
            )
    kind.change(
        lambda chosen: gr.update(visible=chosen == "binary"),
        kind,
        outcomes,
        api_visibility="private",
        show_progress="hidden",
    )
    create = gr.Button("Create project", variant="primary", elem_classes="fm-narrow")
    return [name, question, kind, moment, positive, negative], create


def _deletion(app: gr.Blocks, studio: Studio, projects: gr.HTML) -> None:
    """Deleting a project, out of the way and only after its name was typed."""
    with gr.Accordion("Delete a project", open=False):
        area(
            tag(
                "p",
                text(
                    "Its cohorts, runs and adapters are deleted with it. Your own files "
                    "stay where they are. Export adapters first if you want to keep "
                    "them."
                ),
                "fm-note",
            )
        )
        with gr.Row(equal_height=True):
            typed = gr.Textbox(label="Type the project's name to confirm", scale=3)
            delete = gr.Button("Delete project", variant="stop", scale=1)

    @shown
    def remove(typed: str, request: gr.Request) -> tuple[str, Html]:
        studio.projects.delete(typed.strip())
        return "", cards(studio, request)

    delete.click(remove, typed, [typed, projects], api_visibility="private")


PAGE = Page("start", "", "Start", order=0, build=build)
