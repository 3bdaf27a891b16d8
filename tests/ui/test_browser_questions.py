"""What the files of a cohort leave open, answered in a real browser."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.ui.test_browser_story import (  # noqa: F401
    CHROMIUM,
    browser,
    expect,
    keep,
    opened,
    press,
    served,
)

WAIT_MS = 120_000
CASES = 30

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="Chromium is not installed"),
]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a project whose logs number their samples and do not tell the rate."""
    from fmstudio.studio import Studio

    draw = np.random.default_rng(0)
    with (tmp_path / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["case_id", "patient_id", "age", "log", "label_ill"])
        for case in range(CASES):
            rows = "\n".join(f"{n},{draw.normal():.3f}" for n in range(40))
            (tmp_path / f"log{case}.csv").write_text(f"sample,ecg\n{rows}\n")
            writer.writerow([f"c{case}", f"p{case}", 30 + case, f"log{case}.csv", case % 3 // 2])
    with Studio.open(tmp_path / "home") as studio:
        project = studio.create_project("Logs", "binary", describe="Ill?")
        studio.add_cohort(project.id, tmp_path / "manifest.csv")
    return tmp_path / "home"


def test_a_question_on_the_files_is_answered_once_on_the_page(browser, keep, home):  # noqa: F811
    with served(home) as address, opened(browser, address) as page:
        page.goto(f"{address}/data")
        form = page.locator("#questions")
        expect(form).to_contain_text("30 of 30 cases cannot be read", timeout=WAIT_MS)
        expect(page.get_by_role("link", name="Fine-tune on this cohort")).to_have_count(0)
        keep(page, "questions-1-asked")

        form.get_by_label("How many rows a second").fill("fast")
        press(page, "Answer")
        expect(page.get_by_text("'fast' is no sampling rate")).to_be_visible(timeout=WAIT_MS)
        form.get_by_label("How many rows a second").fill("250")
        press(page, "Answer")
        expect(page.locator("[data-kind=answered]")).to_contain_text("250", timeout=WAIT_MS)
        expect(form).to_be_hidden()
        expect(page.get_by_role("link", name="Fine-tune on this cohort")).to_be_visible()
        page.reload()
        expect(page.locator("[data-kind=answered]")).to_be_visible(timeout=WAIT_MS)
        keep(page, "questions-2-answered")
        press(page, "Undo")
        expect(form).to_be_visible(timeout=WAIT_MS)
