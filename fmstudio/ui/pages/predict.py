"""Predict: one patient's files in, one answer out, with what it rests on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import gradio as gr

from fmstudio.errors import InputError, NotFound
from fmstudio.records import AdapterName, AdapterRecord
from fmstudio.types import Source
from fmstudio.ui.answer import answer, not_answered
from fmstudio.ui.boxes import Box, boxes_of, empty_form, filled_in, folded
from fmstudio.ui.fragments import Html, area, empty, heading, hidden, notice
from fmstudio.ui.inputs import Known, sources_of, typed_values
from fmstudio.ui.message import shown
from fmstudio.ui.page import READY, Page
from fmstudio.ui.project_picker import MOST, REMEMBER
from fmstudio.ui.value_form import marks

if TYPE_CHECKING:
    from fmstudio.prediction.verdicts import Verdict
    from fmstudio.studio import Studio

OPTIONS: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}

# An answer must never stand beside inputs that it does not belong to (see assets/ui/studio.js).
CHANGED, ASKED, GIVEN = (
    f"() => window.fmAnswer.{event}()" for event in ("changed", "asked", "given")
)
# What stands in the fields is read as a handler is called, never before (see assets/ui/values.js).
STANDS = "(...given) => {{ given[{place}] = window.fmValues.stands(); return given; }}"
MARK = "(marks) => window.fmValues.mark(marks)"

Verdicts = Mapping[str, Mapping[str, "Verdict"]]


def build(app: gr.Blocks, studio: Studio) -> None:
    """The page."""
    area(
        heading(
            "Predict",
            "Give what is known of one patient. Anything may be missing; the "
            "answer says what it rests on.",
        )
    )
    with gr.Row(equal_height=False):
        with gr.Column(scale=7, min_width=460):
            adapter = gr.Dropdown(label="Adapter that answers", choices=[], value=None)
            unread = area()
            boxes = boxes_of(studio, adapter)
        with gr.Column(scale=5, min_width=340, elem_classes="fm-side"):
            case_id = gr.Textbox(
                label="Case number",
                value="case",
                max_length=80,
                info="Kept with the answer; no name please.",
            )
            go = gr.Button("Predict", variant="primary", elem_id="predict")
            with gr.Row():
                clear = gr.Button("New patient", min_width=140)
                sample = gr.Button("Use the sample case", min_width=140)
            result = area(empty("The answer appears here."), elem_id="answer")
    stands, marked = hidden(), hidden()
    _wire(app, studio, adapter, unread, sample, clear, case_id, boxes, result)
    _answering(studio, adapter, case_id, go, stands, marked, boxes, result)


def _answering(
    studio: Studio,
    adapter: gr.Dropdown,
    case_id: gr.Textbox,
    go: gr.Button,
    stands: gr.Textbox,
    marked: gr.Textbox,
    boxes: Sequence[Box],
    result: gr.HTML,
) -> None:
    """The button Predict, and what is said at the fields while they are filled in."""

    @shown
    def predict(
        adapter_id: str | None, case_id: str, stands: str | None, *values: Any
    ) -> tuple[Html, str]:
        if not adapter_id:
            raise InputError("There is no adapter to ask.", hint="Fine-tune or import one first.")
        if not studio.ready:
            gr.Info("The model is being loaded; this first answer takes some seconds longer.")
        found = studio.adapters.get(adapter_id)
        typed = typed_values(stands)
        verdicts = checked(studio, adapter_id, typed)
        refused = [
            f"{one.label} {verdicts[modality][one.name].refusal}."
            for modality in verdicts
            for one in studio.values.expected(adapter_id, modality)
            if one.name in verdicts[modality] and verdicts[modality][one.name].refusal
        ]
        if refused:
            return not_answered(refused), marks(verdicts, typed)
        given = gathered(boxes, found.card, typed, values)
        prediction = studio.predictions.predict(adapter_id, given, case_id.strip() or "case")
        task = studio.adapters.task(found)
        shown_answer = answer(prediction, task, studio.pipelines(), found.card)
        return shown_answer, marks(verdicts, typed)

    @shown
    def check(adapter_id: str | None, stands: str | None) -> str:
        typed = typed_values(stands)
        return marks(checked(studio, adapter_id, typed) if adapter_id else {}, typed)

    everything = [part for box in boxes for part in box.inputs]
    shown_inputs = [adapter, *(box.files for box in boxes), *(b.words for b in boxes if b.words)]
    gr.on([one.change for one in shown_inputs], None, js=CHANGED, api_visibility="private")
    go.click(None, js=ASKED, api_visibility="private")
    go.click(
        predict,
        [adapter, case_id, stands, *everything],
        [result, marked],
        js=STANDS.format(place=2),
        api_visibility="private",
        show_progress_on=[result],
    ).then(None, js=GIVEN, **OPTIONS).then(None, marked, js=MARK, **OPTIONS)
    look = gr.Button("Look at the values", elem_id="look-at-values", elem_classes="fm-unseen")
    look.click(
        check,
        [adapter, stands],
        marked,
        js=STANDS.format(place=1),
        trigger_mode="always_last",
        **OPTIONS,
    ).then(None, marked, js=MARK, **OPTIONS)


def checked(studio: Studio, adapter_id: str, typed: Mapping[str, Mapping[str, str]]) -> Verdicts:
    """What is to be said of everything that was typed, by modality and name."""
    return {
        modality: studio.values.check_values(adapter_id, modality, own)
        for modality, own in typed.items()
    }


def gathered(
    boxes: Sequence[Box],
    card: Mapping[str, Any],
    typed: Mapping[str, Mapping[str, str]],
    values: Sequence[Any],
) -> dict[str, list[Source]]:
    """The sources of all modalities that were given, from what stands in the fields and the values
    of all boxes' inputs."""
    given: dict[str, list[Source]] = {}
    left = list(values)
    for box in boxes:
        name = box.pipeline.name
        (files, names, *words), left = left[: len(box.inputs)], left[len(box.inputs) :]
        said = typed.get(name) if box.fields is not None else next(iter(words), None)
        found = sources_of(box.pipeline, Known.of(card, name), files, names, said)
        if found:
            given[name] = found
    return given


def _wire(
    app: gr.Blocks,
    studio: Studio,
    adapter: gr.Dropdown,
    unread: gr.HTML,
    sample: gr.Button,
    clear: gr.Button,
    case_id: gr.Textbox,
    boxes: Sequence[Box],
    result: gr.HTML,
) -> None:
    """Opening the page, another adapter, the sample case, the next patient."""
    everything = [part for box in boxes for part in box.outputs]
    forms = [(box, box.fields) for box in boxes if box.fields is not None]
    places = [place for _, place in forms]

    def of_adapter(adapter_id: str | None) -> tuple[Html, ...]:
        return (folded(studio, adapter_id), *(empty_form(studio, adapter_id, b) for b, _ in forms))

    @shown
    def opened(request: gr.Request) -> tuple[Any, ...]:
        asked = request.query_params
        value = asked_adapter(studio, request)
        labels = adapter_choices(studio, value)
        return (
            gr.Dropdown(choices=labels, value=value),
            gr.update(visible=bool(studio.projects.count(sample=True))),
            "yes" if asked.get("sample") else "",
            asked.get("case") or "",
            *of_adapter(value),
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
        values = filled_in(studio, found.adapter, boxes, found.sources)
        note = notice("The sample case is filled in.", "Press Predict.", "accent")
        # The sample may have been made after the page was opened, so its adapter is a new choice.
        chosen = gr.update(choices=adapter_choices(studio, found.adapter), value=found.adapter)
        return chosen, found.case_id, note, folded(studio, found.adapter), *values

    @shown
    def fill_case(adapter_id: str | None, asked_case: str) -> tuple[Any, ...]:
        if not (adapter_id and asked_case):
            return (gr.skip(),) * (2 + len(everything))
        found = studio.evaluation.case(adapter_id, asked_case)
        values = filled_in(studio, adapter_id, boxes, found.sources)
        told = f"The held-out case {found.case_id} is filled in."
        note = notice(told, "Press Predict.", "accent")
        return found.case_id, note, *values

    asked_for_sample, asked_for_case = hidden(), hidden()
    asked_for_case.change(
        fill_case, [adapter, asked_for_case], [case_id, result, *everything], **OPTIONS
    )
    app.load(
        opened,
        outputs=[adapter, sample, asked_for_sample, asked_for_case, unread, *places],
        **OPTIONS,
    ).then(None, js=READY, **OPTIONS)
    adapter.change(None, adapter, js=REMEMBER.format(name="adapter"), api_visibility="private")
    adapter.input(shown(of_adapter), adapter, [unread, *places], **OPTIONS)
    gr.on(
        [sample.click, asked_for_sample.change],
        fill,
        outputs=[adapter, case_id, result, unread, *everything],
        **OPTIONS,
    )
    _emptied(clear, case_id, boxes, result)


def _emptied(clear: gr.Button, case_id: gr.Textbox, boxes: Sequence[Box], result: gr.HTML) -> None:
    """The next patient: emptied in the browser, so that nothing typed meanwhile is lost."""
    seen = [one for box in boxes for one in box.inputs if one is not box.names]
    values = ["null" if isinstance(one, gr.File) else '""' for one in seen]
    blank = ", ".join(['"case"', json.dumps(empty("The answer appears here.")), *values])
    script = f"() => {{ window.fmValues.clear(); return [{blank}]; }}"
    clear.click(None, outputs=[case_id, result, *seen], js=script, api_visibility="private")
    names = [box.names for box in boxes]
    clear.click(lambda: [{}] * len(names), outputs=names, **OPTIONS)


def adapter_choices(studio: Studio, *asked: str | None) -> list[tuple[str, str]]:
    """The newest champions, then the newest of the others; those asked for among them."""
    listed = studio.adapters.names(alias="champion", limit=MOST) + studio.adapters.names(limit=MOST)
    found: dict[str, AdapterName | AdapterRecord] = {one.id: one for one in listed}
    found |= {one: studio.adapters.get(one) for one in asked if one and one not in found}
    projects = studio.projects.names(found.values())
    return [(_label(one, projects.get(one.project_id, "")), one.id) for one in found.values()]


def asked_adapter(studio: Studio, request: gr.Request) -> str | None:
    """The adapter that the address names; else the champion of the project that it names, else of
    the newest champions; else the newest adapter there."""
    named = request.query_params.get("adapter")
    if named:
        with suppress(NotFound):  # the address is old: the adapter was deleted meanwhile
            return studio.adapters.get(named).id
    return preferred(studio, request.query_params.get("project"))


def _label(adapter: AdapterName | AdapterRecord, project: str) -> str:
    aliases = f" ({', '.join(adapter.aliases)})" if adapter.aliases else ""
    own = adapter.id if adapter.name == project else adapter.name
    return f"{project} · {own}{aliases}"


def preferred(studio: Studio, project: str | None) -> str | None:
    """The champion of a project, else its newest adapter; where it has none, that of all."""
    own = int(project) if project and project.isdecimal() else None
    for place in dict.fromkeys((own, None)):
        for alias in ("champion", None):
            with suppress(NotFound):  # the project was deleted meanwhile
                found = studio.adapters.names(place, alias, limit=1)
                if found:
                    return found[0].id
    return None


PAGE = Page("predict", "predict", "Predict", order=4, build=build)
