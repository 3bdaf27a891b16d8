"""A recipe comes back as it was written, and says what is wrong in it by its key."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest

from fmstudio.errors import InputError
from fmstudio.run_config import PRESETS, RunConfig
from fmstudio.training.run_settings import Recipe, read_recipe

CONFIG = RunConfig.from_preset(
    "thorough", modalities=("a", "b"), encoders={"b": "films"}, rank=4, learning_rate=1e-3
)
RECIPE = Recipe(CONFIG, "ba5e", {"b": "f11e"}, "binary", "c0ffee")


def changed(**parts) -> str:
    """The recipe's text with parts replaced; settings are changed, None removes one."""
    given = RECIPE.as_dict()
    settings = {**given["settings"], **parts.pop("settings", {})}
    given |= {"settings": {name: value for name, value in settings.items() if value is not None}}
    return json.dumps({name: value for name, value in (given | parts).items() if value is not None})


def test_a_recipe_comes_back_as_it_was_written():
    assert read_recipe(RECIPE.as_text(), "a.json") == RECIPE
    assert read_recipe(RECIPE.as_text(), "a.json").remarks == ()


def test_what_was_said_of_the_files_is_in_a_recipe():
    recipe = replace(RECIPE, answers={"rate": "250"})

    assert read_recipe(recipe.as_text(), "a.json") == recipe
    with pytest.raises(InputError, match=r"answers\.rate is 250"):
        read_recipe(changed(answers={"rate": 250}), "a.json")


@pytest.mark.parametrize("preset", list(PRESETS))
def test_every_setting_is_in_a_recipe(preset):
    recipe = Recipe(RunConfig.from_preset(preset), "", {}, "binary", "c0ffee")
    given = recipe.as_dict()

    assert {*given["settings"], "base", "modalities", "encoders"} == {
        item.name for item in fields(RunConfig)
    }
    assert read_recipe(recipe.as_text(), "a.json") == recipe


@pytest.mark.parametrize(
    ("parts", "said", "hint"),
    [
        ({"settings": {"rnk": 4}}, "no key 'settings.rnk'", "Did you mean 'rank'"),
        ({"settings": {"zzz": 4}}, "no key 'settings.zzz'", "one of: preset, rank"),
        ({"settings": {"rank": "8"}}, r'settings.rank is "8", expected a whole number', "whole"),
        ({"settings": {"rank": True}}, "settings.rank is true, expected a whole number", "whole"),
        ({"settings": {"rank": 4.5}}, "settings.rank is 4.5, expected a whole number", "whole"),
        ({"settings": {"rank": 900}}, "settings.rank is 900, expected between 1 and 128", "1 and"),
        ({"settings": {"scope": "all"}}, "settings.scope is .all., expected one of", "trunk"),
        ({"settings": {"balance": 1}}, "settings.balance is 1, expected yes or no", "true or"),
        ({"settings": {"alpha": "high"}}, "settings.alpha is .high., expected a number", "number"),
        ({"settings": {"alpha": float("nan")}}, "settings.alpha is NaN, expected between", "1.0"),
        ({"modalities": ["a", 3]}, r'modalities is \["a", 3\], expected a list of texts', "list"),
        ({"base": "embedded"}, "base is .embedded., expected an object", "object"),
        ({"base": {"name": "embedded"}}, "base.sha256 is null, expected a text", "text"),
        ({"encoders": {"b": {"name": 3}}}, "encoders.b.name is 3, expected a text", "text"),
        ({"hue": "red"}, "no key 'hue'", "Remove it"),
        ({"cohort": None}, "'cohort' is missing, expected a text", "run recipe"),
        ({"schema": "fmstudio/recipe/9"}, "schema is .fmstudio/recipe/9., expected", "update"),
        ({"schema": None}, "no 'schema'", "Save recipe"),
    ],
)
def test_what_is_wrong_is_said_by_key_with_what_was_found_and_expected(parts, said, hint):
    with pytest.raises(InputError, match=said) as fault:
        read_recipe(changed(**parts), "a.json")

    assert fault.value.message.startswith("a.json")
    assert hint in fault.value.hint


@pytest.mark.parametrize("text", ["", "{", "[1]", "\x00"])
def test_a_file_that_is_no_recipe_is_refused(text):
    with pytest.raises(InputError, match=r"a\.json is not a recipe"):
        read_recipe(text, "a.json")


def test_a_whole_number_will_do_for_a_number():
    assert read_recipe(changed(settings={"alpha": 32}), "a.json").config.alpha == 32


def test_a_setting_that_an_older_studio_did_not_know_is_remarked_on():
    recipe = read_recipe(changed(settings={"seeds": None}), "a.json")

    assert recipe.config.seeds == RunConfig.seeds
    assert len(recipe.remarks) == 1
    assert "'seeds': it is taken as 1" in recipe.remarks[0]
