"""A run as it goes: where it is, its curves, and the buttons to stop it or go on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from fmstudio.errors import NotFound
from fmstudio.pretrain_config import PretrainConfig
from fmstudio.records import LIVE_STATES, RunRecord, RunSummary
from fmstudio.results.search import read_tried
from fmstudio.run_config import RunConfig
from fmstudio.ui.forms import settings_table
from fmstudio.ui.fragments import NOTHING, Html, area, badge, join, link, notice, tag, text
from fmstudio.ui.message import shown
from fmstudio.ui.plots import curves
from fmstudio.ui.pretraining_results import learned
from fmstudio.ui.results import result
from fmstudio.ui.search_results import tried
from fmstudio.ui.wording import STATES, duration, lasted

if TYPE_CHECKING:
    from fmstudio.studio import Studio

POLL_SECONDS = 2.0
RESUMABLE = ("stopped", "interrupted", "failed")


def state_badge(run: RunRecord | RunSummary) -> Html:
    """The state of a run as a badge."""
    return badge(*STATES.get(run.status, (run.status, "plain")))


def progress(run: RunRecord) -> Html:
    """Bar, stage, epoch and time left of a live run; for an ended one, how it ended."""
    now = run.progress
    percent = round(100 * min(max(now.fraction, 0.0), 1.0), 1)
    stage = now.stage or ("Starting" if run.status == "running" else "Waiting for its turn")
    epoch = f" · epoch {now.epoch} of {now.epochs}" if now.epochs and now.epoch else ""
    if run.status in LIVE_STATES:
        left = f"about {duration(now.seconds_left)} left" if now.seconds_left else ""
        spent = f"{lasted(run.started_at, None)} so far" if run.started_at else ""
        right = " · ".join(part for part in (f"{percent:.0f} %", spent, left) if part)
    else:
        right = f"took {lasted(run.started_at, run.ended_at)}"
        if now.expected:
            right += f", estimated {duration(sum(now.expected.values()))}"
        stage = stage if run.status != "finished" else "Done"
    line = join(
        [
            tag("div", join([state_badge(run), Html(" "), text(stage + epoch)])),
            tag("span", text(right)),
        ]
    )
    fill = tag("i", NOTHING, style=f"width:{100 if run.status == 'finished' else percent}%")
    bar = tag(
        "div",
        fill,
        "fm-progress",
        role="progressbar",
        aria_valuenow=percent,
        aria_valuemin=0,
        aria_valuemax=100,
        aria_label="Progress of the run",
    )
    note = tag("p", text(now.message), "fm-note") if now.message else NOTHING
    return join([tag("div", line, "fm-line"), bar, _stages(run), note, _ending(run)])


def _stages(run: RunRecord) -> Html:
    """The stages of a live run: those done with a tick, the present one, those to come."""
    expected = list(run.progress.expected)
    if run.status not in LIVE_STATES or not expected:
        return NOTHING
    now = run.progress.stage
    place = expected.index(now) if now in expected else 0
    marks = ["✓ " if n < place else "" for n in range(len(expected))]
    items = [
        tag("li", text(mark + stage), aria_current="step" if n == place else None)
        for n, (mark, stage) in enumerate(zip(marks, expected, strict=True))
    ]
    return tag("ol", join(items), "fm-stages")


def _ending(run: RunRecord) -> Html:
    """What a person must know about how a run stands."""
    if run.status in LIVE_STATES:
        return notice(
            "You may close this page.",
            "The run goes on by itself; come back to this page at any time.",
            "accent",
        )
    if run.status == "failed":
        return notice(run.error or "The run ended without a result.", run.hint or "", "stop")
    if run.status == "interrupted":
        return notice(
            "The run was cut off.",
            "Its last checkpoint is kept: 'Resume' takes it up from there to the same end.",
            "warning",
        )
    if run.status == "stopped":
        return notice("The run was stopped.", "'Resume' takes it up from its last checkpoint.")
    return NOTHING


@dataclass(frozen=True)
class Watch:
    """The buttons of the run that is shown, and where its result appears."""

    stop: gr.Button
    resume: gr.Button
    outcome: gr.HTML


def watch(studio: Studio, run_id: gr.Textbox) -> Watch:
    """Widgets for one run, which follow it while it is live and rest when it has ended.

    `run_id` holds the id of the run; changing it shows another. It stands outside what may be
    folded away, for only what is on the page notices a change.
    """
    head = area(elem_id="run-progress")
    with gr.Row():
        stop = gr.Button("Stop", visible=False, elem_classes="fm-narrow")
        resume = gr.Button("Resume", visible=False, variant="primary", elem_classes="fm-narrow")
    plot = gr.Plot(label="Curves", visible=False, elem_id="run-curves")
    outcome = area(elem_id="run-result")
    drawn = gr.State((None, 0))
    timer = gr.Timer(POLL_SECONDS, active=False)

    @shown
    def follow(run_id: str, drawn: tuple[str | None, int]) -> tuple[Any, ...]:
        if not run_id:
            return (
                NOTHING,
                *[gr.update(visible=False)] * 3,
                NOTHING,
                (None, 0),
                gr.Timer(active=False),
            )
        run = studio.runs.get(run_id)
        points = studio.runs.points(run_id)
        live = run.status in LIVE_STATES
        figure: Any = gr.skip()
        if drawn != (run_id, len(points)):
            picture = curves(points)
            figure = gr.update(value=picture, visible=picture is not None)
        return (
            progress(run),
            gr.update(visible=live),
            gr.update(visible=run.status in RESUMABLE),
            figure,
            outcome_of(studio, run),
            (run_id, len(points)),
            gr.Timer(active=live),
        )

    outputs = [head, stop, resume, plot, outcome, drawn, timer]
    options = {"api_visibility": "private", "show_progress": "hidden"}
    gr.on([run_id.change, timer.tick], follow, [run_id, drawn], outputs, **options)
    asked = shown(lambda run_id: studio.runs.stop(run_id) and None)
    stop.click(asked, run_id, **options).then(follow, [run_id, drawn], outputs, **options)
    again = shown(lambda run_id: studio.runs.resume(run_id) and None)
    resume.click(again, run_id, **options).then(follow, [run_id, drawn], outputs, **options)
    return Watch(stop, resume, outcome)


def outcome_of(studio: Studio, run: RunRecord) -> Html:
    """The way to use a finished run and its result; for every run, its settings."""
    if run.kind == "pretrain":
        shown_result = learned(run) if run.status == "finished" else NOTHING
        return join([shown_result, settings_table(PretrainConfig.from_dict(run.config))])
    return join([_achieved(studio, run), settings_table(RunConfig.from_dict(run.config))])


def _achieved(studio: Studio, run: RunRecord) -> Html:
    if run.status != "finished" or not run.result:
        return NOTHING
    ways = NOTHING
    if run.adapter_id and _there(studio, run.adapter_id):
        target = f"?project={run.project_id}&adapter={run.adapter_id}"
        predict = link("Predict with this adapter", f"/predict{target}", "fm-button")
        export = link("Export it", f"/adapters{target}", "fm-button fm-quiet")
        ways = tag("p", join([predict, export]), "fm-ways")
    return join([ways, result(run.result, studio.pipelines()), tried(read_tried(run.result))])


def _there(studio: Studio, adapter_id: str) -> bool:
    """False if the adapter of a run was deleted meanwhile."""
    try:
        studio.adapters.get(adapter_id)
    except NotFound:
        return False
    return True
