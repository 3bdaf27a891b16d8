"""The project that a page is about: a list that follows the address, and the address follows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gradio as gr

from fmstudio.errors import NotFound
from fmstudio.records import ProjectRecord
from fmstudio.ui.message import shown
from fmstudio.ui.page import READY

if TYPE_CHECKING:
    from fmstudio.studio import Studio

# Puts the chosen value into the address, so that a reload or a second tab shows the same.
REMEMBER = """(value) => {{
  const url = new URL(window.location.href);
  if (value === null || value === undefined) url.searchParams.delete("{name}");
  else url.searchParams.set("{name}", value);
  window.history.replaceState(window.history.state, "", url);
}}"""


def choices(studio: Studio) -> list[tuple[str, str]]:
    """The projects as (name, id), those of the user first, newest first."""
    projects = sorted(studio.projects(), key=lambda project: (project.sample, -project.id))
    return [(project.name, str(project.id)) for project in projects]


def asked(studio: Studio, request: gr.Request) -> ProjectRecord | None:
    """The project that the address names; else the user's newest; else the sample; else None."""
    named = request.query_params.get("project")
    if named:
        try:
            return studio.project(int(named) if named.isdigit() else named)
        except NotFound:
            pass  # the address is old: the project was deleted meanwhile
    known = choices(studio)
    return studio.project(int(known[0][1])) if known else None


def project_dropdown(app: gr.Blocks, studio: Studio, label: str = "Project") -> gr.Dropdown:
    """A list of projects, filled whenever the page is opened.

    Listen to its `change`: it comes on opening and on choosing alike, if there is a project.
    """
    dropdown = gr.Dropdown(label=label, choices=[], value=None, elem_id="project")

    @shown
    def fill(request: gr.Request) -> gr.Dropdown:
        project = asked(studio, request)
        return gr.Dropdown(choices=choices(studio), value=str(project.id) if project else None)

    app.load(fill, outputs=dropdown, api_visibility="private", show_progress="hidden").then(
        None, js=READY, api_visibility="private"
    )
    remember(dropdown, "project")
    return dropdown


def remember(component: gr.Dropdown, name: str) -> None:
    """Keep a component's value in the address under `name`."""
    component.change(
        fn=None, inputs=component, js=REMEMBER.format(name=name), api_visibility="private"
    )
