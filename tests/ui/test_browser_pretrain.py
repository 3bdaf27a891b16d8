"""The page Pretrain in a real browser: plan, start, watch, verdict, map, a case to look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from fmstudio.studio import Studio
from tests.ui.test_browser_story import CHROMIUM, browser, keep, opened, served

playwright = pytest.importorskip("playwright.sync_api")
from playwright.sync_api import expect  # noqa: E402

__all__ = ["browser", "keep"]  # fixtures
RUN_MS = 600_000

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="Chromium is not installed"),
]


@pytest.fixture
def home(tmp_path, table) -> Path:
    """A home with one project of 40 labelled patients with values and notes."""
    home = tmp_path / "home"
    with Studio.open(home) as studio:
        studio.create_project("Pneumonia", "binary")
        studio.add_cohort("Pneumonia", table())
    return home


def test_a_base_is_planned_made_judged_and_looked_into(home, tmp_path, table, browser, keep):
    more = table("more", rows=60)
    head, *rows = (line.rsplit(",", 1)[0] for line in more.read_text().splitlines())
    more.write_text("\n".join([head, *(f"x{row}" for row in rows)]) + "\n")

    with served(home) as address, opened(browser, address) as page:
        page.goto(f"{address}/pretrain")
        name = page.get_by_label("Name of the new base")
        expect(name).to_have_value("pneumonia-1", timeout=120_000)
        expect(page.get_by_text("Fill in what is hidden")).to_be_visible(timeout=120_000)
        page.get_by_text("A table on this computer").click()
        page.get_by_label("Path of the table").fill(str(more))
        page.get_by_text("Short: 10 passes").click()
        start = page.get_by_role("button", name="Start pretraining")
        expect(start).to_be_disabled()
        page.get_by_role("button", name="Look at the plan").click()
        plan = page.locator("#plan")
        expect(plan).to_contain_text("The new base will be evaluated.", timeout=120_000)
        expect(plan).to_contain_text("Cases of the further table")
        keep(page, "pretrain-plan")

        start.click()
        expect(page.locator("#run-progress")).to_contain_text(
            "You may close this page.", timeout=120_000
        )
        page.reload()
        result = page.locator("#run-result")
        expect(result).to_contain_text("New base: pneumonia-1", timeout=RUN_MS)
        expect(result).to_contain_text("Before and after")
        expect(page.locator("#groups-map .js-plotly-plot")).to_be_visible(timeout=120_000)
        expect(page.locator("#run-curves")).to_contain_text("Loss of each objective")
        case = page.get_by_label("Look at a case")
        case.click()
        page.get_by_role("option").first.click()
        expect(page.locator("#group-case")).to_contain_text("Cough and fever", timeout=120_000)
        keep(page, "pretrain-done")

    with Studio.open(home) as studio:
        assert studio.base("pneumonia-1").card["lineage"][0]["name"] == "embedded"
        (run,) = studio.runs()
        held_out = {case.patient_id for case in studio.cases("Pneumonia") if case.split != "train"}
        assert run.result["n"]["cases of the further table"] == 60 - len(held_out)
