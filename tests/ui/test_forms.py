"""Every setting of a run is on the wizard's page, with its help, range and value."""

from __future__ import annotations

import html
from dataclasses import fields

import gradio as gr
import pytest

from fmstudio.errors import InputError
from fmstudio.run_config import PRESETS, RunConfig
from fmstudio.ui import all_settings, forms


@pytest.fixture(scope="module")
def widgets() -> list:
    with gr.Blocks():
        return all_settings.build().fields


def test_no_field_of_the_settings_is_missing(widgets):
    labels = [item.metadata["label"] for item in forms.shown_fields()]

    assert [widget.label for widget in widgets] == labels
    assert {item.name for item in fields(RunConfig)} == {
        *(item.name for item in forms.shown_fields()),
        *forms.ELSEWHERE,
    }


def test_every_setting_has_a_row_with_help_range_preset_and_key():
    with gr.Blocks() as page:
        all_settings.build()
    rows = {row.elem_id: row for row in page.blocks.values() if isinstance(row, gr.Row)}

    for item in forms.shown_fields():
        told = "".join(str(one.value) for one in rows[f"setting-{item.name}"].children)
        assert item.metadata["help"] in html.unescape(told)
        assert forms.range_in_words(item) in told
        assert f">{item.name}</code>" in told
        assert f"--{item.name.replace('_', '-')}" in told
        for preset in PRESETS:
            value = forms.said(getattr(RunConfig.from_preset(preset), item.name))
            assert f'fm-of-{preset}">{value}<' in told


@pytest.mark.parametrize("preset", list(PRESETS))
def test_a_preset_fills_the_form_and_the_form_gives_the_preset_back(preset):
    made = forms.config("embedded", ["notes"], preset, forms.of_preset(preset))

    assert made == RunConfig.from_preset(preset, modalities=("notes",))


def test_a_preset_is_told_with_what_was_changed():
    assert forms.preset_in_words(RunConfig.from_preset("balanced")) == "Balanced"
    changed = RunConfig.from_preset("quick", rank=3, epochs=5)
    assert forms.preset_in_words(changed) == "Quick, but for LoRA rank and Epochs"


def test_a_value_out_of_range_is_said_at_its_own_field():
    names = [item.name for item in forms.shown_fields()]
    values = forms.of_preset("quick")
    values[names.index("rank")] = 999
    values[names.index("epochs")] = None

    verdicts = dict(zip(names, forms.check(*values), strict=True))

    assert [name for name in names if not verdicts[name]["is_valid"]] == ["rank", "epochs"]
    assert verdicts["rank"]["message"] == "LoRA rank: from 1 to 128."


def test_a_value_that_no_widget_offers_is_refused_all_the_same():
    values = forms.of_preset("quick")
    values[[item.name for item in forms.shown_fields()].index("rank")] = 10**12

    with pytest.raises(InputError, match="LoRA rank"):
        forms.config("embedded", [], "quick", values)
