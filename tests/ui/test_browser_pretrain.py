"""The page Pretrain in a real browser: plan, start, watch, verdict, map, a case to look at."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from fmstudio.studio import Studio
from tests.ui.browsing import RUN_MS


@pytest.fixture
def studio(studio: Studio, table) -> Studio:
    """A studio with one project of 40 labelled patients with values and notes."""
    studio.projects.create("Pneumonia", "binary")
    studio.cohorts.add("Pneumonia", table())
    return studio


def test_a_base_is_planned_made_judged_and_looked_into(studio, table, page, keep):
    more = table("more", rows=60)
    head, *rows = (line.rsplit(",", 1)[0] for line in more.read_text().splitlines())
    more.write_text("\n".join([head, *(f"x{row}" for row in rows)]) + "\n")

    page.goto("/pretrain")
    name = page.get_by_label("Name of the new base")
    expect(name).to_have_value("pneumonia-1")
    expect(page.get_by_text("Fill in what is hidden")).to_be_visible()
    page.get_by_text("A table on this computer").click()
    page.get_by_label("Path of the table").fill(str(more))
    page.get_by_text("Short: 10 passes").click()
    start = page.get_by_role("button", name="Start pretraining")
    expect(start).to_be_disabled()
    page.get_by_role("button", name="Look at the plan").click()
    plan = page.locator("#plan")
    expect(plan).to_contain_text("The new base will be evaluated.")
    expect(plan).to_contain_text("Cases of the further table")
    keep(page, "pretrain-plan")

    start.click()
    expect(page.locator("#run-progress")).to_contain_text("You may close this page.")
    page.reload()
    result = page.locator("#run-result")
    expect(result).to_contain_text("New base: pneumonia-1", timeout=RUN_MS)
    expect(result).to_contain_text("Before and after")
    expect(page.locator("#groups-map .js-plotly-plot")).to_be_visible()
    expect(page.locator("#run-curves")).to_contain_text("Loss of each objective")
    case = page.get_by_label("Look at a case")
    case.click()
    page.get_by_role("option").first.click()
    expect(page.locator("#group-case")).to_contain_text("Cough and fever")
    keep(page, "pretrain-done")

    assert studio.bases.get("pneumonia-1").card["lineage"][0]["name"] == "embedded"
    (run,) = studio.runs.list()
    held_out = {
        case.patient_id for case in studio.cohorts.cases("Pneumonia") if case.split != "train"
    }
    assert run.result["n"]["cases of the further table"] == 60 - len(held_out)
