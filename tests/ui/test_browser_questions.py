"""What the files of a cohort leave open, answered in a real browser."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from fmstudio.studio import Studio
from tests.ui.browsing import press

CASES = 30


@pytest.fixture
def studio(studio: Studio, tmp_path: Path) -> Studio:
    """A studio with a project whose logs number their samples and do not tell the rate."""
    draw = np.random.default_rng(0)
    with (tmp_path / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["case_id", "patient_id", "age", "log", "label_ill"])
        for case in range(CASES):
            rows = "\n".join(f"{n},{draw.normal():.3f}" for n in range(40))
            (tmp_path / f"log{case}.csv").write_text(f"sample,ecg\n{rows}\n")
            writer.writerow([f"c{case}", f"p{case}", 30 + case, f"log{case}.csv", case % 3 // 2])
    project = studio.projects.create("Logs", "binary", describe="Ill?")
    studio.cohorts.add(project.id, tmp_path / "manifest.csv")
    return studio


def test_a_question_on_the_files_is_answered_once_on_the_page(page, keep):
    page.goto("/data")
    form = page.locator("#questions")
    expect(form).to_contain_text("30 of 30 cases cannot be read")
    expect(page.get_by_role("link", name="Fine-tune on this cohort")).to_have_count(0)
    keep(page, "questions-1-asked")

    form.get_by_label("How many rows a second").fill("fast")
    press(page, "Answer")
    expect(page.get_by_text("'fast' is no sampling rate")).to_be_visible()
    form.get_by_label("How many rows a second").fill("250")
    press(page, "Answer")
    expect(page.locator("[data-kind=answered]")).to_contain_text("250")
    expect(form).to_be_hidden()
    expect(page.get_by_role("link", name="Fine-tune on this cohort")).to_be_visible()
    page.reload()
    expect(page.locator("[data-kind=answered]")).to_be_visible()
    keep(page, "questions-2-answered")
    press(page, "Undo")
    expect(form).to_be_visible()
