"""Recipes on the pages: saving a run's, loading one, and running again with changes."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from fmstudio.errors import StudioError
from fmstudio.records import RunRecord
from fmstudio.ui import forms
from fmstudio.ui.encoders import choices_for
from fmstudio.ui.fragments import NOTHING, Html, bullets, join, link, notice, tag, text

if TYPE_CHECKING:
    from fmstudio.run_config import RunConfig
    from fmstudio.studio import Studio
    from fmstudio.studio.recipes import Planned


def ways(studio: Studio, run: RunRecord) -> Html:
    """The links under a fine-tuning run: its recipe as a file, and the wizard filled in with it.

    The file is in the page itself, so that nothing has to be written to be looked at.
    """
    if run.kind != "finetune":
        return NOTHING
    try:
        recipe = studio.runs.recipe(run.id).as_text()
    except StudioError as fault:
        return notice(f"This run has no recipe any more: {fault.message}", fault.hint)
    content = base64.b64encode(recipe.encode()).decode()
    save = tag(
        "a",
        text("Save recipe"),
        "fm-button fm-quiet",
        download=f"recipe-{run.id}.json",
        href=f"data:application/json;base64,{content}",
    )
    again = link(
        "Run again with changes",
        f"/finetune?project={run.project_id}&again={run.id}",
        "fm-button fm-quiet",
    )
    return tag("p", join([save, again]), "fm-ways")


def asked_again(studio: Studio, request: gr.Request) -> Planned | None:
    """The settings of the run that the address wants again, with what is not as it was.

    A run that the address shows comes first. Raises StudioError where it cannot be run again.
    """
    run_id = request.query_params.get("again")
    if not run_id or request.query_params.get("run"):
        return None
    return studio.runs.plan_again(run_id)


def wanted_again(studio: Studio, request: gr.Request) -> RunConfig | None:
    """The same for those who need not say why it cannot be."""
    try:
        planned = asked_again(studio, request)
    except StudioError:
        return None
    return planned.config if planned else None


def filled(planned: Planned, encoders: Mapping[str, gr.Dropdown], studio: Studio) -> list[Any]:
    """Updates for the encoders' lists, the preset and the settings, in this order."""
    config = planned.config
    lists = [
        gr.Dropdown(choices=choices_for(studio, pipeline), value=config.encoders.get(name, ""))
        for name, pipeline in ((p.name, p) for p in studio.pipelines())
        if name in encoders
    ]
    values = [getattr(config, item.name) for item in forms.shown_fields()]
    return [*lists, config.preset, *values]


def origin(what: str, remarks: Sequence[str]) -> Html:
    """Where the settings on the page come from, and what is different here."""
    below = bullets(remarks) if remarks else NOTHING
    tone = "warning" if remarks else "accent"
    return join(
        [
            notice(
                f"All settings are those of {what}.",
                "Change what you like, then go on to the review.",
                tone,
            ),
            below,
        ]
    )
