"""A published checkpoint in a real browser: checked, added, chosen for a fine-tune, removed."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from fmstudio.studio import Studio
from tests.encoders.small import save_checkpoint
from tests.ui.browsing import press

CASES = 24


@pytest.fixture
def studio(studio: Studio, tmp_path: Path) -> Studio:
    """A studio with a project whose patients have a film and a value each."""
    draw = np.random.default_rng(0)
    with (tmp_path / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["case_id", "patient_id", "film", "age", "label_ill"])
        for case in range(CASES):
            pixels = draw.integers(0, 255, (48, 48), np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"film{case}.png")
            writer.writerow([f"c{case}", f"p{case}", f"film{case}.png", 30 + case, case % 2])
    project = studio.projects.create("Films", "binary", describe="Ill?")
    studio.cohorts.add(project.id, tmp_path / "manifest.csv", {"film": "radiology"})
    return studio


def test_a_folder_is_checked_added_chosen_for_a_fine_tune_and_removed(studio, page, keep, tmp_path):
    folder = save_checkpoint("vit", tmp_path / "small-vit")
    bare = save_checkpoint("vit", tmp_path / "bare-vit")
    (bare / "preprocessor_config.json").unlink()

    page.goto("/bases")
    expect(page.locator("#catalogue")).to_contain_text("Embedded base")
    expect(page.locator("#model-card")).to_contain_text("On your own projects")
    keep(page, "bases-1-first")

    page.locator("#source textarea, #source input").fill(str(bare))
    press(page, "Check")
    expect(page.locator("#checked")).to_contain_text("has no processor")
    expect(page.get_by_role("button", name="Add", exact=True)).to_have_count(0)

    page.locator("#source textarea, #source input").fill(str(folder))
    press(page, "Check")
    expect(page.locator("#checked")).to_contain_text("can be added")
    expect(page.locator("#checked")).to_contain_text("vit, read by the family vit")
    keep(page, "bases-2-verdict")
    press(page, "Add")
    expect(page.locator("#addition")).to_contain_text("was added")
    expect(page.locator("#catalogue")).to_contain_text("small-vit")
    expect(page.locator("#model-card")).to_contain_text("copied from a folder")
    keep(page, "bases-3-added")

    page.goto("/finetune")
    expect(page.get_by_text("Outcome column")).to_be_visible()
    press(page, "Next")
    expect(page.get_by_text("Findings").locator("visible=true")).to_be_visible()
    press(page, "Next")
    choice = page.locator("#encoder-radiology input")
    expect(choice).to_have_value("The base's own encoder")
    expect(page.locator("#encoder-ehr")).to_have_count(0)  # nothing was added that reads tables
    choice.click()
    page.get_by_role("option", name="small-vit").click()
    keep(page, "bases-4-chosen")
    press(page, "Next")
    expect(page.get_by_text("How much effort")).to_be_visible()
    press(page, "Review")
    expect(page.locator("#review")).to_contain_text("Radiology images read by")
    expect(page.locator("#review")).to_contain_text("small-vit")
    keep(page, "bases-5-review")

    page.goto("/bases?model=small-vit")
    expect(page.locator("#model-card")).to_contain_text("copied from a folder")
    page.get_by_label("I want to remove this encoder").check()
    press(page, "Remove")
    expect(page.locator("#catalogue")).not_to_contain_text("small-vit")
    assert not (studio.settings.home / "checkpoints" / "small-vit").exists()
