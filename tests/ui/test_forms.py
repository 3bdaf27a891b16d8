"""Every setting of a run is on the wizard's page, with its help, range and value."""

from __future__ import annotations

from dataclasses import fields

import gradio as gr
import pytest

from fmstudio.errors import InputError
from fmstudio.training.config import PRESETS, RunConfig
from fmstudio.ui import forms


@pytest.fixture(scope="module")
def widgets() -> list:
    with gr.Blocks():
        return forms.settings_form()


def test_no_field_of_the_settings_is_missing(widgets):
    labels = [item.metadata["label"] for item in forms.shown_fields()]

    assert [widget.label for widget in widgets] == labels
    assert {item.name for item in fields(RunConfig)} == {
        *(item.name for item in forms.shown_fields()), *forms.ELSEWHERE,
    }  # fmt: skip


def test_every_widget_has_help_and_a_number_its_range(widgets):
    for item, widget in zip(forms.shown_fields(), widgets, strict=True):
        assert widget.info.startswith(item.metadata["help"])
        if "low" in item.metadata:
            assert forms.range_in_words(item) in widget.info


@pytest.mark.parametrize("preset", list(PRESETS))
def test_a_preset_fills_the_form_and_the_form_gives_the_preset_back(preset):
    made = forms.config("embedded", ["notes"], preset, forms.of_preset(preset))

    assert made == RunConfig.from_preset(preset, modalities=("notes",))


def test_a_value_out_of_range_is_said_at_its_own_field():
    names = [item.name for item in forms.shown_fields()]
    values = forms.of_preset("quick")
    values[names.index("rank")] = 999
    values[names.index("epochs")] = None

    verdicts = dict(zip(names, forms.check(*values), strict=True))

    assert [name for name in names if not verdicts[name]["is_valid"]] == ["rank", "epochs"]
    assert verdicts["rank"]["message"] == "LoRA rank: From 1 to 128."


def test_127_a_value_that_no_widget_offers_is_refused_all_the_same():
    values = forms.of_preset("quick")
    values[0] = 10**12

    with pytest.raises(InputError, match="LoRA rank"):
        forms.config("embedded", [], "quick", values)
