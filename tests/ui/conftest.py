"""A studio in a folder of its own and small things for its pages to show."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from fmstudio.studio import Studio
from tests.ui.browsing import ARGUMENTS, CHROMIUM, PATIENCE_MS, RUN_MS, opened, picture
from tests.ui.running import running

Table = Callable[..., Path]
Keep = Callable[[Page, str], None]
PICTURES = os.environ.get("FMSTUDIO_SCREENSHOTS")

expect.set_options(timeout=PATIENCE_MS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that asks for the browser may take long, and is skipped where there is none."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(2 * RUN_MS / 1000))
            missing = not CHROMIUM.exists()
            item.add_marker(pytest.mark.skipif(missing, reason="Chromium is not installed"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def keep() -> Keep:
    """Keeps a screenshot under a name in the folder FMSTUDIO_SCREENSHOTS, if one is given."""

    def keep(page: Page, name: str) -> None:
        if PICTURES:
            folder = Path(PICTURES)
            folder.mkdir(parents=True, exist_ok=True)
            picture(page, folder / f"{name}.png")

    return keep


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    with Studio.open(tmp_path / "home") as studio:
        yield studio


@pytest.fixture
def address(studio: Studio) -> Iterator[str]:
    """Where the pages of this test's studio are served."""
    with running(studio) as (address, _):
        yield address


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A fresh browser window for the pages of this test's studio."""
    with opened(browser, address) as page:
        yield page


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """Writes a manifest of 40 patients with two values, a note, an outcome and, if asked, a site."""

    def write(folder: str = "cases", rows: int = 40, site: bool = False) -> Path:
        path = tmp_path / folder / "manifest.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            more = ["site"] if site else []
            writer.writerow(["case_id", "patient_id", "age", "crp", "note", "label_ill", *more])
            for i in range(rows):
                note = f"Cough and fever for {i % 5} days; chest clear at the bases on day {i}."
                own = ["AB"[i % 2]] if site else []
                writer.writerow(
                    [f"c{i}", f"p{i}", 30 + 7 * i % 50, 13 * i % 90, note, i % 3 == 0, *own]
                )
        return path

    return write


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)
