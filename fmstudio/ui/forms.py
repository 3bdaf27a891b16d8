"""The settings of a run as widgets, made from the metadata of RunConfig's fields.

A new field of RunConfig appears here by itself: number, choice or yes/no by its default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, fields
from typing import Any

import gradio as gr

from fmstudio.pretraining.config import PretrainConfig
from fmstudio.training.config import PRESETS, RunConfig
from fmstudio.ui.fragments import Html, join, table, tag, text
from fmstudio.ui.wording import number

# Chosen in steps of their own.
ELSEWHERE = ("base", "modalities", "encoders", "preset")
OF_A_BASE = ("name", "manifest", "fingerprint")  # said in words, or of no use to read


def shown_fields() -> tuple[Field[Any], ...]:
    """The fields that the form shows, in the order of the class."""
    return tuple(item for item in fields(RunConfig) if item.name not in ELSEWHERE)


def settings_form() -> list[gr.components.Component]:
    """One widget per shown field, two a row, with the quick preset's values."""
    start = RunConfig.from_preset("quick")
    widgets: list[gr.components.Component] = []
    items = shown_fields()
    for place in range(0, len(items), 2):
        with gr.Row():
            widgets += [widget(item, getattr(start, item.name)) for item in items[place:][:2]]
    return widgets


def widget(item: Field[Any], value: Any) -> gr.components.Component:
    """The widget for one field."""
    known = item.metadata
    shared = {"label": known["label"], "info": known["help"], "min_width": 280}
    if "choices" in known:
        return gr.Radio(list(known["choices"]), value=value, **shared)
    if isinstance(value, bool):
        return gr.Checkbox(value=value, **shared)
    shared["info"] = f"{known['help']} {range_in_words(item)}"
    whole = isinstance(value, int)
    return gr.Number(
        value=value, precision=0 if whole else None, step=1 if whole else known["low"], **shared
    )


def range_in_words(item: Field[Any]) -> str:
    """'From 1 to 128.'"""
    low, high = item.metadata["low"], item.metadata["high"]
    return f"From {_plain(low)} to {_plain(high)}."


def _plain(value: float) -> str:
    return number(value) if isinstance(value, int) else f"{value:g}"


def of_preset(preset: str) -> list[Any]:
    """The values of the form's widgets for a preset."""
    config = RunConfig.from_preset(preset)
    return [getattr(config, item.name) for item in shown_fields()]


def check(*values: Any) -> list[dict[str, Any]]:
    """Gradio's verdict on each widget, with the range in words where a value is outside it."""
    verdicts = []
    for item, value in zip(shown_fields(), values, strict=True):
        known = item.metadata
        fine = "low" not in known or (value is not None and known["low"] <= value <= known["high"])
        message = "" if fine else f"{known['label']}: {range_in_words(item)}"
        verdicts.append(gr.validate(fine, message))
    return verdicts


def config(
    base: str, modalities: list[str], preset: str, values: list[Any],
    encoders: Mapping[str, str] | None = None,
) -> RunConfig:  # fmt: skip
    """The RunConfig of what was filled in; `encoders` names a kept checkpoint by modality.

    Raises InputError for a value out of its range.
    """
    given: Mapping[str, Any] = {
        item.name: value for item, value in zip(shown_fields(), values, strict=True)
    }
    return RunConfig.from_preset(
        preset, base=base, modalities=tuple(modalities), encoders=encoders, **given
    )


def settings_table(given: RunConfig | PretrainConfig) -> Html:
    """All settings of a run, folded away."""
    rows = [
        [text(item.metadata["label"]), text(_said(getattr(given, item.name)))]
        for item in fields(given)
        if item.name not in (*ELSEWHERE, *OF_A_BASE)
    ]
    inside = [tag("summary", text("All settings")), table(["Setting", "#Value"], rows)]
    return tag("details", join(inside), "fm-details")


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def presets() -> list[str]:
    """The names of the presets, from quick to thorough."""
    return list(PRESETS)
