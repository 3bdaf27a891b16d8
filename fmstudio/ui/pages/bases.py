"""Base models: the bases and encoders on this computer, and adding a published checkpoint."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from fmstudio.contracts import KINDS
from fmstudio.errors import InputError
from fmstudio.present.values import interval, number
from fmstudio.results.metrics import name_of
from fmstudio.ui.additions import adding
from fmstudio.ui.fragments import (
    NOTHING,
    Html,
    area,
    badge,
    facts,
    heading,
    hidden,
    join,
    link,
    notice,
    section,
    table,
    tag,
    text,
)
from fmstudio.ui.message import shown
from fmstudio.ui.page import Page
from fmstudio.ui.project_picker import REMEMBER
from fmstudio.ui.wording import headline, many, megabytes, plural

if TYPE_CHECKING:
    from fmstudio.studio import Studio
    from fmstudio.studio.bases import Entry, Use

MOST_USES = 20  # adapters named on the card of a model
OPTIONS: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
SOURCES = {
    "shipped": "came with the studio",
    "pretrained here": "pretrained here",
    "hub": "fetched from the model hub",
    "folder": "copied from a folder",
}


def catalogue(known: list[Entry]) -> Html:
    """Everything that can be built on: bases first, then encoders."""
    rows = [
        [
            link(one.title, f"/bases?model={one.name}"),
            badge(one.what.capitalize(), "accent" if one.what == "encoder" else "plain"),
            text(", ".join(one.kinds)),
            text(many(one.parameters)),
            text(megabytes(one.size_mb)),
            join([text(one.licence), badge("gated", "warning") if one.gated else NOTHING], " "),
            text(number(one.adapters) if one.adapters else "–"),
        ]
        for one in known
    ]
    header = ["Name", "Is a", "Reads", "#Weights", "#On disk", "Licence", "#Adapters"]
    return table(header, rows)


def details(one: Entry, uses: Sequence[Use], readable: Mapping[str, str]) -> Html:
    """Where an entry comes from, what it learned from, what it may be used for, how it did."""
    pairs = [
        ("Called here", one.name),
        ("Reads", "; ".join(readable[kind] for kind in one.kinds)),
        ("Architecture", one.model_type or "the studio's own"),
        ("Size", f"{number(one.parameters)} weights, {megabytes(one.size_mb)} on disk"),
        ("Licence", one.licence),
        (
            "Access",
            "gated: whoever imports an adapter made with it needs access of their own"
            if one.gated
            else "open",
        ),
        ("On this computer", SOURCES.get(one.source, one.source)),
        ("Trained on", one.trained_on),
    ]
    if one.description:
        pairs.append(("About", one.description))
    if one.limits:
        pairs.append(("Limits", one.limits))
    if one.revision:
        pairs.append(("Revision", one.revision))
    pairs.append(("SHA-256", one.sha256 or "–"))
    return join([section(one.title, write=text), facts(pairs), achieved(uses, one.adapters)])


def reads(studio: Studio) -> dict[str, str]:
    """Every kind of data in words, with the modalities that are of it: 'Text (Doctor's notes)'."""
    labels = {kind: [p.label for p in studio.pipelines() if p.kind == kind] for kind in KINDS}
    return {
        kind: f"{kind.capitalize()} ({', '.join(names)})" if names else kind.capitalize()
        for kind, names in labels.items()
    }


def achieved(uses: Sequence[Use], adapters: int) -> Html:
    """How it did on the user's own projects: the newest of so many adapters."""
    top = section("On your own projects", "Held-out patients, with 95 % intervals.")
    if not uses:
        return join([top, tag("p", text("No adapter was made with it yet."), "fm-note")])
    rows = []
    for use in uses:
        first = headline(use.metrics)
        target = f"/adapters?adapter={use.adapter}&project={use.project_id}"
        rows.append(
            [
                text(use.project),
                link(use.name, target),
                text(f"{name_of(first[0])} {interval(first[1])}" if first else "–"),
            ]
        )
    found = table(["Project", "Adapter", "#Result"], rows)
    if adapters == len(uses):
        return join([top, found])
    newest = f"The newest {len(uses)} of {number(adapters)} adapters."
    return join([top, found, tag("p", text(newest), "fm-note")])


def build(app: gr.Blocks, studio: Studio) -> None:
    """The page."""
    area(
        heading(
            "Base models",
            "An adapter is made on a base. Each kind of data is read by the base's own encoder, or "
            "by a published one that you add here. Everything listed is on this computer.",
        )
    )
    listing = area(elem_id="catalogue")
    chosen = gr.Dropdown(label="In detail", choices=[], value=None, elem_id="model")
    about = area(elem_id="model-card")
    removed = _removing(studio, chosen)
    readable = reads(studio)
    added = adding(app, studio, readable)

    def listed_with(asked: str | None) -> tuple[Html, gr.Dropdown]:
        known = studio.bases.catalogue()
        names = [one.name for one in known]
        labels = [
            (one.title if one.title == one.name else f"{one.title} · {one.name}", one.name)
            for one in known
        ]
        value = asked if asked in names else names[0]
        return catalogue(known), gr.Dropdown(choices=labels, value=value)

    @shown
    def opened(request: gr.Request) -> tuple[Html, gr.Dropdown]:
        return listed_with(request.query_params.get("model"))

    @shown
    def show(name: str | None) -> Html:
        if not name:
            return NOTHING
        one = studio.bases.entry(name)
        return details(one, studio.bases.uses(one, MOST_USES), readable)

    outputs = [listing, chosen]
    app.load(opened, outputs=outputs, **OPTIONS)
    chosen.change(show, chosen, about, **OPTIONS)
    chosen.change(None, chosen, js=REMEMBER.format(name="model"), api_visibility="private")
    added.change(shown(listed_with), added, outputs, **OPTIONS)
    removed.change(shown(lambda _: listed_with(None)), removed, outputs, **OPTIONS)


def _removing(studio: Studio, chosen: gr.Dropdown) -> gr.Textbox:
    """Removing an added encoder, behind a tick. Gives a hidden box that changes when it is done."""
    done = hidden()
    with gr.Row(visible=False, equal_height=True) as row:
        sure = gr.Checkbox(label="I want to remove this encoder", value=False)
        button = gr.Button("Remove", variant="stop", interactive=False, elem_classes="fm-narrow")
    needed = area()

    @shown
    def offer(name: str | None) -> tuple[dict, bool, Html]:
        one = studio.bases.entry(name) if name else None
        if one is None or one.what != "encoder":
            return gr.update(visible=False), False, NOTHING
        if one.adapters:
            needs = "needs" if one.adapters == 1 else "need"
            why = notice(
                f"It cannot be removed while {plural(one.adapters, 'adapter')} {needs} it.",
                "They could not answer without it. Delete them on the page Adapters first.",
            )
            return gr.update(visible=False), False, why
        return gr.update(visible=True), False, NOTHING

    @shown
    def remove(name: str, sure: bool) -> tuple[str, bool]:
        if not sure:
            raise InputError("Removing was not confirmed.", hint="Tick the box first.")
        gone = studio.bases.remove(name)
        gr.Info(f"{text(gone)} was removed.")
        return secrets.token_hex(4), False

    chosen.change(offer, chosen, [row, sure, needed], **OPTIONS)
    sure.change(lambda on: gr.update(interactive=on), sure, button, **OPTIONS)
    button.click(remove, [chosen, sure], [done, sure], api_visibility="private")
    return done


PAGE = Page("bases", "bases", "Base models", order=6, build=build)
