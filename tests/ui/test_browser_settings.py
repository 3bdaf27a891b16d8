"""The wizard's settings in a real browser: searching, changing, recipes, running again."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect

from fmstudio.run_config import RunConfig
from fmstudio.studio import Studio
from tests.ui.browsing import PATIENCE_MS, press

CONFIG = RunConfig.from_preset("balanced", rank=4, learning_rate=1e-3, modalities=("notes",))


@pytest.fixture
def studio(studio: Studio, table) -> Studio:
    """A studio with two projects, of one a run that was stopped before it began."""
    studio.projects.create("Length of stay", "regression", label="label_days")
    project = studio.projects.create("Ward 7", "binary")
    cohort = studio.cohorts.add("Ward 7", table())
    run = studio.registry.create_run(
        project.id, cohort.id, "finetune", CONFIG.as_dict(), CONFIG.base
    )
    studio.registry.cancel_run(run.id)
    return studio


def to_settings(page: Page) -> None:
    """From the first step of the wizard to the table of all settings."""
    for heading in ("Findings", "The model may look at", "How much effort"):
        press(page, "Next")
        expect(page.get_by_text(heading).locator("visible=true").first).to_be_visible()
    open_table(page)


def open_table(page: Page) -> None:
    page.get_by_role("button", name="All settings").click()
    expect(page.get_by_label("LoRA rank")).to_be_visible()


def standing(page: Page, words: str) -> None:
    expect(page.locator("#settings-standing")).to_contain_text(words)


def test_settings_are_found_changed_marked_and_put_back(page, keep):
    page.goto("/finetune?project=2")
    to_settings(page)
    rank, rate = page.locator("#setting-rank"), page.locator("#setting-learning_rate")
    expect(page.locator("#presets")).to_contain_text("Estimated time for this cohort")
    standing(page, "All settings are those of Quick.")

    page.get_by_label("LoRA rank").fill("3")
    standing(page, "1 setting differs from Quick: LoRA rank.")
    expect(rank.get_by_text("Changed")).to_be_visible()
    expect(rate.get_by_text("Changed")).to_be_hidden()

    search = page.get_by_label("Search", exact=True)
    search.fill("learning-rate")
    expect(rank).to_be_hidden()
    expect(rate).to_be_visible()
    keep(page, "settings-1-search")
    search.fill("no such setting")
    standing(page, "No setting matches 'no such setting'.")
    expect(rate).to_be_hidden()
    search.fill("")
    expect(rank).to_be_visible()
    expect(page.get_by_label("LoRA rank")).to_have_value("3")

    page.get_by_label("Balanced").check()
    standing(page, "All settings are those of Balanced.")
    page.get_by_label("Epochs").fill("7")
    standing(page, "1 setting differs from Balanced: Epochs.")
    press(page, "Back to the preset")
    standing(page, "All settings are those of Balanced.")
    expect(page.get_by_label("Epochs")).to_have_value("40")


def test_a_value_out_of_range_is_said_at_its_field_whatever_is_searched_for(browser, address, keep):
    # Not `page`, whose requests may not fail: Gradio answers an invalid value with status 422.
    page = browser.new_page(base_url=address)
    page.set_default_timeout(PATIENCE_MS)
    page.goto("/finetune?project=2")
    to_settings(page)
    page.get_by_label("Epochs").fill("0")
    standing(page, "Epochs: from 1 to 1,000.")
    page.get_by_label("Search", exact=True).fill("rank")
    expect(page.locator("#setting-batch_size")).to_be_hidden()
    press(page, "Review")
    told = page.locator("#setting-epochs").get_by_text("Epochs: from 1 to 1,000.")
    expect(told).to_be_in_viewport()
    assert told.bounding_box()["height"] > 10  # seen, not only read out
    expect(page.locator("#review")).to_be_hidden()
    keep(page, "settings-2-out-of-range")
    page.close()


def test_groups_to_balance_are_chosen_among_the_group_columns_of_the_cohort(
    studio, page, keep, table
):
    project = studio.projects.create("Ward 8", "binary")
    studio.cohorts.add("Ward 8", table("grouped", site=True))
    page.goto("/finetune?project=2")
    to_settings(page)
    standing(page, "the cohort has no group column: Balance groups of")
    expect(page.locator("#setting-balance_by")).to_be_hidden()

    page.goto(f"/finetune?project={project.id}")
    to_settings(page)
    field = page.get_by_label("Balance groups of")
    expect(field).to_have_value("none")
    field.click()
    page.get_by_role("option", name="site").click()
    standing(page, "1 setting differs from Quick: Balance groups of.")
    keep(page, "settings-3-groups")
    press(page, "Review")
    review = page.locator("#review")
    expect(review).to_contain_text("Quick, but for Balance groups of")


def test_a_recipe_is_saved_loaded_and_a_run_is_set_up_again_with_changes(page, keep, tmp_path):
    recipe, broken = tmp_path / "recipe.json", tmp_path / "broken.json"
    page.goto("/runs?project=2")
    link = page.get_by_role("link", name="Save recipe")
    expect(link).to_be_visible()
    with page.expect_download() as download:
        link.click()
    download.value.save_as(recipe)
    saved = json.loads(recipe.read_text(encoding="utf-8"))
    assert saved["settings"]["rank"] == CONFIG.rank
    keep(page, "recipe-1-runs")

    page.get_by_role("link", name="Run again with changes").click()
    expect(page.locator("#settings-origin")).to_contain_text("All settings are those of the run")
    open_table(page)
    standing(page, "2 settings differ from Balanced: LoRA rank and Learning rate.")
    expect(page.get_by_label("LoRA rank")).to_have_value("4")
    keep(page, "recipe-2-again")
    press(page, "Review")
    review = page.locator("#review")
    expect(review).to_contain_text("estimated time")
    expect(review).to_contain_text("Balanced, but for LoRA rank and Learning rate")

    saved["settings"] |= {"rank": 16, "folds": 7}
    recipe.write_text(json.dumps(saved | {"cohort": "0" * 64}), encoding="utf-8")
    saved["settings"]["rank"] = 900
    broken.write_text(json.dumps(saved), encoding="utf-8")
    page.goto("/finetune?project=2")
    to_settings(page)
    page.locator("input[type=file]").last.set_input_files(broken)
    expect(page.get_by_text("settings.rank is 900, expected between 1 and 128")).to_be_visible()
    expect(page.get_by_label("LoRA rank")).to_have_value("8")
    page.locator("input[type=file]").last.set_input_files(recipe)
    origin = page.locator("#settings-origin")
    expect(origin).to_contain_text("those of the recipe recipe.json")
    expect(origin).to_contain_text("made on other data")
    expect(page.get_by_label("LoRA rank")).to_have_value("16")
    expect(page.get_by_label("Folds", exact=True)).to_have_value("7")
    standing(page, "3 settings differ from Balanced: LoRA rank, Learning rate and Folds.")
    keep(page, "recipe-3-loaded")
