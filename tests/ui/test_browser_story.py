"""The whole story in a real browser: from the first start to the adapter in another home."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

from playwright.sync_api import Page, expect

from data_samples.generate import generate
from tests.ui.browsing import RUN_MS, opened, press, served

CASES = 40
PREVIEWED = 5  # film, note, monitor, sound and clip; values stand in fields
NOTE = "Breathless since yesterday, fever, oxygen by mask. Getting tired, cannot finish a sentence."


def answer_of(page: Page) -> str:
    """The answer on the Predict page, as text."""
    expect(page.locator("#answer")).to_contain_text("What moved the answer")
    return " ".join(page.locator("#answer").inner_text().split())


def predict_new_patient(page: Page, film: Path) -> str:
    """Only a film and a typed note."""
    expect(page.get_by_label("Adapter that answers")).not_to_have_value("")
    number = page.get_by_label("Case number")
    number.fill("the patient before")
    press(page, "New patient")
    page.locator("#box-notes textarea").fill(NOTE)  # at once: what is typed now must stay
    expect(number).to_have_value("case")
    page.locator("#box-radiology input[type=file]").set_input_files(film)
    expect(page.locator("#box-radiology .fm-picture").first).to_be_visible()
    expect(page.locator("#box-notes textarea")).to_have_value(NOTE)
    press(page, "Predict")
    said = answer_of(page)
    expect(page.locator("#answer.fm-stale")).to_have_count(0)
    assert "Rests on Radiology images Doctor's notes Not given EHR table" in said
    return said


def open_sample(page: Page) -> None:
    """From the start page to the six inputs of the sample case."""
    page.get_by_role("link", name="Open the sample case").click(timeout=RUN_MS)
    expect(page.locator("#answer")).to_contain_text("The sample case is filled in")
    expect(page.locator("[id^=box-] .fm-preview")).to_have_count(PREVIEWED)
    expect(page.locator("#box-ehr [data-value=crp_mg_l]")).not_to_have_value("")


def add_cohort(page: Page, archive: Path) -> None:
    """A new project with the cases of a ZIP."""
    page.get_by_label("Name", exact=True).fill("Ward 7")
    page.get_by_label("Question in one sentence").fill("Will this patient get worse in a day?")
    press(page, "Create project")
    expect(page.get_by_text("This project has no data yet.")).to_be_visible()
    page.locator("input[type=file]").first.set_input_files(archive)
    expect(page.get_by_text(archive.name).first).to_be_visible()
    press(page, "Read the table")
    chosen = page.locator("#roles select")
    expect(chosen.first).to_be_visible()
    taken = {box.get_attribute("data-column"): box.input_value() for box in chosen.all()}
    assert taken["label_deterioration"] == "label"
    assert taken["patient_id"] == "patient_id"
    assert taken["film"] == "radiology"
    press(page, "Add this cohort")
    expect(page.locator("main p", has_text=f"{CASES} cases of")).to_be_visible()


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
    expect(page.get_by_text("Findings").locator("visible=true")).to_be_visible()
    press(page, "Next")
    expect(page.get_by_text("The model may look at")).to_be_visible()
    press(page, "Next")
    expect(page.get_by_text("How much effort")).to_be_visible()
    press(page, "Review")
    expect(page.get_by_text("estimated time")).to_be_visible()
    press(page, "Start fine-tuning")
    expect(page.get_by_text("You may close this page.")).to_be_visible()


def export_bundle(page: Page, target: Path) -> None:
    page.goto("/adapters")
    expect(page.get_by_text("Data fingerprint")).to_be_visible()
    press(page, "Export as a bundle")
    link = page.locator("a[download]").locator("visible=true").first
    expect(link).to_be_visible()
    with page.expect_download() as download:
        link.click()
    download.value.save_as(target)


def import_bundle(page: Page, bundle: Path) -> None:
    page.goto("/adapters")
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
            page.goto("/")
            keep(page, "01-first-start")
            open_sample(page)
            keep(page, "02-sample-case")
            press(page, "Predict")
            answer_of(page)
            keep(page, "03-sample-answer")
            page.locator("#box-notes textarea").fill(NOTE)
            expect(page.locator("#answer.fm-stale")).to_have_count(1)
            kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
            assert NOTE[:20] not in kept
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
            expect(found).to_be_visible(timeout=RUN_MS)
            keep(page, "06-finished")
            page.get_by_role("link", name="Predict with this adapter").click()
            expect(page.locator("#box-radiology")).to_be_visible()
            here = predict_new_patient(page, film)
            keep(page, "07-new-patient")
            export_bundle(page, bundle)
            unseen(page)
            keep(page, "08-exported")

    with served(tmp_path / "second") as address, opened(browser, address) as page:
        import_bundle(page, bundle)
        keep(page, "09-imported")
        page.get_by_role("link", name="Predict with it").click()
        expect(page.locator("#box-radiology")).to_be_visible()
        there = predict_new_patient(page, film)
        keep(page, "10-same-answer")

    assert there == here
