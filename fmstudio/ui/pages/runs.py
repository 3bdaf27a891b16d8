"""Runs: what is being learned or was, and one of them in detail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import gradio as gr

from fmstudio.present.values import interval, percent
from fmstudio.records import LIVE_STATES, RunRecord, RunSummary
from fmstudio.results.metrics import name_of
from fmstudio.ui.fragments import (
    NOTHING,
    Html,
    area,
    empty,
    heading,
    hidden,
    join,
    link,
    table,
    text,
)
from fmstudio.ui.message import shown
from fmstudio.ui.page import READY, Page
from fmstudio.ui.paging import pager, part, with_asked
from fmstudio.ui.pretraining_results import in_brief
from fmstudio.ui.project_picker import REMEMBER
from fmstudio.ui.run_monitor import POLL_SECONDS, state_badge, watch
from fmstudio.ui.run_settings import ways
from fmstudio.ui.wording import headline, lasted, moment

if TYPE_CHECKING:
    from fmstudio.studio import Studio

_LIST_SECONDS = 3 * POLL_SECONDS


def run_table(studio: Studio, runs: Sequence[RunSummary]) -> Html:
    """Runs in their order."""
    if not runs:
        return empty("There is no run yet.", "Fine-tune a model", "/finetune")
    projects = studio.projects.names(runs)
    rows = [
        [
            state_badge(run),
            link(run.id, f"/runs?run={run.id}&project={run.project_id}"),
            text(projects.get(run.project_id, "–")),
            text(_what(run)),
            text(moment(run.started_at or run.created_at)),
            text(lasted(run.started_at, run.ended_at)),
            text(_outcome(run)),
        ]
        for run in runs
    ]
    return table(["State", "Run", "Project", "What", "Started", "#Duration", "Result"], rows)


def _what(run: RunSummary) -> str:
    """What a run makes: an adapter, with which effort, or a base."""
    if run.kind == "pretrain":
        return f"Base {run.makes}"
    return (run.makes or "–").capitalize()


def _outcome(run: RunSummary) -> str:
    """The headline of a finished run, how far a live one is, why another failed."""
    if run.status in LIVE_STATES:
        return f"{percent(run.progress.fraction)} · {run.progress.stage}"
    if run.status == "failed":
        return run.error or ""
    if run.kind == "pretrain":
        return in_brief(run.verdict)
    first = headline(run.metrics)
    return f"{name_of(first[0])} {interval(first[1])}" if first else ""


def page_of(studio: Studio, request: gr.Request) -> tuple[list[RunSummary], Html]:
    """The runs of the page of the list that the address asks for, the newest first, as a table."""
    shown_part = part(request, studio.runs.count())
    runs = studio.runs.summaries(limit=shown_part.rows, skip=shown_part.skip)
    return runs, join([run_table(studio, runs), pager(shown_part, "/runs")])


def build(app: gr.Blocks, studio: Studio) -> None:
    """The page."""
    area(
        heading(
            "Runs",
            "Fine-tuning and pretraining on this computer, one at a time. They go "
            "on while this page is closed.",
        )
    )
    listing = area(elem_id="runs")
    chosen = gr.Dropdown(label="Run in detail", choices=[], value=None, elem_id="run")
    run_id = hidden("run-id")
    recipe = area(elem_id="recipe")
    detail = watch(studio, run_id)
    timer = gr.Timer(_LIST_SECONDS, active=False)

    @shown
    def fill(request: gr.Request) -> tuple[Html, gr.Dropdown, gr.Timer]:
        asked = request.query_params.get("run")
        runs, found = page_of(studio, request)
        offered = with_asked(runs, asked, studio.runs.get)
        ids = [run.id for run in offered]
        value = asked if asked in ids else (ids[0] if ids else None)
        return (
            found,
            gr.Dropdown(choices=_labels(studio, offered), value=value, visible=bool(ids)),
            gr.Timer(active=_live(studio)),
        )

    @shown
    def refresh(request: gr.Request) -> tuple[Html, gr.Timer]:
        return page_of(studio, request)[1], gr.Timer(active=_live(studio))

    @shown
    def offer_recipe(run_id: str) -> Html:
        return ways(studio, studio.runs.get(run_id)) if run_id else NOTHING

    options = {"api_visibility": "private", "show_progress": "hidden"}
    app.load(fill, outputs=[listing, chosen, timer], **options).then(None, js=READY, **options)
    timer.tick(refresh, outputs=[listing, timer], **options)
    for button in (detail.stop, detail.resume):
        button.click(refresh, outputs=[listing, timer], **options)
    chosen.change(lambda run: run or "", chosen, run_id, **options)
    run_id.change(offer_recipe, run_id, recipe, **options)
    chosen.change(None, chosen, js=REMEMBER.format(name="run"), api_visibility="private")


def _live(studio: Studio) -> bool:
    return bool(studio.runs.summaries(states=LIVE_STATES, limit=1))


def _labels(studio: Studio, runs: Sequence[RunSummary | RunRecord]) -> list[tuple[str, str]]:
    projects = studio.projects.names(runs)
    return [(f"{projects.get(run.project_id, '–')} · {run.id}", run.id) for run in runs]


PAGE = Page("runs", "runs", "Runs", order=3, build=build)
