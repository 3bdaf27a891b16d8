"""Adding a published checkpoint on a page: first the verdict, then the download as it goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr

from fmstudio.errors import InputError, StudioError
from fmstudio.ui.fragments import (
    NOTHING,
    Html,
    area,
    badge,
    hidden,
    join,
    notice,
    section,
    table,
    tag,
    text,
)
from fmstudio.ui.message import shown
from fmstudio.ui.wording import many, megabytes

if TYPE_CHECKING:
    from fmstudio.checkpoints.compatibility import Verdict
    from fmstudio.runs.additions import Addition
    from fmstudio.studio import Studio

POLL_SECONDS = 1.0
ANY = ""
OPTIONS: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
TONES = {"good": ("fine", "good"), "note": ("mind", "warning"), "stop": ("no", "stop")}
STAGES = {
    "checking": "Checking",
    "fetching": "Fetching",
    "keeping": "Trying it out and putting it in place",
}


def verdict_view(found: Verdict) -> Html:
    """Yes or no first, then everything that was looked at."""
    name = found.id or "The folder"
    if found.fits:
        size = f"{many(found.parameters)} weights, {megabytes(found.size_mb)}"
        told = notice(f"{name} can be added.", f"It reads {found.kind}: {size}.", "good")
    else:
        told = notice(f"{name} cannot be added.", "What stands against it is marked below.", "stop")
    rows = [
        [text(check.what), badge(*TONES[check.tone]), _found(check.found, check.hint)]
        for check in found.checks
    ]
    revision = f"Revision {found.revision}" if found.revision else ""
    parts = [told, table(["Looked at", "", "Found"], rows, revision)]
    return tag("div", join(parts), "fm-answer")


def _found(found: str, hint: str) -> Html:
    below = tag("small", text(hint)) if hint else NOTHING
    return join([text(found), Html("<br>") if hint else NOTHING, below])


def progress(one: Addition) -> Html:
    """How far an attempt is, or how it ended."""
    if one.state == "added":
        return notice(f"'{one.name}' was added.", "Choose it in step 3 of Fine-tune.", "good")
    if one.state == "stopped":
        return notice(f"Adding {one.source} was stopped.", "Nothing of it was kept.")
    if not one.live:
        return notice(one.error or f"{one.source} was not added.", one.hint, "stop")
    share = one.done_mb / one.total_mb if one.total_mb else 0.0
    if one.state == "keeping":
        share = 1.0
    percent = round(100 * min(share, 1.0), 1)
    right = ""
    if one.state == "fetching":
        right = f"{megabytes(one.done_mb)} of {megabytes(one.total_mb)}"
    line = join([tag("div", text(f"{STAGES[one.state]}: {one.source}")), tag("span", text(right))])
    bar = tag(
        "div",
        tag("i", NOTHING, style=f"width:{percent}%"),
        "fm-progress",
        role="progressbar",
        aria_valuenow=percent,
        aria_valuemin=0,
        aria_valuemax=100,
        aria_label="Progress of the download",
    )
    note = notice(
        "You may close this page.", "Adding goes on by itself; come back at any time.", "accent"
    )
    return join([tag("div", line, "fm-line"), bar, note])


def adding(app: gr.Blocks, studio: Studio, kinds: Mapping[str, str]) -> gr.Textbox:
    """Widgets to check and add a checkpoint. Gives a hidden box with the name of one just added.

    `kinds`: each kind of data in words.
    """
    area(
        section(
            "Add an encoder",
            "A checkpoint of the model hub by its id, which needs the internet for this one step, "
            "or a folder with its files on this computer. It is checked before any weights are "
            "fetched. Nothing of your patients is sent.",
        )
    )
    added, attempt, revision = hidden(), hidden("attempt"), gr.State(None)
    with gr.Row(equal_height=True):
        source = gr.Textbox(
            label="Id on the hub, or folder",
            placeholder="OWNER/NAME or /path/to/folder",
            scale=3,
            elem_id="source",
        )
        kind = gr.Dropdown(
            [("What it was made for", ANY), *((words, kind) for kind, words in kinds.items())],
            value=ANY,
            label="It should read",
            scale=1,
        )
    check = gr.Button("Check", variant="primary", elem_classes="fm-narrow")
    told = area(elem_id="checked")
    with gr.Column(visible=False) as confirm:
        name = gr.Textbox(
            label="Call it", placeholder="empty: the end of its id, or the folder's name"
        )
        add = gr.Button("Add", variant="primary", elem_classes="fm-narrow")
    state = area(elem_id="addition")
    stop = gr.Button("Stop", visible=False, elem_classes="fm-narrow")
    timer = gr.Timer(POLL_SECONDS, active=False)

    @shown
    def verdict(source: str, kind: str) -> tuple[Html, dict, str | None, str]:
        if not source.strip():
            raise InputError("Nothing was given.", hint="Type an id or a folder first.")
        # An attempt that has ended has been read; one that is live stays in sight.
        live = next((one.id for one in studio.bases.additions() if one.live), "")
        try:
            found = studio.bases.check(source, kind or None)
        except StudioError as fault:
            return notice(fault.message, fault.hint, "stop"), gr.update(visible=False), None, live
        return verdict_view(found), gr.update(visible=found.fits), found.revision, live

    @shown
    def begin(source: str, kind: str, name: str, revision: str | None) -> tuple[str, Html, dict]:
        begun = studio.bases.add(source, kind or None, name.strip() or None, revision)
        return begun.id, NOTHING, gr.update(visible=False)

    @shown
    def newest() -> str:
        """The attempt that a page opened now should show: one that is live or ended lately."""
        return next((one.id for one in studio.bases.additions()), "")

    @shown
    def follow(attempt: str) -> tuple[Html, dict, gr.Timer, Any]:
        if not attempt:
            return NOTHING, gr.update(visible=False), gr.Timer(active=False), gr.skip()
        one = studio.bases.addition(attempt)
        new = one.name if one.state == "added" else gr.skip()
        return progress(one), gr.update(visible=one.live), gr.Timer(active=one.live), new

    @shown
    def end(attempt: str) -> None:
        studio.bases.stop(attempt)

    outputs = [state, stop, timer, added]
    checked = [told, confirm, revision, attempt]
    gr.on([check.click, source.submit], verdict, [source, kind], checked, api_visibility="private")
    for changed in (source, kind):
        changed.change(
            lambda: (NOTHING, gr.update(visible=False)), outputs=[told, confirm], **OPTIONS
        )
    add.click(begin, [source, kind, name, revision], [attempt, told, confirm], **OPTIONS)
    gr.on([attempt.change, timer.tick], follow, attempt, outputs, **OPTIONS)
    stop.click(end, attempt, **OPTIONS).then(follow, attempt, outputs, **OPTIONS)
    app.load(newest, outputs=attempt, **OPTIONS)
    return added
