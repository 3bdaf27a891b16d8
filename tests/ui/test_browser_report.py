"""The cohort report in a real browser: problems by severity, their rows, and buttons that resolve it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from fmstudio.studio import Studio
from tests.ui.browsing import press

CASES = 60


@pytest.fixture
def films(studio: Studio, tmp_path: Path) -> Studio:
    """A studio with a project whose table has a leak, two units, spellings, and a film twice."""
    draw = np.random.default_rng(0)
    with (tmp_path / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["case_id", "patient_id", "film", "age", "temp_c", "smoker", "grade", "label_ill"]
        )
        for case in range(CASES):
            ill, celsius = int(draw.random() < 0.4), draw.normal(37.3, 0.7)
            pixels = draw.integers(0, 255, (12, 12), np.uint8)
            film = Image.fromarray(pixels).resize((96, 96), Image.Resampling.BICUBIC)
            if case == 7:
                film = Image.open(tmp_path / "film3.png").resize((60, 60))
            film.save(tmp_path / f"film{case}.png")
            temp = celsius * 1.8 + 32 if case % 11 == 0 else celsius
            smoker = ("never", "former", "Former ", "never")[case % 4 if case < 12 else case % 2]
            writer.writerow(
                [
                    f"c{case}",
                    f"p{case}",
                    f"film{case}.png",
                    draw.integers(20, 90),
                    f"{temp:.1f}",
                    smoker,
                    ("mild", "severe")[ill],
                    ill,
                ]
            )
    project = studio.projects.create("Films", "binary", describe="Ill?")
    roles = {"film": "radiology", "grade": "ehr"}
    studio.cohorts.add(project.id, tmp_path / "manifest.csv", roles)
    return studio


def test_a_new_project_may_state_its_moment_of_prediction(studio, page):
    for name, hours in (("At any time", None), ("After a day", "24")):
        page.goto("/")
        page.get_by_label("Name", exact=True).fill(name)
        if hours:
            page.locator("#moment input").fill(hours)
        press(page, "Create project")
        page.wait_for_url("**/data?project=*")
    page.goto("/")
    expect(page.get_by_text("Predicts 24 h after the beginning")).to_be_visible()
    assert studio.projects.get("At any time").task.moment is None
    assert studio.projects.get("After a day").task.moment == 24


def test_findings_are_shown_by_severity_with_their_rows_and_mended(films, page, keep):
    page.goto("/data")
    cards = page.locator(".fm-finding")
    expect(cards.first).to_contain_text("Must be fixed")
    expect(cards.first).to_contain_text("'grade' is the outcome under another name")
    expect(page.get_by_role("link", name="Fine-tune on this cohort")).to_have_count(0)
    units = page.locator("[data-kind=mixed_units]")
    units.get_by_text("Rows concerned").click()
    expect(units.locator("td").first).to_have_text("c0")
    keep(page, "report-1-found")

    press(page, "Leave out 'grade'")
    expect(page.locator(".fm-stop")).to_have_count(0)
    expect(page.get_by_role("link", name="Fine-tune on this cohort")).to_be_visible()
    press(page, "Convert 6 values to °C")
    expect(units).to_have_count(0)
    press(page, "Write them one way")
    expect(page.locator("[data-kind=spelling]")).to_have_count(0)
    press(page, "Keep one of each, leave out 1 row")
    expect(page.locator("[data-kind=duplicate_files]")).to_have_count(0)
    expect(page.locator("#report")).to_contain_text(f"{CASES - 1} cases of")
    keep(page, "report-2-mended")
    press(page, "Undo")
    expect(page.locator("[data-kind=duplicate_files]")).to_be_visible()
    expect(page.locator("#report")).to_contain_text(f"{CASES} cases of")
    expect(page.locator(".fm-undo")).to_contain_text("Cleaned last: Write them one way")

    press(page, "Look for labels that may be wrong")
    expect(page.locator("#doubts")).to_contain_text("Looking for labels in doubt")
    page.goto("/runs")  # the page that asked is gone
    page.goto("/data")
    expect(page.locator("#doubts")).to_contain_text("Labels were looked at")
    expect(page.get_by_role("button", name="Look for labels")).to_be_hidden()
    keep(page, "report-3-labels")

    events = [e for e in films.audit()["events"] if e.kind == "cohort cleaned"]
    assert [event.details["finding"] for event in events] == [
        "column_gives_label",
        "mixed_units",
        "spelling",
        "duplicate_files",
    ]
    assert films.audit()["events"][-2].kind == "cleaning undone"
    assert (films.settings.home.parent / "manifest.csv").read_text(encoding="utf-8").count(
        "Former "
    ) > 0
