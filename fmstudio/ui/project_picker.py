"""The project that a page is about: a list that follows the address, and the address follows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from fmstudio.errors import NotFound
from fmstudio.records import ProjectRecord
from fmstudio.ui.fragments import Html
from fmstudio.ui.message import shown
from fmstudio.ui.page import READY

if TYPE_CHECKING:
    from fmstudio.studio import Studio

MOST = 200  # in a list to choose from; the page Start leads to older ones
# Puts the chosen value into the address, so that a reload or a second tab shows the same.
REMEMBER = """(value) => {{
  const url = new URL(window.location.href);
  if (value === null || value === undefined) url.searchParams.delete("{name}");
  else url.searchParams.set("{name}", value);
  window.history.replaceState(window.history.state, "", url);
}}"""


def choices(studio: Studio, asked: ProjectRecord | None = None) -> list[tuple[str, str]]:
    """The newest projects as (name, id), those of the user first; the one asked for among them."""
    projects = studio.projects.list(sample=False, limit=MOST) + studio.projects.list(sample=True)
    if asked is not None and asked not in projects:
        projects.append(asked)
    return [(project.name, str(project.id)) for project in projects]


def asked(studio: Studio, request: gr.Request) -> ProjectRecord | None:
    """The project that the address names; else the user's newest; else the sample; else None."""
    named = request.query_params.get("project")
    if named:
        try:
            return studio.projects.get(int(named) if named.isdecimal() else named)
        except NotFound:
            pass  # the address is old: the project was deleted meanwhile
    newest = studio.projects.list(sample=False, limit=1) or studio.projects.list(
        sample=True, limit=1
    )
    return newest[0] if newest else None


def project_dropdown(app: gr.Blocks, studio: Studio, label: str = "Project") -> gr.Dropdown:
    """A list of projects, filled whenever the page is opened.

    Listen to its `change`: it comes on opening and on choosing alike, if there is a project.
    """
    dropdown = gr.Dropdown(label=label, choices=[], value=None, elem_id="project")

    @shown
    def fill(request: gr.Request) -> gr.Dropdown:
        project = asked(studio, request)
        value = str(project.id) if project else None
        return gr.Dropdown(choices=choices(studio, project), value=value)

    app.load(fill, outputs=dropdown, api_visibility="private", show_progress="hidden").then(
        None, js=READY, api_visibility="private"
    )
    remember(dropdown, "project")
    return dropdown


def without_project(app: gr.Blocks, studio: Studio, place: gr.HTML, said: Html) -> None:
    """Say in a place, once the page is opened, what to do first where there is no project at all.

    Not before: where there are projects, it would be read for a moment.
    """

    @shown
    def say() -> Any:
        return gr.skip() if studio.projects.count() else said

    app.load(say, outputs=place, api_visibility="private", show_progress="hidden")


def remember(component: gr.Dropdown, name: str) -> None:
    """Keep a component's value in the address under `name`."""
    component.change(
        fn=None, inputs=component, js=REMEMBER.format(name=name), api_visibility="private"
    )
