"""The settings of a run as widgets and values, made from the metadata of RunConfig's fields.

A new field of RunConfig appears here by itself: number, choice or yes/no by its default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, fields
from typing import Any

import gradio as gr

from fmstudio.present.values import number
from fmstudio.pretrain_config import PretrainConfig
from fmstudio.run_config import PRESETS, RunConfig
from fmstudio.ui.fragments import Html, join, table, tag, text
from fmstudio.ui.wording import listed

# Chosen in steps of their own.
ELSEWHERE = ("base", "modalities", "encoders", "preset")
NONE = "none"
OF_A_BASE = ("name", "manifest", "fingerprint")  # said in words, or of no use to read


def shown_fields() -> tuple[Field[Any], ...]:
    """The fields that the form shows, in the order of the class."""
    return tuple(item for item in fields(RunConfig) if item.name not in ELSEWHERE)


def widget(item: Field[Any], value: Any) -> gr.components.Component:
    """The widget for one field; its help stands beside it."""
    known = item.metadata
    shared: dict[str, Any] = {"label": known["label"], "show_label": False, "container": False}
    if "choices" in known:
        return gr.Dropdown(list(known["choices"]), value=value, filterable=False, **shared)
    if isinstance(value, str):  # a column of the cohort, whose columns come later
        return gr.Dropdown([(NONE, "")], value=value, allow_custom_value=True, **shared)
    if isinstance(value, bool):
        return gr.Checkbox(value=value, **shared)
    whole = isinstance(value, int)
    return gr.Number(
        value=value, precision=0 if whole else None, step=known.get("step", 1), **shared
    )


def range_in_words(item: Field[Any]) -> str:
    """'1 to 128', the choices, 'yes or no', or 'a group column'."""
    known = item.metadata
    if "choices" in known:
        return " · ".join(known["choices"])
    if isinstance(item.default, str):
        return "a group column"
    return f"{_plain(known['low'])} to {_plain(known['high'])}" if "low" in known else "yes or no"


def _plain(value: float) -> str:
    if isinstance(value, int):
        return number(value)
    return f"{value:g}" if value == 0 or value >= 1e-4 else f"{value:.9f}".rstrip("0")


def of_preset(preset: str) -> list[Any]:
    """The values of the form's widgets for a preset."""
    config = RunConfig.from_preset(preset)
    return [getattr(config, item.name) for item in shown_fields()]


def check(*values: Any) -> list[dict[str, Any]]:
    """Gradio's verdict on each widget, with the range in words where a value is outside it."""
    told = (complaint(item, value) for item, value in zip(shown_fields(), values, strict=True))
    return [gr.validate(not words, words) for words in told]


def complaint(item: Field[Any], value: Any) -> str:
    """'LoRA rank: from 1 to 128.' for a value that is not in its range, else nothing."""
    known = item.metadata
    fine = "low" not in known or (value is not None and known["low"] <= value <= known["high"])
    return "" if fine else f"{known['label']}: from {range_in_words(item)}."


def config(
    base: str,
    modalities: list[str],
    preset: str,
    values: list[Any],
    encoders: Mapping[str, str] | None = None,
) -> RunConfig:
    """The RunConfig of what was filled in; `encoders` names a kept checkpoint by modality.

    Raises InputError for a value out of its range.
    """
    given: Mapping[str, Any] = {
        item.name: value for item, value in zip(shown_fields(), values, strict=True)
    }
    return RunConfig.from_preset(
        preset, base=base, modalities=tuple(modalities), encoders=encoders, **given
    )


def preset_in_words(given: RunConfig) -> str:
    """'Balanced', or 'Balanced, but for LoRA rank and Epochs'."""
    usual = RunConfig.from_preset(given.preset)
    items = [i for i in shown_fields() if getattr(given, i.name) != getattr(usual, i.name)]
    labels = [item.metadata["label"] for item in items]
    return given.preset.capitalize() + (f", but for {listed(labels)}" if labels else "")


def settings_table(given: RunConfig | PretrainConfig) -> Html:
    """All settings of a run, folded away."""
    rows = [
        [text(item.metadata["label"]), text(said(getattr(given, item.name)))]
        for item in fields(given)
        if item.name not in (*ELSEWHERE, *OF_A_BASE)
    ]
    inside = [tag("summary", text("All settings")), table(["Setting", "#Value"], rows)]
    return tag("details", join(inside), "fm-details")


def said(value: Any) -> str:
    """A setting's value as people read it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value) or NONE


def presets() -> list[str]:
    """The names of the presets, from quick to thorough."""
    return list(PRESETS)
