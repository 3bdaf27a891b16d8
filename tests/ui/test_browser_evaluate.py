"""The page Evaluate in a real browser: sliders, comparison, report, from kept answers alone."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from benchmarks.resealed import sealed_again
from fmstudio.adapters.archive import read_zip, write_folder
from fmstudio.evaluation.conformal import fit_conformal
from fmstudio.evaluation.operating_points import threshold_for
from fmstudio.studio import Studio
from fmstudio.studio.sample import BUNDLE
from fmstudio.ui.evaluation_parts import on_slider
from tests.evaluation.made import answered, drawn, question

SHOWN = """() => {
  const traces = document.querySelector("#roc .js-plotly-plot").data;
  const mark = traces[traces.length - 1];
  const cells = [...document.querySelector("#at-threshold table").querySelectorAll("td")];
  return {
    mark: [mark.x[0], mark.y[0]], cells: cells.map((cell) => Number(cell.innerText)),
    threshold: Number(document.querySelector("#threshold input[type=number]").value),
  };
}"""  # the mark on the ROC curve, the numbers told, and the threshold that both should be of
# Whether page and mark show a threshold and its counts; false while parts are being drawn anew.
ANSWERED = f"""([wanted, told]) => {{
  try {{
    const shown = ({SHOWN})();
    return Math.abs(shown.threshold - wanted) < 1e-6
      && [1, 2, 4, 5].every((place, index) => shown.cells[place] === told[index]);
  }} catch (fault) {{
    return false;
  }}
}}"""
CUT_OFF = """() => [...document.querySelectorAll(".fm-scroll")]
  .filter((box) => box.scrollWidth > box.clientWidth + 1)
  .map((box) => box.innerText.slice(0, 80))"""  # tables of which a column stands outside


def calibrated(fitted: dict) -> dict[str, bytes]:
    """The files of a whole adapter that promises what was fitted."""
    files = read_zip(BUNDLE)
    calibration = json.loads(files["calibration.json"]) | {"conformal": fitted}
    changes = {"calibration.json": json.dumps(calibration).encode()}
    return sealed_again(files, changes, bound=True)


@pytest.fixture
def studio(studio: Studio, table) -> Studio:
    """A studio with two adapters of one project and their kept answers; no model is there."""
    random = np.random.default_rng(0)
    groups = {"sex": tuple(random.choice(["F", "M"], 200).tolist())}
    test, before = drawn(0, 200), drawn(1, 120)
    worse = question(test.truth, np.clip(test.chance + random.normal(0, 0.3, 200), 0.01, 0.99))
    project = studio.projects.create("Pneumonia", "binary")
    studio.cohorts.add("Pneumonia", table())
    task = studio.projects.get("Pneumonia").task
    for name, cases in (("adapter-one", test), ("adapter-two", worse)):
        card = {"name": "Pneumonia", "task": task.as_dict(), "modalities": [], "metrics": {}}
        studio.registry.add_adapter(name, project.id, None, "Pneumonia", card)
        fitted = fit_conformal(task, before.chance, before.truth.astype(float))
        write_folder(calibrated(fitted), studio.adapters.folder(name))
        kept = {
            "task": task.as_dict(),
            "modalities": ["a", "b"],
            "temperature": 1.0,
            "test": answered(cases, groups).as_dict(),
            "subsets": [],
            "fusion": None,
            "validation": answered(before).as_dict(),
            "missing": [],
            "shift": 0.0,
            "ladder": {"probe": worse.chance.tolist()},
        }
        studio.registry.keep_held_out(name, kept)
    studio.adapters.set_alias("adapter-one", "champion")
    return studio


def test_an_adapter_is_judged_compared_and_reported_on(page, keep):
    page.goto("/evaluate")
    glance = page.locator("#glance")
    expect(glance).to_contain_text("better than guessing")
    expect(page.locator("#side-by-side")).to_contain_text("Probe")
    for plot in ("roc", "pr", "decision", "reliability"):
        expect(page.locator(f"#{plot} .js-plotly-plot")).to_be_visible()
    keep(page, "evaluate")

    said = page.locator("#at-threshold")
    page.get_by_label("I need").click()
    page.get_by_role("option", name="Specificity").click()
    page.locator("#find").click()
    expect(said).to_contain_text("Specificity")
    prevalence = page.locator("#prevalence input[type=number]")
    prevalence.fill("5")
    prevalence.press("Enter")
    expect(said).to_contain_text("Of 1,000 patients 50 have the outcome")

    page.get_by_label("Compare with").click()
    page.get_by_role("option", name="adapter-two").click()
    page.keyboard.press("Escape")
    expect(page.locator("#side-by-side")).to_contain_text("worse")
    keep(page, "evaluate-compared")
    page.set_viewport_size({"width": 1024, "height": 900})
    assert page.evaluate(CUT_OFF) == []
    page.set_viewport_size({"width": 1440, "height": 900})

    page.locator("#report").click()
    link = page.locator("a[download]").first
    expect(link).to_be_visible()
    with page.expect_download() as loading:
        link.click()
    with zipfile.ZipFile(loading.value.path()) as archive:
        names = {Path(name).name for name in archive.namelist()}
    assert {"report.html", "report.pdf", "report.json", "roc.svg"} <= names


def test_the_mark_and_the_numbers_are_of_the_threshold_that_was_found_last(page):
    test, before = drawn(0, 200), drawn(1, 120)
    page.goto("/evaluate")
    expect(page.locator("#roc .js-plotly-plot")).to_be_visible()
    expect(page.locator("#at-threshold table").first).to_be_visible()
    slider = page.locator("#threshold input[type=range]")
    for target, asked in (("Specificity", 90), ("Sensitivity", 95), ("Specificity", 60)):
        page.get_by_label("I need").click()
        page.get_by_role("option", name=target).click()
        share = page.locator("#asked input[type=number]")
        share.fill(str(asked))
        share.press("Enter")
        slider.focus()
        for _ in range(30):  # the slider is still being answered as the button is pressed
            page.keyboard.press("ArrowRight")
        page.locator("#find").click()

        wanted = on_slider(threshold_for(before, target.lower(), asked / 100), target.lower())
        flagged = test.chance >= wanted
        hits, alarms = int((flagged & test.truth).sum()), int((flagged & ~test.truth).sum())
        ill = test.positives
        told = [hits, ill - hits, alarms, len(test) - ill - alarms]
        page.wait_for_function(ANSWERED, arg=[wanted, told], timeout=120_000)
        page.wait_for_timeout(3_000)  # no late answer of the slider may come after it
        shown = page.evaluate(SHOWN)

        assert shown["threshold"] == pytest.approx(wanted)
        assert [shown["cells"][place] for place in (1, 2, 4, 5)] == told
        assert shown["mark"] == pytest.approx([alarms / (len(test) - ill), hits / ill])
