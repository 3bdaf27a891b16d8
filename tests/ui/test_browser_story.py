"""The whole story in a real browser: from the first start to the adapter in another home.

Screenshots go to the folder named by FMSTUDIO_SCREENSHOTS, else to a temporary one.
"""

from __future__ import annotations

import csv
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

import pytest

playwright = pytest.importorskip("playwright.sync_api")
from playwright.sync_api import Browser, Page, expect  # noqa: E402

from data_samples.generate import generate  # noqa: E402

ROOT = Path(__file__).parents[2]
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CASES = 40
PREVIEWED = 5  # film, note, monitor, sound and clip; values stand in fields
NOTE = "Breathless since yesterday, fever, oxygen by mask. Getting tired, cannot finish a sentence."
START_SECONDS, RUN_SECONDS = 240, 900
PATIENCE_MS = 120_000
PACE_MS = 1_000

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(2 * RUN_SECONDS),
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="Chromium is not installed"),
]


@contextmanager
def served(home: Path) -> Iterator[str]:
    """`python app.py` on a home folder and a free port; its address, once the page answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "app.py", "--home", str(home), "--port", str(port), "--no-browser"]
    with (home.parent / f"{home.name}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    try:
        _wait_for(address, process)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=120)


def _wait_for(address: str, process: subprocess.Popen) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        assert process.poll() is None, "the studio ended before its page could be opened"
        try:
            urllib.request.urlopen(address, timeout=60).close()
        except (URLError, OSError):
            time.sleep(0.2)
        else:
            return
    raise AssertionError(f"no page within {START_SECONDS} s")


@pytest.fixture
def browser() -> Iterator[Browser]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def keep(tmp_path: Path):
    """Keeps a screenshot under a name."""
    folder = Path(os.environ.get("FMSTUDIO_SCREENSHOTS") or tmp_path / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)

    def keep(page: Page, name: str) -> None:
        size = page.viewport_size
        height = page.evaluate("document.documentElement.scrollHeight")
        page.set_viewport_size({"width": size["width"], "height": max(size["height"], height)})
        page.wait_for_timeout(PACE_MS)  # until what slides and fades has come to rest
        page.screenshot(path=folder / f"{name}.png")
        page.set_viewport_size(size)

    return keep


@contextmanager
def opened(browser: Browser, address: str) -> Iterator[Page]:
    """A fresh browser window, which must meet no failing request and no other host."""
    wrong: list[str] = []
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.on("response", lambda got: got.status >= 400 and wrong.append(f"{got.status} {got.url}"))
    page.on(
        "request",
        lambda sent: (
            sent.url.startswith(("http", "ws"))
            and not sent.url.startswith((address, address.replace("http", "ws")))
            and wrong.append(sent.url)
        ),
    )
    page.goto(address)
    yield page
    context.close()
    assert wrong == []


def press(page: Page, name: str) -> None:
    """Press a button at a person's pace, who reads a page before doing anything on it."""
    page.wait_for_timeout(PACE_MS)
    page.get_by_role("button", name=name, exact=True).locator("visible=true").click()


def answer_of(page: Page) -> str:
    """The answer on the Predict page, as text."""
    expect(page.locator("#answer")).to_contain_text("What moved the answer", timeout=120_000)
    return " ".join(page.locator("#answer").inner_text().split())


def predict_new_patient(page: Page, film: Path) -> str:
    """Only a film and a typed note."""
    expect(page.get_by_label("Adapter that answers")).not_to_have_value("", timeout=120_000)
    number = page.get_by_label("Case number")
    number.fill("the patient before")
    press(page, "New patient")
    page.locator("#box-notes textarea").fill(NOTE)  # at once: what is typed now must stay
    expect(number).to_have_value("case", timeout=120_000)
    page.locator("#box-radiology input[type=file]").set_input_files(film)
    expect(page.locator("#box-radiology .fm-picture").first).to_be_visible(timeout=120_000)
    expect(page.locator("#box-notes textarea")).to_have_value(NOTE)
    press(page, "Predict")
    said = answer_of(page)
    expect(page.locator("#answer.fm-stale")).to_have_count(0)
    assert "Rests on Radiology images Doctor's notes Not given EHR table" in said
    return said


def open_sample(page: Page) -> None:
    """From the start page to the six inputs of the sample case."""
    page.get_by_role("link", name="Open the sample case").click(timeout=120_000)
    expect(page.locator("#answer")).to_contain_text("The sample case is filled in", timeout=120_000)
    expect(page.locator("[id^=box-] .fm-preview")).to_have_count(PREVIEWED, timeout=120_000)
    expect(page.locator("#box-ehr [data-value=crp_mg_l]")).not_to_have_value("")


def add_cohort(page: Page, archive: Path) -> None:
    """A new project with the cases of a ZIP."""
    page.get_by_label("Name", exact=True).fill("Ward 7")
    page.get_by_label("Question in one sentence").fill("Will this patient get worse in a day?")
    press(page, "Create project")
    expect(page.get_by_text("This project has no data yet.")).to_be_visible(timeout=120_000)
    page.locator("input[type=file]").first.set_input_files(archive)
    expect(page.get_by_text(archive.name).first).to_be_visible(timeout=120_000)
    press(page, "Read the table")
    chosen = page.locator("#roles select")
    expect(chosen.first).to_be_visible(timeout=120_000)
    taken = {box.get_attribute("data-column"): box.input_value() for box in chosen.all()}
    assert taken["label_deterioration"] == "label"
    assert taken["patient_id"] == "patient_id"
    assert taken["film"] == "radiology"
    press(page, "Add this cohort")
    expect(page.locator("main p", has_text=f"{CASES} cases of")).to_be_visible(timeout=120_000)


def unseen(page: Page) -> None:
    """What handlers tell each other stays off the page, whatever was folded open around it."""
    boxes = page.locator(".fm-unseen")
    assert boxes.count() > 0
    assert not any(box.is_visible() for box in boxes.all())


def walk_the_wizard(page: Page) -> None:
    """From the task to the running fine-tune."""
    page.get_by_role("link", name="Fine-tune on this cohort").click()
    page.wait_for_url("**/finetune**")
    # At once, before the page knows its project: the click must not be lost.
    page.get_by_role("button", name="Next", exact=True).locator("visible=true").click()
    expect(page.get_by_text("Findings").locator("visible=true")).to_be_visible(timeout=120_000)
    press(page, "Next")
    expect(page.get_by_text("The model may look at")).to_be_visible(timeout=120_000)
    press(page, "Next")
    expect(page.get_by_text("How much effort")).to_be_visible(timeout=120_000)
    press(page, "Review")
    expect(page.get_by_text("estimated time")).to_be_visible(timeout=120_000)
    press(page, "Start fine-tuning")
    expect(page.get_by_text("You may close this page.")).to_be_visible(timeout=120_000)


def export_bundle(page: Page, address: str, target: Path) -> None:
    page.goto(f"{address}/adapters")
    expect(page.get_by_text("Data fingerprint")).to_be_visible(timeout=120_000)
    press(page, "Export as a bundle")
    link = page.locator("a[download]").locator("visible=true").first
    expect(link).to_be_visible(timeout=120_000)
    with page.expect_download() as download:
        link.click()
    download.value.save_as(target)


def import_bundle(page: Page, address: str, bundle: Path) -> None:
    page.goto(f"{address}/adapters")
    page.locator("#bundle input[type=file]").set_input_files(bundle)
    expect(page.get_by_text("The bundle is whole")).to_be_visible(timeout=180_000)
    press(page, "Import")
    expect(page.get_by_text("was imported.")).to_be_visible(timeout=180_000)


def cohort(folder: Path) -> tuple[Path, Path]:
    """(a ZIP of generated cases, the film of one of them)."""
    generate(folder / "cases", cases=CASES, seed=11)
    archive = shutil.make_archive(str(folder / "ward"), "zip", folder / "cases")
    with (folder / "cases" / "manifest.csv").open(encoding="utf-8") as file:
        films = [row["film"] for row in csv.DictReader(file) if row["film"]]
    return Path(archive), folder / "cases" / films[0]


def test_from_the_first_start_to_the_same_answer_in_another_home(browser, keep, tmp_path):
    archive, film = cohort(tmp_path)
    bundle = tmp_path / "ward.zip"

    with served(tmp_path / "first") as address:
        with opened(browser, address) as page:
            keep(page, "01-first-start")
            open_sample(page)
            keep(page, "02-sample-case")
            press(page, "Predict")
            answer_of(page)
            keep(page, "03-sample-answer")
            page.locator("#box-notes textarea").fill(NOTE)
            expect(page.locator("#answer.fm-stale")).to_have_count(1)
            kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
            assert NOTE[:20] not in kept  # abuse row 132
            assert "case_" not in kept
            page.get_by_role("link", name="Start", exact=True).click()
            add_cohort(page, archive)
            unseen(page)
            keep(page, "04-cohort")
            walk_the_wizard(page)
            keep(page, "05-running")
            running = page.url

        with opened(browser, address) as page:
            page.goto(running)
            found = page.get_by_role("heading", name="On held-out patients")
            expect(found).to_be_visible(timeout=RUN_SECONDS * 1000)
            keep(page, "06-finished")
            page.get_by_role("link", name="Predict with this adapter").click()
            expect(page.locator("#box-radiology")).to_be_visible(timeout=120_000)
            here = predict_new_patient(page, film)
            keep(page, "07-new-patient")
            export_bundle(page, address, bundle)
            unseen(page)
            keep(page, "08-exported")

    with served(tmp_path / "second") as address, opened(browser, address) as page:
        import_bundle(page, address, bundle)
        keep(page, "09-imported")
        page.get_by_role("link", name="Predict with it").click()
        expect(page.locator("#box-radiology")).to_be_visible(timeout=120_000)
        there = predict_new_patient(page, film)
        keep(page, "10-same-answer")

    assert there == here
