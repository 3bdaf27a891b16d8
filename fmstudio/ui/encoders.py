"""What reads each modality: the base's own encoder, or a checkpoint that was added for its kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from fmstudio.ui.fragments import Html, area, join, link, tag, text
from fmstudio.ui.message import shown

if TYPE_CHECKING:
    from fmstudio.contracts import Pipeline
    from fmstudio.run_config import RunConfig
    from fmstudio.studio import Studio
    from fmstudio.studio.bases import Entry

OWN = ""
OPTIONS: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


def _kept(studio: Studio) -> list[Entry]:
    return studio.bases.encoders()


def choices_for(studio: Studio, pipeline: Pipeline) -> list[tuple[str, str]]:
    """The base's own encoder, and the kept ones that read this kind of data."""
    return _offered(pipeline, _kept(studio))


def _offered(pipeline: Pipeline, kept: list[Entry]) -> list[tuple[str, str]]:
    fitting = [entry for entry in kept if pipeline.kind in entry.kinds]
    return [("The base's own encoder", OWN), *((_words(entry), entry.name) for entry in fitting)]


def encoder_choice(
    app: gr.Blocks, studio: Studio, chosen: gr.CheckboxGroup
) -> dict[str, gr.Dropdown]:
    """A list of encoders for each modality, shown where it is chosen and there is a choice."""
    pipelines = studio.pipelines()
    hint = area(elem_id="encoders-hint")
    lists: dict[str, gr.Dropdown] = {}
    for place in range(0, len(pipelines), 3):
        with gr.Row():
            for one in pipelines[place : place + 3]:
                lists[one.name] = gr.Dropdown(
                    [("The base's own encoder", OWN)],
                    value=OWN,
                    visible=False,
                    label=f"{one.label}: read by",
                    elem_id=f"encoder-{one.name}",
                    min_width=280,
                )

    @shown
    def offer(names: list[str], *now: str) -> tuple[Any, ...]:
        kept = _kept(studio)
        updates = []
        for one, value in zip(pipelines, now, strict=True):
            known = _offered(one, kept)
            # A choice that stands is left alone: it may be newer than the one that came along.
            own = {} if value in {name for _, name in known} else {"value": OWN}
            visible = len(known) > 1 and one.name in names
            updates.append(gr.update(choices=known, visible=visible, **own))
        return _where(bool(kept)), *updates

    outputs = [hint, *lists.values()]
    gr.on([app.load, chosen.change], offer, [chosen, *lists.values()], outputs, **OPTIONS)
    return lists


def _words(entry: Entry) -> str:
    return f"{entry.title} · licence {entry.licence}{', gated' if entry.gated else ''}"


def _where(any_kept: bool) -> Html:
    """Where more encoders come from."""
    told = (
        "Each modality is read by the base's own encoder. Published ones can be added on the page "
    )
    if any_kept:
        told = (
            "A published encoder can read a modality in place of the base's own. It stays as it "
            "is, unless the settings adapt the encoders too. There are more on the page "
        )
    way = link("Base models", "/bases")
    return tag("p", join([text(told), way, text(".")]), "fm-note")


def encoder_facts(
    studio: Studio, config: RunConfig, labels: dict[str, str]
) -> list[tuple[str, str]]:
    """For the review: which checkpoint reads what, and under which licence."""
    if not config.encoders:
        return []
    kept = {entry.name: entry for entry in _kept(studio)}
    return [
        (f"{labels.get(modality, modality)} read by", _words(kept[name]))
        for modality, name in config.encoders.items()
        if name in kept
    ]
