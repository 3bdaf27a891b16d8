"""The wizard's step Settings: a preset, a recipe to load, and every setting for who wants it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from fmstudio.run_config import RunConfig
from fmstudio.ui import all_settings, forms, presets
from fmstudio.ui.fragments import Html, area
from fmstudio.ui.message import shown

if TYPE_CHECKING:
    from fmstudio.studio import Studio
    from fmstudio.training.estimate import Estimate

OPTIONS: dict[str, Any] = {
    "api_visibility": "private",
    "show_progress": "hidden",
    "trigger_mode": "always_last",
}


@dataclass(frozen=True)
class SettingsStep:
    """The widgets of the step; `origin` says where settings come from that were filled in."""

    preset: gr.Radio
    origin: gr.HTML
    presets: gr.HTML
    table: all_settings.AllSettings


def build() -> SettingsStep:
    """The widgets."""
    origin = area(elem_id="settings-origin")
    preset = gr.Radio(
        presets.choices(),
        value=all_settings.FIRST,
        label="How much effort",
        elem_classes="fm-stack",
    )
    costs = area(elem_id="presets")
    table = all_settings.build()
    return SettingsStep(preset, origin, costs, table)


def follow(
    studio: Studio,
    step: SettingsStep,
    project: gr.Dropdown,
    base: gr.Dropdown,
    chosen: gr.CheckboxGroup,
    encoders: Mapping[str, gr.Dropdown],
) -> None:
    """The step follows what was chosen before it: what presets cost, which settings act."""
    table, preset = step.table, step.preset

    @shown
    def stand(
        ref: str | None, names: list[str], preset: str, wanted: str | None, *values: Any
    ) -> Html:
        wanted = wanted or ""
        task = studio.projects.get(int(ref)).task.kind if ref else ""
        columns = studio.cohorts.group_columns(int(ref)) if ref else []
        standing = all_settings.stand(values, preset, names, task, wanted, columns)
        return all_settings.told(standing, preset, wanted)

    @shown
    def offer(ref: str | None, now: str | None) -> Any:
        columns = studio.cohorts.group_columns(int(ref)) if ref else []
        # A choice that stands is left alone: it may be newer than the one that came along.
        own = {} if now in ("", *columns) else {"value": ""}
        return gr.update(choices=[(forms.NONE, ""), *columns], **own)

    @shown
    def compare(ref: str | None, base: str | None, names: list[str], *words: str) -> Html:
        own = {name: word for name, word in zip(encoders, words, strict=True) if word}
        return presets.side_by_side(costs_of(studio, ref, base, names, own))

    changes = [one.change for one in (project, chosen, preset, *table.fields)]
    given = [project, chosen, preset, table.search, *table.fields]
    gr.on([table.search.change, *changes], stand, given, table.standing, **OPTIONS)
    project.change(offer, [project, table.column], table.column, **OPTIONS)
    before = [project, base, chosen, *encoders.values()]
    gr.on([one.change for one in before], compare, before, step.presets, **OPTIONS)
    preset.input(forms.of_preset, preset, table.fields, **OPTIONS)
    table.reset.click(forms.of_preset, preset, table.fields, **OPTIONS)


def costs_of(
    studio: Studio,
    project: str | None,
    base: str | None,
    names: list[str],
    encoders: Mapping[str, str],
) -> dict[str, Estimate]:
    """What each preset would take; nothing where there is no cohort or nothing to look at."""
    if not project or not base or not names or studio.cohorts.newest(int(project)) is None:
        return {}
    own = {name: word for name, word in encoders.items() if name in names}
    given: Mapping[str, Any] = {"base": base, "modalities": tuple(names), "encoders": own}
    return {
        preset: studio.runs.estimate(int(project), RunConfig.from_preset(preset, **given))
        for preset in studio.runs.presets()
    }
