"""The boxes of the page Predict: one per modality, each with what may be given of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from fmstudio.contracts import Pipeline, in_words
from fmstudio.errors import StudioError
from fmstudio.types import Source
from fmstudio.ui.fragments import NOTHING, Html, area, join, tag, text
from fmstudio.ui.inputs import Known, Values, filled, sources_of
from fmstudio.ui.message import shown
from fmstudio.ui.previews import preview, refusal
from fmstudio.ui.value_form import as_filled, form

if TYPE_CHECKING:
    from fmstudio.studio import Studio


@dataclass(frozen=True)
class Box:
    """The widgets of one modality. `names` remembers which column a sample's file came from;
    `fields` is the place of the form where values may be typed."""

    pipeline: Pipeline
    files: gr.File
    words: gr.Textbox | None
    fields: gr.HTML | None
    names: gr.State
    view: gr.HTML

    @property
    def inputs(self) -> list[gr.components.Component]:
        """What Gradio knows of what is given: files, their names, and a typed text."""
        return [self.files, self.names, *([self.words] if self.words else [])]

    @property
    def outputs(self) -> list[gr.components.Component]:
        """What is set to fill a case in."""
        return [*self.inputs, *([self.fields] if self.fields else [])]


def boxes_of(studio: Studio, adapter: gr.Dropdown) -> list[Box]:
    """A box per modality, for the adapter that is chosen; a form takes the whole width, the others
    half of it."""
    with gr.Column(elem_classes="fm-boxes"):
        short = [one for one in studio.pipelines() if not _has_form(one)]
        long = [one for one in studio.pipelines() if _has_form(one)]
        # The two first ones beside each other, so that a form does not leave half a row empty.
        return [_box(studio, one, adapter) for one in [*short[:2], *long, *short[2:]]]


def _has_form(pipeline: Pipeline) -> bool:
    return pipeline.inline and pipeline.kind == "table"


def _box(studio: Studio, pipeline: Pipeline, adapter: gr.Dropdown) -> Box:
    """What may be typed, upload, and a preview as soon as a file is there."""
    wide = " fm-wide-box" if _has_form(pipeline) else ""
    with gr.Column(min_width=240, elem_classes=f"fm-panel{wide}", elem_id=f"box-{pipeline.name}"):
        area(tag("h3", text(pipeline.label), "fm-box-title"))
        words = fields = None
        if _has_form(pipeline):
            fields = area()
        elif pipeline.inline:
            words = gr.Textbox(
                label=f"{pipeline.label}, typed",
                show_label=False,
                lines=4,
                max_lines=10,
                placeholder="Type or paste here, or give a file below.",
                max_length=100_000,
            )
        files = gr.File(
            label=f"Files: {', '.join(pipeline.suffixes[:3])}"
            + (" …" if len(pipeline.suffixes) > 3 else ""),
            file_count="multiple",
        )
        names = gr.State({})
        view = area()
    box = Box(pipeline, files, words, fields, names, view)

    @shown
    def look(adapter_id: str | None, *values: Any) -> Html:
        sources = sources_of(pipeline, Known(), *values)
        shown_already = pipeline.inline and all(source.path is None for source in sources)
        if not sources or shown_already:
            return NOTHING
        try:
            return preview(studio.predictions.preview(pipeline.name, sources, adapter_id or None))
        except StudioError as fault:
            return refusal(fault)

    files.change(
        look, [adapter, *box.inputs], view, api_visibility="private", show_progress="minimal"
    )
    return box


def empty_form(studio: Studio, adapter_id: str | None, box: Box) -> Html:
    """The fields that an adapter knows, for the browser to put back what was typed."""
    return form(
        box.pipeline.name,
        studio.values.expected(adapter_id, box.pipeline.name) if adapter_id else (),
    )


def filled_in(
    studio: Studio, adapter_id: str, boxes: Sequence[Box], sources: Mapping[str, Sequence[Source]]
) -> list[Any]:
    """Values for the outputs of all boxes that give `sources`."""
    values: list[Any] = []
    for box in boxes:
        files, names, typed = filled(box.pipeline, sources.get(box.pipeline.name, ()))
        values += [files, names]
        if box.words is not None:
            values.append(typed)
        if box.fields is not None:
            assert not isinstance(typed, str)
            values.append(_filled_form(studio, adapter_id, box.pipeline.name, typed))
    return values


def _filled_form(studio: Studio, adapter_id: str, modality: str, typed: Values) -> Html:
    names = studio.values.feature_names(modality, list(typed))
    values: dict[str, str] = {}
    for name, said in zip(names, typed.values(), strict=True):
        values.setdefault(name, said)
    expected = studio.values.expected(adapter_id, modality)
    verdicts = studio.values.check_values(adapter_id, modality, values)
    return form(modality, expected, as_filled(expected, values, verdicts))


def folded(studio: Studio, adapter_id: str | None) -> Html:
    """Hides the boxes of what an adapter does not look at, and names them in a line."""
    if not adapter_id:
        return NOTHING
    read = studio.values.reads(adapter_id)
    others = [one for one in studio.pipelines() if one.name not in read]
    if not others or not read:
        return NOTHING
    words = in_words([one.name for one in others], "or")
    line = tag(
        "p",
        text(f"This adapter does not look at {words}: these boxes are folded away."),
        "fm-note fm-folded",
    )
    hide = ", ".join(f"#box-{one.name}" for one in others)
    return join([line, tag("style", Html(hide + "{display: none !important}"))])
