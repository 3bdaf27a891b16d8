"""Adapters: what each one can do, which one answers by default, and bundles in and out."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from fmstudio.errors import InputError, StudioError
from fmstudio.present.outcomes import named
from fmstudio.present.values import interval, number
from fmstudio.records import AdapterRecord, AdapterSummary
from fmstudio.results.metrics import name_of
from fmstudio.studio.uploads import temp_folder
from fmstudio.ui.fragments import (
    NOTHING,
    Html,
    area,
    badge,
    empty,
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
from fmstudio.ui.page import READY, Page
from fmstudio.ui.paging import pager, part, with_asked
from fmstudio.ui.project_picker import REMEMBER, choices
from fmstudio.ui.results import result
from fmstudio.ui.wording import TASKS, headline, listed, moment

if TYPE_CHECKING:
    from fmstudio.studio import Studio

ALIASES = [("champion: answers by default", "champion"), ("candidate: to be compared", "candidate")]
FROM_CARD = ""


def adapter_table(studio: Studio, adapters: Sequence[AdapterSummary]) -> Html:
    """Adapters in their order."""
    if not adapters:
        return empty(
            "There is no adapter yet. Fine-tune one, or import a bundle below.",
            "Fine-tune a model",
            "/finetune",
        )
    projects = studio.projects.names(adapters)
    rows = []
    for adapter in adapters:
        first = headline(adapter.metrics)
        rows.append(
            [
                link(adapter.name, f"/adapters?adapter={adapter.id}&project={adapter.project_id}"),
                text(projects.get(adapter.project_id, "–")),
                join(
                    [
                        badge(alias, "good" if alias == "champion" else "plain")
                        for alias in adapter.aliases
                    ],
                    " ",
                ),
                text(f"{name_of(first[0])} {interval(first[1])}" if first else "–"),
                text(number(adapter.test_cases)),
                text(moment(adapter.created_at)),
            ]
        )
    header = ["Adapter", "Project", "Alias", "Held-out result (95 %)", "#Test cases", "Made"]
    return table(header, rows)


def card(studio: Studio, adapter: AdapterRecord) -> Html:
    """The model card: what it answers, from what, for whom, and how well."""
    known = adapter.card
    task = studio.adapters.task(adapter)
    names = {pipeline.name: pipeline.label for pipeline in studio.pipelines()}
    versions = known.get("versions") or {}
    pairs = [
        ("Question", task.get("description") or "–"),
        ("Answer", TASKS.get(task.get("kind", ""), task.get("kind", "–"))),
        ("Outcomes", ", ".join(named(label, task) for label in task.get("labels") or ()) or "–"),
        ("Looks at", listed([names.get(key, key) for key in known.get("modalities") or ()])),
        ("Base model", f"{known.get('base', '–')} ({_short(known.get('base_sha256'))})"),
        ("Data fingerprint", _short(known.get("fingerprint"))),
        ("Cases", _counts(known)),
        ("Made with", ", ".join(f"{name} {number}" for name, number in versions.items()) or "–"),
        ("Licence", known.get("licence", "–")),
        ("Meant for", known.get("intended_use", "–")),
    ]
    ways = tag(
        "p", link("Predict with it", f"/predict?adapter={adapter.id}", "fm-button"), "fm-ways"
    )
    return join(
        [
            section(adapter.name, adapter.id, text),
            facts(pairs),
            ways,
            result(known, studio.pipelines()),
        ]
    )


def damage(studio: Studio, adapter: AdapterRecord) -> Html:
    """What is wrong with the adapter's files, and what to do; nothing if they are whole."""
    try:
        studio.adapters.contents(adapter)
    except StudioError as fault:
        return notice(fault.message, fault.hint, "stop")
    return NOTHING


def signing(studio: Studio) -> Html:
    """Whether bundles are signed, and with which key."""
    key = studio.keys.own()
    if key is None:
        told = "Bundles are not signed. To sign them: python -m fmstudio key make --name NAME"
    else:
        told = f"Bundles are signed by {key.name}, fingerprint {key.fingerprint}"
    return tag("p", text(told), "fm-note")


def _short(digest: Any) -> str:
    """The start of a fingerprint, enough to compare by eye."""
    return f"{str(digest)[:12]}…" if digest else "–"


def _counts(known: Mapping[str, Any]) -> str:
    counts = known.get("n") or {}
    return ", ".join(f"{number(count)} {split}" for split, count in counts.items()) or "–"


def page_of(studio: Studio, request: gr.Request) -> tuple[list[AdapterSummary], Html]:
    """The adapters of the page of the list that the address asks for, the newest first, as a
    table."""
    shown_part = part(request, studio.adapters.count())
    adapters = studio.adapters.summaries(limit=shown_part.rows, skip=shown_part.skip)
    return adapters, join([adapter_table(studio, adapters), pager(shown_part, "/adapters")])


def build(app: gr.Blocks, studio: Studio) -> None:
    """The page."""
    area(
        heading(
            "Adapters",
            "A fine-tuned adapter is a small file on top of the base model. "
            "Colleagues can import it and get the same answers.",
        )
    )
    listing = area(elem_id="adapters")
    chosen = gr.Dropdown(label="Adapter in detail", choices=[], value=None, visible=False)
    with gr.Row(visible=False) as actions:
        alias = _aliasing(studio, chosen)
        _exporting(app, studio, chosen)
        deleted = _deleting(studio, chosen)
    details = area(elem_id="adapter-card")
    imported = _importing(app, studio)

    def _listed(asked: str | None, request: gr.Request) -> tuple[Html, gr.Dropdown, dict]:
        adapters, found = page_of(studio, request)
        offered = with_asked(adapters, asked, studio.adapters.get)
        ids = [adapter.id for adapter in offered]
        value = asked if asked in ids else (ids[0] if ids else None)
        labels = [(f"{adapter.name} · {adapter.id}", adapter.id) for adapter in offered]
        there = bool(ids)
        return (
            found,
            gr.Dropdown(choices=labels, value=value, visible=there),
            gr.update(visible=there),
        )

    @shown
    def opened(request: gr.Request) -> tuple[Html, gr.Dropdown, dict]:
        return _listed(request.query_params.get("adapter"), request)

    @shown
    def again(_: str, current: str | None, request: gr.Request) -> tuple[Html, gr.Dropdown, dict]:
        return _listed(current, request)

    @shown
    def taken(new: str, request: gr.Request) -> tuple[Html, gr.Dropdown, dict]:
        return _listed(new, request)

    @shown
    def show(adapter_id: str | None) -> Html:
        if not adapter_id:
            return NOTHING
        adapter = studio.adapters.get(adapter_id)
        return join([damage(studio, adapter), card(studio, adapter)])

    options = {"api_visibility": "private", "show_progress": "hidden"}
    app.load(opened, outputs=[listing, chosen, actions], **options).then(None, js=READY, **options)
    chosen.change(show, chosen, details, **options)
    chosen.change(None, chosen, js=REMEMBER.format(name="adapter"), api_visibility="private")
    for changed in (alias, deleted):
        changed.change(again, [changed, chosen], [listing, chosen, actions], **options)
    imported.change(taken, imported, [listing, chosen, actions], **options)


def _aliasing(studio: Studio, chosen: gr.Dropdown) -> gr.Textbox:
    """Naming the adapter that answers. Gives a hidden box that changes when it was done."""
    done = hidden()
    with gr.Column(min_width=260):
        name = gr.Radio(ALIASES, value="champion", label="Role in its project")
        button = gr.Button("Give it this role")

    @shown
    def give(adapter_id: str, name: str) -> str:
        studio.adapters.set_alias(adapter_id, name)
        gr.Info(f"It is now the project's {text(name)}.")
        return secrets.token_hex(4)

    button.click(give, [chosen, name], done, api_visibility="private")
    return done


def _exporting(app: gr.Blocks, studio: Studio, chosen: gr.Dropdown) -> None:
    """The adapter as a bundle to download."""
    with gr.Column(min_width=260):
        area(
            tag(
                "p",
                text(
                    "A ZIP with the adapter, its card, and stored test inputs that prove "
                    "on another computer that it still answers the same. No patient data "
                    "is in it."
                ),
                "fm-note",
            )
        )
        signed = area(elem_id="signing")
        button = gr.Button("Export as a bundle", variant="primary")
        download = gr.File(label="Bundle", visible=False, interactive=False)

    @shown
    def export(adapter_id: str) -> dict:
        adapter = studio.adapters.get(adapter_id)
        folder = temp_folder(studio.settings)
        plain = re.sub(r"[^A-Za-z0-9-]+", "-", adapter.name).strip("-").lower() or "adapter"
        path = studio.adapters.export(adapter_id, folder / f"{plain}-{adapter.id}.zip")
        return gr.update(value=str(path), visible=True)

    app.load(
        shown(lambda: signing(studio)),
        outputs=signed,
        api_visibility="private",
        show_progress="hidden",
    )
    button.click(export, chosen, download, api_visibility="private", show_progress_on=[button])
    chosen.change(
        lambda: gr.update(value=None, visible=False),
        outputs=download,
        api_visibility="private",
        show_progress="hidden",
    )


def _deleting(studio: Studio, chosen: gr.Dropdown) -> gr.Textbox:
    """Deleting, behind a tick. Gives a hidden box that changes when it was done."""
    done = hidden()
    with gr.Column(min_width=260):
        sure = gr.Checkbox(label="I want to delete this adapter for good", value=False)
        button = gr.Button("Delete", variant="stop", interactive=False)

    @shown
    def delete(adapter_id: str, sure: bool) -> tuple[str, bool]:
        if not sure:
            raise InputError("Deleting was not confirmed.", hint="Tick the box first.")
        studio.adapters.delete(adapter_id)
        return secrets.token_hex(4), False

    sure.change(
        lambda on: gr.update(interactive=on),
        sure,
        button,
        api_visibility="private",
        show_progress="hidden",
    )
    button.click(delete, [chosen, sure], [done, sure], api_visibility="private")
    return done


def _importing(app: gr.Blocks, studio: Studio) -> gr.Textbox:
    """A bundle from elsewhere, checked first. Gives a hidden box with the new adapter's id."""
    area(
        section(
            "Import a bundle",
            "It is checked before anything of it is used: every file "
            "against its fingerprint, the base model, and stored inputs against their "
            "stored answers.",
        )
    )
    with gr.Row():
        archive = gr.File(label="Bundle (ZIP)", file_types=[".zip"], height=150, elem_id="bundle")
        with gr.Column():
            project = gr.Dropdown(label="Into which project", choices=[], value=None)
            button = gr.Button("Import", variant="primary", interactive=False)
    verdict = area(elem_id="verdict")
    done = hidden()

    @shown
    def offered() -> gr.Dropdown:
        own = [("The one named in the bundle", FROM_CARD), *choices(studio)]
        return gr.Dropdown(choices=own, value=FROM_CARD)

    @shown
    def verify(archive: str | None) -> tuple[Html, dict]:
        if not archive:
            return NOTHING, gr.update(interactive=False)
        try:
            found = studio.adapters.verify(Path(archive))
        except StudioError as fault:
            return notice(fault.message, fault.hint, "stop"), gr.update(interactive=False)
        return verified(found), gr.update(interactive=True)

    @shown
    def take(archive: str | None, project: str) -> tuple[str, Html, None]:
        if not archive:
            raise InputError("No bundle was given.", hint="Drop a ZIP into the box first.")
        adapter = studio.adapters.import_bundle(Path(archive), int(project) if project else None)
        told = f"'{adapter.name}' was imported."
        return adapter.id, notice(told, "It is in the list above.", "good"), None

    app.load(offered, outputs=project, api_visibility="private", show_progress="hidden")
    archive.upload(verify, archive, [verdict, button], api_visibility="private")
    archive.clear(
        lambda: (NOTHING, gr.update(interactive=False)),
        outputs=[verdict, button],
        api_visibility="private",
    )
    button.click(take, [archive, project], [done, verdict, archive], api_visibility="private")
    return done


def verified(found: dict[str, Any]) -> Html:
    """What the check of a bundle found."""
    lines = [str(found["name"])] if found.get("name") else []
    lines += [f"{key} {found[key]}" for key in ("base", "licence") if found.get(key)]
    difference = found.get("largest_difference")
    if difference is not None:
        lines.append(
            f"stored answers repeated to within {difference:.1g}"
            if difference
            else "stored answers repeated exactly"
        )
    lines.append(_signer(found.get("signer")))
    detail = ", ".join(lines)
    return notice("The bundle is whole and fits this studio.", detail, "good")


def _signer(signer: Mapping[str, Any] | None) -> str:
    if signer is None:
        return "not signed"
    by = f"{signer['name']}, fingerprint {signer['fingerprint']}"
    if signer["known"] == "unknown":
        return f"signed with a key that you do not know by {by}"
    return f"signed by {by}"


PAGE = Page("adapters", "adapters", "Adapters", order=5, build=build)
