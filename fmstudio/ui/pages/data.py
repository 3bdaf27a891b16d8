"""Data: a table of cases and the files it points to become a cohort, checked on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from fmstudio.errors import InputError, NotFound, StudioError
from fmstudio.types import PatientCase
from fmstudio.ui.deleting import deletion
from fmstudio.ui.findings import PRESSED, UNDO, undoing
from fmstudio.ui.fragments import (
    NOTHING,
    Html,
    area,
    empty,
    heading,
    hidden,
    join,
    link,
    notice,
    section,
    tag,
    text,
)
from fmstudio.ui.message import shown
from fmstudio.ui.page import Page
from fmstudio.ui.previews import preview, refusal
from fmstudio.ui.project_picker import project_dropdown, without_project
from fmstudio.ui.questions import question_form
from fmstudio.ui.reports import cohort_report, in_brief
from fmstudio.ui.roles import COLLECT, role_table
from fmstudio.ui.uploads import lay_out
from fmstudio.ui.wording import moment

if TYPE_CHECKING:
    from fmstudio.studio import Studio

ZIP, FILES, HERE = "zip", "files", "here"
WAYS = [
    ("A ZIP with the table and its files", ZIP),
    ("The table, and its files one by one", FILES),
    ("A table on this computer (nothing is copied)", HERE),
]
TO_TOP = "() => window.scrollTo({ top: 0, behavior: 'smooth' })"
POLL_SECONDS = 2.0
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
TABLES = [".csv", ".tsv", ".xlsx", ".parquet"]


def build(app: gr.Blocks, studio: Studio) -> None:
    """The page."""
    area(
        heading(
            "Data",
            "A table with one row per case says which files and values belong to whom, and what "
            "the outcome was. Nothing leaves this computer.",
        )
    )
    project = project_dropdown(app, studio)
    doubts = area(elem_id="doubts")
    form = question_form(studio)
    report = area(elem_id="report")
    without_project(
        app, studio, report, empty("Create a project on the start page first.", "Go to start", "/")
    )
    doubt = gr.Button(
        "Look for labels that may be wrong",
        visible=False,
        elem_classes="fm-narrow",
    )
    looking = gr.Timer(POLL_SECONDS, active=False)
    pressed = hidden()
    mend = gr.Button("Clean up", visible="hidden", elem_id="mend")
    with gr.Accordion("Look at a case", open=False, visible=False) as viewer:
        look = _viewer(studio, project, viewer)
    unwanted, deleted = deletion(studio, project)
    with gr.Column(visible=False) as adding:
        done = _adding(studio, project)

    def stands(ref: int) -> tuple[Any, ...]:
        """What is known of the newest cohort, for `report`, `state` and the form."""
        cohort = studio.cohorts.newest(ref)
        asked = form.shown_for(cohort.audit if cohort else None)
        return present(studio, ref), *about_doubts(studio, ref), *asked

    @shown
    def show(ref: str | None) -> tuple[Any, ...]:
        if not ref:
            return gr.skip()
        there = studio.cohorts.newest(int(ref)) is not None
        return (
            *stands(int(ref)),
            gr.update(visible=there, open=False),
            gr.update(visible=there, open=False),
            gr.update(visible=True),
        )

    @shown
    def mended(said: str, ref: str) -> tuple[Any, ...]:
        finding, _, way = said.partition(" ")
        if finding == UNDO:
            record, done = studio.cohorts.undo_cleaning(int(ref)), "Undone"
        else:
            record, done = studio.cohorts.clean(int(ref), finding, int(way)), "Mended"
        brief = text(in_brief(record.audit))
        gr.Info(f"{done}: now {brief}. The cohort before it is kept.")
        return stands(int(ref))

    @shown
    def answered(ref: str, *said: str | None) -> tuple[Any, ...]:
        studio.cohorts.answer_questions(int(ref), form.answers(said))
        gr.Info("Answered for all files. The cohort before it is kept.")
        return stands(int(ref))

    @shown
    def look_for(ref: str) -> tuple[Any, ...]:
        studio.cohorts.start_label_check(int(ref))
        return about_doubts(studio, int(ref))

    @shown
    def follow(ref: str) -> tuple[Any, ...]:
        under_way, _ = studio.cohorts.label_check_state(int(ref))
        return gr.skip() if under_way else stands(int(ref))

    state = [doubts, doubt, looking]
    seen = [report, *state, *form.outputs]
    mend.click(
        mended,
        [pressed, project],
        seen,
        js=PRESSED,
        api_visibility="private",
        show_progress_on=[report],
    )
    form.answer.click(
        answered,
        [project, *form.fields],
        seen,
        api_visibility="private",
        show_progress_on=[report],
    )
    doubt.click(look_for, project, state, **QUIET)
    looking.tick(follow, project, seen, **QUIET)
    # What was just added is looked at without being asked: a run will need what that prepares.
    whole = [*seen, viewer, unwanted, adding]
    project.change(show, project, whole, **QUIET)
    done.change(look_for, project, state, **QUIET).then(show, project, whole, **QUIET)
    done.change(None, js=TO_TOP, api_visibility="private")
    deleted.change(show, project, whole, **QUIET)
    for changed in (project, deleted):
        changed.change(lambda: ([], NOTHING), outputs=look, api_visibility="private")


def about_doubts(studio: Studio, project: int) -> tuple[Html, dict[str, Any], gr.Timer]:
    """Where the search for wrong labels stands, its button, and the timer that follows it."""
    cohort = studio.cohorts.newest(project)
    if cohort is None:
        return NOTHING, gr.update(visible=False), gr.Timer(active=False)
    under_way, fault = studio.cohorts.label_check_state(project)
    if under_way:
        said = notice(
            "Looking for labels in doubt…",
            "Models that did not see a case are asked "
            "about it. This takes as long as preparing the cohort for a run; you may "
            "close this page.",
            "accent",
        )
    elif cohort.audit.probed:
        kinds = [one.kind for one in cohort.audit.findings]
        said = (
            NOTHING
            if "label_noise" in kinds
            else tag("p", text("Labels were looked at: none is contradicted strongly."), "fm-note")
        )
    else:
        said = notice("Labels could not be looked at.", fault, "warning") if fault else NOTHING
    waiting = not under_way and not cohort.audit.probed
    return said, gr.update(visible=waiting), gr.Timer(active=under_way)


def present(studio: Studio, project: int) -> Html:
    """The newest cohort of a project, or that there is none."""
    cohort = studio.cohorts.newest(project)
    if cohort is None:
        return notice(
            "This project has no data yet.",
            "Add a table of cases below. The outcome must be in one of its columns.",
            "accent",
        )
    lead = f"{in_brief(cohort.audit)}, added {moment(cohort.created_at)}."
    way = NOTHING
    if not cohort.audit.stops:
        target = f"/finetune?project={project}"
        way = tag("p", link("Fine-tune on this cohort", target, "fm-button"), "fm-ways")
    return join(
        [
            section(cohort.name, lead, text),
            undoing(cohort.audit.mended),
            cohort_report(
                cohort.audit,
                studio.pipelines(),
                studio.projects.get(project).task,
                studio.cohorts.rows_concerned(project),
                lambda finding: studio.cohorts.cut_out(project, finding) if finding.places else [],
            ),
            way,
        ]
    )


def _adding(studio: Studio, project: gr.Dropdown) -> gr.Textbox:
    """The form for a new cohort. Gives a hidden box that changes when one was added."""
    area(
        section(
            "Add a cohort",
            "CSV, TSV, Excel or Parquet; a cell that holds a file gives its "
            "path from the table's folder, several with ';'. Empty cells are missing values.",
        )
    )
    with gr.Column():
        way = gr.Radio(WAYS, value=ZIP, label="What do you have?")
        archive = gr.File(label="ZIP", file_types=[".zip"], height=130)
        with gr.Row(visible=False) as separate:
            table_file = gr.File(label="Table", file_types=TABLES, height=150)
            files = gr.File(label="Files (many at once)", file_count="multiple", height=150)
        here = gr.Textbox(
            label="Path of the table",
            visible=False,
            placeholder="/home/me/study/cases.csv",
            info="The files stay where they are; the table's folder is where their paths start.",
        )
    read = gr.Button("Read the table", variant="primary", elem_classes="fm-narrow")
    manifest = gr.State(None)
    with gr.Column(visible=False) as checking:
        area(
            section(
                "Is this right?",
                "What the studio took each column for. Change what is "
                "wrong: splits never separate a patient, and numbers of cases, patients and "
                "the outcome are never shown to the model.",
            )
        )
        table_of_roles = area(elem_id="roles")
        name = gr.Textbox(label="Name of the cohort", max_length=120)
        add = gr.Button("Add this cohort", variant="primary", elem_classes="fm-narrow")
        area(
            tag(
                "p",
                text(
                    "Every file is opened once to see whether it can be read, so a large "
                    "cohort takes a few minutes."
                ),
                "fm-note",
            )
        )
    chosen, done = hidden(), hidden()

    way.change(
        lambda kind: [gr.update(visible=kind == each) for each in (ZIP, FILES, HERE)],
        way,
        [archive, separate, here],
        api_visibility="private",
        show_progress="hidden",
    )

    @shown
    def propose(
        ref: str,
        kind: str,
        archive: str | None,
        table: str | None,
        files: list[str] | None,
        here: str,
    ) -> tuple[Path, Html, str, dict]:
        path = gathered(studio, kind, archive, table, files, here)
        columns = studio.projects.get(int(ref)).task.columns
        proposed = studio.cohorts.propose_roles(path, list(columns) or None)
        rows = max((column.filled for column in proposed), default=0)
        table_html = role_table(proposed, rows, studio.pipelines())
        name = proposed_name(kind, archive, path, studio.projects.get(int(ref)).name)
        return path, table_html, name, gr.update(visible=True)

    @shown
    def keep(roles: str, ref: str, path: Path | None, name: str, kind: str) -> tuple[str, dict]:
        if path is None:
            raise InputError("No table was read yet.", hint="Press 'Read the table' first.")
        record = studio.cohorts.add(
            int(ref), path, roles=json.loads(roles), name=name.strip() or None, copy=kind != HERE
        )
        gr.Info(f"Added {text(in_brief(record.audit))}.")
        return f"{record.id}", gr.update(visible=False)

    read.click(
        propose,
        [project, way, archive, table_file, files, here],
        [manifest, table_of_roles, name, checking],
        api_visibility="private",
        show_progress_on=[checking],
    )
    add.click(
        keep,
        [chosen, project, manifest, name, way],
        [done, checking],
        js=COLLECT,
        api_visibility="private",
        show_progress_on=[checking],
    )
    return done


def proposed_name(kind: str, archive: str | None, path: Path, project: str) -> str:
    """What a person will know a cohort by: its ZIP or folder, for single files the project."""
    name = Path(archive).stem if kind == ZIP and archive else path.parent.name
    return project if kind == FILES or not name else name.replace("_", " ")


def gathered(
    studio: Studio,
    kind: str,
    archive: str | None,
    table: str | None,
    files: list[str] | None,
    here: str,
) -> Path:
    """The table's path, its files in place beside it. Raises InputError for what is missing."""
    if kind == ZIP:
        if not archive:
            raise InputError("No ZIP was given.", hint="Drop it into the box first.")
        return studio.cohorts.unpack_upload(Path(archive))
    if kind == FILES:
        if not table:
            raise InputError("No table was given.", hint="Drop it into the box 'Table' first.")
        from fmstudio.cohort import read_manifest

        cells = (cell for row in read_manifest(Path(table)).rows for cell in row.values())
        return lay_out(Path(table), [Path(file) for file in files or ()], cells, studio.settings)
    path = Path(here.strip().strip('"')).expanduser()
    if not here.strip() or not path.is_absolute():
        raise InputError(
            f"'{here}' is not a full path.",
            hint="Write it from the root, as in /home/me/cases.csv.",
        )
    if not path.is_file():
        raise NotFound(f"There is no file {path.name} there.", hint="Check the path.")
    return path


def _viewer(studio: Studio, project: gr.Dropdown, viewer: gr.Accordion) -> list[gr.Blocks]:
    """A case of choice, as its pipelines read it. Gives what to clear for another project."""
    cases = gr.State([])
    chosen = gr.Dropdown(label="Case", choices=[], value=None, filterable=True)
    view = area()

    @shown
    def fill(ref: str) -> tuple[tuple[PatientCase, ...], gr.Dropdown]:
        known = studio.cohorts.cases(int(ref))
        names = [case.case_id for case in known]
        return known, gr.Dropdown(choices=names, value=names[0] if names else None)

    @shown
    def look(known: tuple[PatientCase, ...], case_id: str | None) -> Html:
        case = next((case for case in known if case.case_id == case_id), None)
        return case_view(studio, case) if case else NOTHING

    viewer.expand(fill, project, [cases, chosen], api_visibility="private")
    chosen.change(look, [cases, chosen], view, api_visibility="private")
    return [cases, view]


def case_view(studio: Studio, case: PatientCase) -> Html:
    """Every modality of a case side by side; a file that cannot be read says why."""
    cards = []
    for pipeline in studio.pipelines():
        sources = case.sources.get(pipeline.name, ())
        if not sources:
            inside = tag("p", text("Not given."))
        else:
            try:
                inside = preview(studio.predictions.preview(pipeline.name, sources))
            except StudioError as fault:
                inside = refusal(fault)
        cards.append(tag("article", join([tag("h3", text(pipeline.label)), inside]), "fm-card"))
    return tag("div", join(cards), "fm-masonry")


PAGE = Page("data", "data", "Data", order=1, build=build)
