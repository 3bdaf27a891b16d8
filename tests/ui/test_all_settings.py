"""The table of settings: what is changed, what does not act, what is searched for, what is wrong."""

from __future__ import annotations

import pytest

from fmstudio.run_config import GROUPS, PRESETS
from fmstudio.training.estimate import Estimate
from fmstudio.ui import all_settings, forms, presets

NAMES = [item.name for item in forms.shown_fields()]


def stand(
    preset="quick", modalities=("a", "b"), task="binary", wanted="", columns=("site",), **changes
):
    values = dict(zip(NAMES, forms.of_preset(preset), strict=True)) | changes
    return all_settings.stand(list(values.values()), preset, modalities, task, wanted, columns)


def test_every_setting_belongs_to_a_group_of_the_table():
    assert {item.metadata["group"] for item in forms.shown_fields()} == set(GROUPS)


@pytest.mark.parametrize("preset", list(PRESETS))
def test_of_a_preset_nothing_is_changed(preset):
    standing = stand(preset)

    assert (standing.changed, standing.wrong) == ((), {})
    assert f"All settings are those of {preset.capitalize()}." in all_settings.told(
        standing, preset
    )
    assert "#settings-reset" in all_settings.told(standing, preset)


def test_what_differs_from_the_preset_is_named_and_marked_and_can_be_undone():
    told = all_settings.told(stand(rank=4, epochs=99), "quick")

    assert "2 settings differ from Quick: LoRA rank and Epochs." in told
    assert "#setting-rank .fm-changed, #setting-epochs .fm-changed { display: inline; }" in told
    assert "#settings-reset" not in told


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("rank", ["rank", "alpha", "search_minutes"]),  # in label, help, help
        ("learning_rate", ["learning_rate"]),
        ("--learning-rate", ["learning_rate"]),
        ("LEARNING rate", ["learning_rate", "search_minutes"]),
        ("averaged", ["seeds", "fold_ensemble"]),
        ("cross-validation", ["folds"]),
        ("zzz", []),
        ("  ", NAMES),
    ],
)
def test_a_search_looks_at_label_help_and_key(wanted, found):
    standing = stand(wanted=wanted)

    assert list(standing.matching) == found
    told = all_settings.told(standing, "quick", wanted)
    assert ("No setting matches" in told) == (not found)


def test_rows_and_headings_without_a_match_are_hidden():
    told = all_settings.told(stand(wanted="learning_rate"), "quick", "learning_rate")
    hidden = next(line for line in told.splitlines() if "display: none" in line)

    assert "#setting-rank," in hidden
    assert "#setting-learning_rate" not in hidden
    assert f"#settings-group-{GROUPS.index('How it learns')}" not in hidden
    assert f"#settings-group-{GROUPS.index('What is adapted')}" in hidden


def test_what_was_typed_to_search_for_never_becomes_markup():
    assert "<b>" not in all_settings.told(stand(wanted="<b>"), "quick", "<b>")


def test_settings_that_do_not_act_are_hidden_and_said():
    standing = stand(task="regression", modalities=("a",), seeds=2)
    told = all_settings.told(standing, "quick")

    assert set(standing.idle) == {"balance", "modality_dropout"}
    assert "2 settings that do not act here are hidden" in told
    assert "a number is predicted, so there are no classes: Balance classes" in told
    hidden = next(line for line in told.splitlines() if "display: none" in line)
    assert "#setting-balance" in hidden
    assert "#setting-modality_dropout" in hidden
    assert stand(task="multilabel", seeds=2).idle == {}
    assert stand(task="multilabel").idle == {"fold_ensemble": "there is one seed"}


def test_groups_to_balance_are_hidden_where_the_cohort_has_no_group_column():
    standing = stand(columns=(), seeds=2)

    assert standing.idle == {"balance_by": "the cohort has no group column"}
    assert "#setting-balance_by" in all_settings.told(standing, "quick")
    assert stand(balance_by="site").changed == ("balance_by",)


def test_where_no_lora_is_trained_its_settings_are_hidden_with_one_reason():
    standing = stand(keep="probe")
    told = all_settings.told(standing, "quick")

    assert {"rank", "learning_rate", "seeds", "search_minutes", "scope"} <= set(standing.idle)
    assert not {"keep", "folds", "balance", "seed"} & set(standing.idle)
    assert told.count("no LoRA is trained where the probe is to be kept") == 1
    assert "ladder" in stand(scope="upper trunk").idle
    assert "ladder" not in stand(scope="trunk").idle


def test_a_value_out_of_range_is_seen_whatever_is_searched_for():
    standing = stand(wanted="rank", epochs=0, modality_dropout=7.0, modalities=("a",))
    told = all_settings.told(standing, "quick", "rank")

    assert "Epochs: from 1 to 1,000. Modality dropout: from 0 to 0.9." in told
    hidden = next(line for line in told.splitlines() if "display: none" in line)
    assert "#setting-epochs" not in hidden
    assert "#setting-modality_dropout" not in hidden


def test_an_emptied_box_is_a_change_and_out_of_range():
    standing = stand(epochs=None)

    assert standing.changed == ("epochs",)
    assert set(standing.wrong) == {"epochs"}


def test_where_a_search_starts_is_marked_only_while_there_is_one():
    assert "#all-settings .fm-searched" in all_settings.told(stand(search_minutes=5.0), "quick")
    assert "fm-searched" not in all_settings.told(stand(), "quick")


def test_presets_are_told_side_by_side_with_what_they_cost():
    costs = {name: Estimate({"Training": 60.0 * (i + 1)}, 1000.0) for i, name in enumerate(PRESETS)}
    shown = presets.side_by_side(costs)

    assert "Minutes of search" in shown
    assert "about 3 min (2 min 6 s to 4 min 12 s)" in shown
    assert '<span class="fm-of-quick">none</span>' in shown  # folds of the quick preset
    assert "Estimated" not in presets.side_by_side({})
    assert [name for _, name in presets.choices()] == list(PRESETS)
    assert set(presets.WORDS) == set(PRESETS)
