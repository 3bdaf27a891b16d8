"""Deleting a cohort, or one patient of it, behind a tick; what is left that learned from it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import gradio as gr

from fmstudio.errors import InputError
from fmstudio.studio.deletion import KEEPS, Deleted
from fmstudio.ui.fragments import NOTHING, Html, area, hidden, join, link, notice, tag, text
from fmstudio.ui.message import shown
from fmstudio.ui.wording import plural

if TYPE_CHECKING:
    from fmstudio.studio import Studio

QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
ABOUT = (
    "Nothing of it stays in the studio: rows, copied files, prepared inputs, stored predictions, "
    "and the copies of the registry that still held it. Your own files stay where they are."
)


def left(deleted: Deleted, done: str) -> Html:
    """That it was done, and which adapters are still there that learned from it."""
    if not deleted.adapters:
        return notice(done, " ".join(deleted.remarks), "good")
    count = plural(len(deleted.adapters), "adapter")
    told = f"{count} that learned from it stayed. {KEEPS}"
    ways = [
        link(f"Look at {one}", f"/adapters?adapter={one}", "fm-button fm-quiet")
        for one in deleted.adapters
    ]
    said = notice(done, " ".join([*deleted.remarks, told]), "warning")
    return join([said, tag("p", join(ways, " "), "fm-ways")])


def deletion(studio: Studio, project: gr.Dropdown) -> tuple[gr.Accordion, gr.Textbox]:
    """The form, and a hidden box that changes when something was deleted."""
    done = hidden()
    with gr.Accordion(
        "Remove a patient, or delete the cohort", open=False, visible=False, elem_id="deleting"
    ) as form:
        area(tag("p", text(ABOUT), "fm-note"))
        with gr.Row():
            with gr.Column(min_width=300):
                patient = gr.Textbox(label="Patient, as the table names them", max_length=200)
                sure_of_one = gr.Checkbox(label="I want to remove this patient for good")
                remove = gr.Button("Remove patient", variant="stop", interactive=False)
            with gr.Column(min_width=300):
                area(
                    tag(
                        "p",
                        text(
                            "The newest cohort goes as it was added and with all that it "
                            "was cleaned to."
                        ),
                        "fm-note",
                    )
                )
                sure_of_all = gr.Checkbox(label="I want to delete this cohort for good")
                delete = gr.Button("Delete cohort", variant="stop", interactive=False)
    said = area(elem_id="deleted")

    @shown
    def remove_patient(ref: str, patient: str, sure: bool) -> tuple[Html, str, str, bool]:
        _check_sure(sure)
        if not patient.strip():
            raise InputError("No patient was named.", hint="Type the patient's number.")
        removed = studio.cohorts.remove_patient(_newest(studio, ref), patient)
        return left(removed, "The patient was removed."), secrets.token_hex(4), "", False

    @shown
    def delete_cohort(ref: str, sure: bool) -> tuple[Html, str, bool]:
        _check_sure(sure)
        deleted = studio.cohorts.delete(_newest(studio, ref))
        told = left(deleted, f"The cohort '{deleted.what}' was deleted.")
        return told, secrets.token_hex(4), False

    for sure, button in ((sure_of_one, remove), (sure_of_all, delete)):
        sure.change(lambda on: gr.update(interactive=on), sure, button, **QUIET)
    remove.click(
        remove_patient,
        [project, patient, sure_of_one],
        [said, done, patient, sure_of_one],
        api_visibility="private",
        show_progress_on=[said],
    )
    delete.click(
        delete_cohort,
        [project, sure_of_all],
        [said, done, sure_of_all],
        api_visibility="private",
        show_progress_on=[said],
    )
    project.change(lambda: NOTHING, outputs=said, **QUIET)
    return form, done


def _newest(studio: Studio, project: str) -> int:
    cohort = studio.cohorts.newest(int(project))
    if cohort is None:
        raise InputError("This project has no cohort.", hint="Add a table of cases first.")
    return cohort.id


def _check_sure(sure: bool) -> None:
    if not sure:
        raise InputError("Deleting was not confirmed.", hint="Tick the box first.")
