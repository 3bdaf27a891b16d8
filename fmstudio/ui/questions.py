"""What the files of a cohort leave open, as a form: one answer counts for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from fmstudio.results.audit import CohortAudit
from fmstudio.results.finding import Finding
from fmstudio.types import Question
from fmstudio.ui.fragments import NOTHING, area, section

if TYPE_CHECKING:
    from fmstudio.studio import Studio


@dataclass(frozen=True)
class QuestionForm:
    """The form: a field for every question that files may leave open, shown where they do."""

    questions: tuple[Question, ...]
    whole: gr.Column
    lead: gr.HTML
    fields: tuple[gr.Dropdown, ...]
    answer: gr.Button

    @property
    def outputs(self) -> list[gr.Blocks]:
        """What `shown_for` gives values for."""
        return [self.whole, self.lead, *self.fields]

    def shown_for(self, audit: CohortAudit | None) -> list[Any]:
        """The form as it fits the report on a cohort, None where there is no cohort."""
        found = audit.findings if audit else ()
        asked = asks(found)
        fields = [
            gr.update(visible=one.key in asked, choices=asked.get(one.key, []), value=None)
            for one in self.questions
        ]
        open_ones = [one for one in found if one.asks]
        lead = section(
            "Asked once for all files",
            " ".join(one.message for one in open_ones) + " One answer settles it: it is kept "
            "with the cohort, and every run, evaluation and prediction reads files so.",
        )
        return [gr.update(visible=bool(asked)), lead if asked else NOTHING, *fields]

    def answers(self, said: Sequence[str | None]) -> dict[str, str]:
        """What stands in the fields, by the key of the question; empty ones are left out."""
        given = zip(self.questions, said, strict=True)
        return {one.key: text.strip() for one, text in given if text and text.strip()}


def question_form(studio: Studio) -> QuestionForm:
    """The form, hidden until a cohort's report asks something."""
    questions = studio.cohorts.questions()
    with gr.Column(visible=False, elem_id="questions", elem_classes="fm-panel") as whole:
        lead = area()
        with gr.Row():
            fields = tuple(
                gr.Dropdown(
                    label=one.label,
                    info=f"{one.form}: {one.help}",
                    choices=[],
                    value=None,
                    allow_custom_value=True,
                    visible=False,
                    elem_id=f"question-{one.key}",
                )
                for one in questions
            )
        answer = gr.Button("Answer", variant="primary", elem_classes="fm-narrow")
    return QuestionForm(questions, whole, lead, fields, answer)


def asks(findings: Sequence[Finding]) -> dict[str, list[str]]:
    """The questions that findings ask, by key, each with likely answers."""
    found: dict[str, dict[str, None]] = {}
    for finding in findings:
        for one in finding.asks or ():
            found.setdefault(one.key, {}).update(dict.fromkeys(one.choices))
    return {key: list(choices) for key, choices in found.items()}
