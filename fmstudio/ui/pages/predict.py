"""Predict: one patient's files in, one answer out, with what it rests on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from fmstudio.contracts import Pipeline
from fmstudio.errors import InputError, NotFound, StudioError
from fmstudio.records import AdapterRecord
from fmstudio.types import Source
from fmstudio.ui.answer import answer
from fmstudio.ui.chooser import REMEMBER
from fmstudio.ui.fragments import NOTHING, Html, area, empty, heading, hidden, notice, tag, text
from fmstudio.ui.inputs import HEADER, Cells, Known, filled, rows, sources_of, typed_values
from fmstudio.ui.message import shown
from fmstudio.ui.page import READY, Page
from fmstudio.ui.previews import preview, refusal

if TYPE_CHECKING:
    from fmstudio.studio import Studio

OPTIONS: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}

# An answer must never stand beside inputs that it does not belong to (see assets/ui/studio.js).
CHANGED, ASKED, GIVEN = (
    f"() => window.fmAnswer.{event}()" for event in ("changed", "asked", "given")
)


@dataclass(frozen=True)
class Box:
    """The widgets of one modality. `names` remembers which column a sample's file came from."""

    pipeline: Pipeline
    files: gr.File
    words: gr.Textbox | None
    cells: gr.Dataframe | None
    names: gr.State
    view: gr.HTML

    @property
    def inputs(self) -> list[gr.components.Component]:
        """What `sources_of` takes, in its order."""
        return [self.files, self.names, *(one for one in (self.words, self.cells) if one)]


def build(app: gr.Blocks, studio: Studio) -> None:
    """The page."""
    area(heading("Predict", "Give what is known of one patient. Anything may be missing; the "
                 "answer says what it rests on."))  # fmt: skip
    with gr.Row(equal_height=False):
        with gr.Column(scale=7, min_width=460):
            adapter = gr.Dropdown(label="Adapter that answers", choices=[], value=None)
            boxes = _boxes(studio)
        with gr.Column(scale=5, min_width=380, elem_classes="fm-side"):
            case_id = gr.Textbox(
                label="Case number", value="case", max_length=80,
                info="Kept with the answer in the log; no name please.",
            )  # fmt: skip
            go = gr.Button("Predict", variant="primary", elem_id="predict")
            with gr.Row():
                clear = gr.Button("New patient", min_width=140)
                sample = gr.Button("Use the sample case", min_width=140)
            result = area(empty("The answer appears here."), elem_id="answer")
    _wire(app, studio, adapter, sample, clear, case_id, boxes, result)

    @shown
    def predict(adapter_id: str | None, case_id: str, *values: Any) -> Html:
        if not adapter_id:
            raise InputError("There is no adapter to ask.", hint="Fine-tune or import one first.")
        if not studio.ready:
            gr.Info("The model is being loaded; this first answer takes some seconds longer.")
        found = studio.adapter(adapter_id)
        given = gathered(boxes, found.card, values)
        prediction = studio.predict(adapter_id, given, case_id.strip() or "case")
        return answer(prediction, task_of(studio, found), studio.pipelines(), found.card)

    everything = [part for box in boxes for part in box.inputs]
    shown_inputs = [adapter, *(box.files for box in boxes)]
    shown_inputs += [one for box in boxes if (one := box.words or box.cells)]
    changes = [one.change for one in shown_inputs]
    gr.on(changes, None, js=CHANGED, api_visibility="private")
    go.click(None, js=ASKED, api_visibility="private")
    go.click(
        predict, [adapter, case_id, *everything], result, api_visibility="private",
        show_progress_on=[result],
    ).then(None, js=GIVEN, api_visibility="private")  # fmt: skip


def task_of(studio: Studio, adapter: AdapterRecord) -> dict[str, Any]:
    """What an adapter answers, by its card; the question of its project where the card has none."""
    task = dict(adapter.card.get("task") or {})
    task["description"] = (
        task.get("description") or studio.project(adapter.project_id).task.description
    )
    return task


def gathered(
    boxes: Sequence[Box], card: Mapping[str, Any], values: Sequence[Any]
) -> dict[str, list[Source]]:
    """The sources of all modalities that were given, from the values of all boxes' inputs."""
    given: dict[str, list[Source]] = {}
    left = list(values)
    for box in boxes:
        own, left = left[: len(box.inputs)], left[len(box.inputs) :]
        found = sources_of(box.pipeline, Known.of(card, box.pipeline.name), *own)
        if found:
            given[box.pipeline.name] = found
    return given


def _boxes(studio: Studio) -> list[Box]:
    """A box per modality, in two columns that each flow by themselves."""
    pipelines = studio.pipelines()
    half = (len(pipelines) + 1) // 2
    boxes: list[Box] = []
    with gr.Row(equal_height=False):
        for column in (pipelines[:half], pipelines[half:]):
            with gr.Column(min_width=340):
                boxes += [_box(studio, pipeline) for pipeline in column]
    return boxes


def _box(studio: Studio, pipeline: Pipeline) -> Box:
    """Upload, what may be typed instead, and a preview as soon as something is there."""
    with gr.Column(min_width=300, elem_classes="fm-panel", elem_id=f"box-{pipeline.name}"):
        area(tag("h3", text(pipeline.label), "fm-box-title"))
        words = cells = None
        if pipeline.inline and pipeline.kind == "table":
            cells = gr.Dataframe(
                headers=list(HEADER), datatype="str", type="array", value=[["", "", ""]],
                label="Values", interactive=True, row_count=1, column_count=3, max_height=300,
                show_label=False, buttons=[], static_columns=[2], wrap=True,
                column_widths=["36%", "26%", "38%"],
            )  # fmt: skip
        elif pipeline.inline:
            words = gr.Textbox(
                label=f"{pipeline.label}, typed", show_label=False, lines=4, max_lines=10,
                placeholder="Type or paste here, or give a file below.", max_length=100_000,
            )  # fmt: skip
        files = gr.File(
            label=f"Files: {', '.join(pipeline.suffixes[:3])}"
            + (" …" if len(pipeline.suffixes) > 3 else ""),
            file_count="multiple",
        )  # fmt: skip
        names = gr.State({})
        view = area()
    box = Box(pipeline, files, words, cells, names, view)

    @shown
    def look(*values: Any) -> Html:
        sources = sources_of(pipeline, Known(), *values)
        shown_already = pipeline.inline and all(source.path is None for source in sources)
        if not sources or shown_already:
            return NOTHING
        try:
            return preview(studio.preview(pipeline.name, sources))
        except StudioError as fault:
            return refusal(fault)

    files.change(
        look, box.inputs, view, api_visibility="private", show_progress="minimal"
    )  # fmt: skip
    return box


def _wire(
    app: gr.Blocks, studio: Studio, adapter: gr.Dropdown, sample: gr.Button, clear: gr.Button,
    case_id: gr.Textbox, boxes: Sequence[Box], result: gr.HTML,
) -> None:  # fmt: skip
    """Opening the page, another adapter, the sample case, the next patient."""
    everything = [part for box in boxes for part in box.inputs]
    tables = [box for box in boxes if box.cells is not None]

    @shown
    def opened(request: gr.Request) -> tuple[Any, ...]:
        asked = request.query_params
        labels = adapter_choices(studio)
        ids = [value for _, value in labels]
        value = asked.get("adapter")
        if value not in ids:
            value = preferred(studio, asked.get("project"), ids)
        return (
            gr.Dropdown(choices=labels, value=value),
            gr.update(visible=any(project.sample for project in studio.projects())),
            "yes" if asked.get("sample") else "",
            asked.get("case") or "",
            *[rows(known(studio, value, box), {}) for box in tables],
        )

    @shown
    def fill() -> tuple[Any, ...]:
        found = studio.sample()
        if found is None and not studio.ready:
            raise NotFound(
                "The sample case is being prepared.", hint="Press the button again in some seconds."
            )
        if found is None:
            raise NotFound("There is no sample case.", hint="Run: python -m fmstudio demo")
        values = _fill(studio, found.adapter, boxes, found.sources)
        note = notice("The sample case is filled in.", "Press Predict.", "accent")
        # The sample may have been made after the page was opened, so its adapter is a new choice.
        chosen = gr.update(choices=adapter_choices(studio), value=found.adapter)
        return chosen, found.case_id, note, *values

    @shown
    def fill_case(adapter_id: str | None, asked_case: str) -> tuple[Any, ...]:
        if not (adapter_id and asked_case):
            return (gr.skip(),) * (2 + len(everything))
        found = studio.held_out_case(adapter_id, asked_case)
        values = _fill(studio, adapter_id, boxes, found.sources)
        told = f"The held-out case {found.case_id} is filled in."
        note = notice(told, "Press Predict.", "accent")
        return found.case_id, note, *values

    asked_for_sample, asked_for_case = hidden(), hidden()
    asked_for_case.change(
        fill_case, [adapter, asked_for_case], [case_id, result, *everything], **OPTIONS
    )
    app.load(
        opened,
        outputs=[adapter, sample, asked_for_sample, asked_for_case, *[box.cells for box in tables]],
        **OPTIONS,
    ).then(None, js=READY, **OPTIONS)
    adapter.change(None, adapter, js=REMEMBER.format(name="adapter"), api_visibility="private")
    for box in tables:
        _follow(studio, adapter, box)
    gr.on(
        [sample.click, asked_for_sample.change], fill, outputs=[adapter, case_id, result,
                                                                *everything], **OPTIONS,
    )  # fmt: skip
    _emptied(clear, case_id, boxes, result)


def _emptied(clear: gr.Button, case_id: gr.Textbox, boxes: Sequence[Box], result: gr.HTML) -> None:
    """The next patient: emptied in the browser, so that nothing typed meanwhile is lost."""
    seen = [one for box in boxes for one in box.inputs if one is not box.names]
    blank = {gr.File: "null", gr.Textbox: '""'}
    values = [blank.get(type(one), f"emptied(values[{place}])") for place, one in enumerate(seen)]
    script = f"""(...values) => {{
      const emptied = (table) => ({{...table, data: table.data.filter((row) => row[2])
        .map((row) => [row[0], "", row[2]])}});
      return ["case", {json.dumps(empty("The answer appears here."))}, {", ".join(values)}];
    }}"""
    clear.click(None, seen, [case_id, result, *seen], js=script, api_visibility="private")
    names = [box.names for box in boxes]
    clear.click(lambda: [{}] * len(names), outputs=names, **OPTIONS)


def adapter_choices(studio: Studio) -> list[tuple[str, str]]:
    """All adapters, champions first, then the newest."""
    projects = {project.id: project.name for project in studio.projects()}
    ordered = sorted(studio.adapters(), key=lambda one: one.created_at, reverse=True)
    ordered.sort(key=lambda one: "champion" not in one.aliases)
    return [(_label(one, projects.get(one.project_id, "")), one.id) for one in ordered]


def _label(adapter: AdapterRecord, project: str) -> str:
    aliases = f" ({', '.join(adapter.aliases)})" if adapter.aliases else ""
    own = adapter.id if adapter.name == project else adapter.name
    return f"{project} · {own}{aliases}"


def preferred(studio: Studio, project: str | None, ids: Sequence[str]) -> str | None:
    """The champion of the project asked for, else its newest, else the first of all."""
    if project and project.isdigit():
        own = {one.id for one in studio.adapters() if one.project_id == int(project)}
        for adapter_id in ids:
            if adapter_id in own:
                return adapter_id
    return ids[0] if ids else None


def known(studio: Studio, adapter_id: str | None, box: Box) -> Known:
    """What an adapter knows of the modality of a box."""
    return Known.of(studio.adapter(adapter_id).card, box.pipeline.name) if adapter_id else Known()


def _fill(
    studio: Studio, adapter_id: str | None, boxes: Sequence[Box],
    sources: Mapping[str, Sequence[Source]],
) -> list[Any]:  # fmt: skip
    """Values for the inputs of all boxes that give `sources`."""
    values: list[Any] = []
    for box in boxes:
        given = sources.get(box.pipeline.name, ())
        own = filled(box.pipeline, known(studio, adapter_id, box), given)
        values += own[: len(box.inputs)]
    return values


def _follow(studio: Studio, adapter: gr.Dropdown, box: Box) -> None:
    """The table of values lists the features that the chosen adapter knows; what is typed stays."""

    @shown
    def fit(adapter_id: str | None, cells: Cells) -> Cells:
        return rows(known(studio, adapter_id, box), typed_values(cells))

    adapter.input(fit, [adapter, box.cells], box.cells, **OPTIONS)


PAGE = Page("predict", "predict", "Predict", order=4, build=build)
