"""The form of values in a real browser: what the answer used is what stands in the field.

The model is stood in for by a recorder, everything else is the studio itself.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from fmstudio.studio import Studio
from fmstudio.types import Prediction
from tests.ui.browsing import PATIENCE_MS, opened
from tests.ui.running import running

MANY = 300


@dataclass
class Recorder:
    """Stands for a loaded adapter and keeps the values that it was asked about."""

    asked: list[dict[str, str]] = field(default_factory=list)

    def predict(self, sources: Any, case_id: str = "case") -> Prediction:
        self.asked.append({s.name: s.text for found in sources.values() for s in found})
        return Prediction(
            adapter="short",
            case_id=case_id,
            task="binary",
            prediction="1",
            probabilities={"0": 0.4, "1": 0.6},
            contributions={"ehr": 0.1},
            baseline=0.5,
            used=("ehr",),
            missing=(),
            conformal_set=("1",),
            coverage=0.9,
        )


TASK = {
    "kind": "binary",
    "columns": ["ill"],
    "labels": ["0", "1"],
    "positive": "1",
    "description": "Ill tomorrow?",
}


def quantiles(low: float, high: float) -> list[float]:
    return [low + (high - low) * step / 8 for step in range(9)]


def card(modalities: list[str], features: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "ill",
        "task": TASK,
        "modalities": modalities,
        "metrics": {},
        "columns": {"ehr": list(features)},
        "table_columns": {"ehr": features},
        "n": {"train": 50, "validation": 40, "test": 40},
    }


FEATURES = {
    "age": {"quantiles": quantiles(28, 96)},
    "sex": {"categories": ["F", "M"]},
    "creatinine_umol_l": {"quantiles": quantiles(38, 420), "unit": "µmol/L"},
    "onset": {"quantiles": quantiles(18628, 18990), "unit": "date"},
}
LONG = {f"lab_{n}" if n % 2 else f"vital_{n}": {"quantiles": [0, 9]} for n in range(MANY)}


@dataclass
class Open:
    """A page at the form, and what the adapter was asked."""

    page: Page
    recorder: Recorder

    def at(self, label: str) -> Locator:
        return self.page.get_by_label(label, exact=True)

    def said(self, label: str) -> Locator:
        field = self.page.locator(".fm-field", has=self.at(label))
        return field.locator(".fm-said")

    def answered(self) -> dict[str, str]:
        """Presses Predict and waits for what the adapter is asked; what then stands in the fields
        is what it was asked."""
        before = len(self.recorder.asked)
        self.page.locator("#predict").click()
        expect(self.page.locator("#answer")).to_contain_text("60.0 %")
        until = time.monotonic() + PATIENCE_MS / 1000
        while len(self.recorder.asked) == before and time.monotonic() < until:
            self.page.wait_for_timeout(50)
        stands = self.page.evaluate(
            "Object.fromEntries([...document.querySelectorAll('[data-value]')]"
            ".filter((one) => one.value.trim()).map((one) => [one.dataset.value, one.value.trim()]))"
        )
        assert self.recorder.asked[-1] == stands
        return stands


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[tuple[str, Recorder]]:
    """The address of a studio with three adapters, and the recorder behind all of them."""
    recorder = Recorder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fmstudio.studio.loaded.Loaded.predictor", lambda *_: recorder)
        with Studio.open(tmp_path_factory.mktemp("home")) as studio:
            project = studio.projects.create("ill", "binary")
            own = ["ehr", "notes"]
            for name, features in (
                ("short", FEATURES),
                ("other", {"age": FEATURES["age"]}),
                ("long", LONG),
            ):
                studio.registry.add_adapter(name, project.id, None, name, card(own, features))
            studio.warm_up()
            with running(studio) as (address, _):
                yield address, recorder


@contextmanager
def asking(browser: Browser, served: tuple[str, Recorder], adapter: str) -> Iterator[Open]:
    """The form of an adapter, once its fields can be typed into."""
    address, recorder = served
    with opened(browser, address) as page:
        page.goto(f"/predict?adapter={adapter}")
        expect(page.locator("[data-value]").first).to_be_attached()
        page.wait_for_function("window.fmValues && document.querySelector('[data-known]')")
        yield Open(page, recorder)


@pytest.fixture
def form(browser, served) -> Iterator[Open]:
    with asking(browser, served, "short") as form:
        yield form


PACES = [20, 60, 200, 500]


@pytest.mark.parametrize("pace", PACES)
def test_typing_over_a_value_replaces_it_whatever_the_pace(form, pace):
    age, creatinine = form.at("age"), form.at("creatinine")

    age.click()
    form.page.keyboard.type("63", delay=pace)
    assert form.answered()["age"] == "63"
    form.page.locator("h1").click()
    age.click()  # click and type
    form.page.keyboard.type("70", delay=pace)
    assert form.answered() == {"age": "70"}  # at once: nothing waits for a pause
    age.dblclick()
    form.page.keyboard.type("55,5", delay=pace)
    form.page.keyboard.press("Enter")
    expect(form.said("age")).to_have_text("Read as 55.5 years.")
    assert form.answered()["age"] == "55,5"
    age.click()
    form.page.keyboard.press("Control+a")
    form.page.keyboard.type("61 y", delay=pace)
    form.page.keyboard.press("Tab")
    form.page.keyboard.press("Tab")  # past the sex
    expect(creatinine).to_be_focused()
    form.page.keyboard.type(" 80 ", delay=pace)
    assert form.answered() == {"age": "61 y", "creatinine_umol_l": "80"}


def test_what_is_pasted_chosen_and_picked_is_used(form):
    form.at("age").click()
    form.page.evaluate("document.activeElement.dispatchEvent(new Event('paste'))")
    form.page.keyboard.insert_text("70")
    form.at("sex").select_option("M")
    form.at("onset").fill("2021-03-04")

    assert form.answered() == {"age": "70", "sex": "M", "onset": "2021-03-04"}
    form.at("sex").select_option("unknown")
    form.at("onset").fill("")
    assert form.answered() == {"age": "70"}


def test_an_impossible_value_is_refused_at_its_field_and_gets_no_answer(form):
    form.at("age").fill("250")
    form.page.keyboard.press("Tab")
    expect(form.said("age")).to_contain_text("250 is outside 28 to 96 seen in training")
    expect(form.at("age")).to_have_attribute("aria-invalid", "true")
    asked = len(form.recorder.asked)

    form.page.locator("#predict").click()

    answer = form.page.locator("#answer")
    expect(answer).to_contain_text("One value has to be corrected")
    expect(answer).to_contain_text("age 250 is outside 28 to 96")
    assert len(form.recorder.asked) == asked
    form.at("age").fill("abc")
    expect(form.said("age")).to_contain_text("'abc' is not a number")
    form.at("age").fill("50")
    expect(form.said("age")).to_have_text("")
    assert form.answered() == {"age": "50"}


def test_a_value_outside_of_training_is_marked_and_answered(form):
    form.at("age").fill("20")
    expect(form.said("age")).to_have_text("20 is outside 28 to 96 seen in training.")
    assert form.answered() == {"age": "20"}


def test_a_value_in_another_unit_is_offered_converted(form):
    form.at("creatinine").fill("0.9")
    use = form.said("creatinine").get_by_role("button", name="Use 79.58 µmol/L")
    expect(use).to_be_visible(timeout=PATIENCE_MS)
    use.click()

    expect(form.at("creatinine")).to_have_value("79.58")
    expect(form.said("creatinine")).to_have_text("")
    form.at("creatinine").fill("0.9 mg/dL")
    expect(form.said("creatinine")).to_contain_text("converted to 79.58")
    assert form.answered() == {"creatinine_umol_l": "0.9 mg/dL"}


def test_an_answer_is_marked_as_old_as_soon_as_a_value_is_changed(form):
    form.at("age").fill("50")
    form.answered()
    form.at("age").fill("51")

    expect(form.page.locator("#answer.fm-stale")).to_have_count(1)


def choose(form: Open, adapter: str, field: str, count: int) -> None:
    form.page.get_by_label("Adapter that answers").click()
    form.page.get_by_role("option", name=adapter).click()
    expect(form.page.locator("[data-value]")).to_have_count(count)
    expect(form.page.locator(f"[data-value={field}]")).to_be_attached(timeout=PATIENCE_MS)


def test_what_was_typed_stays_when_the_adapter_changes_and_goes_for_a_new_patient(form):
    form.at("age").fill("63")
    form.at("sex").select_option("F")

    choose(form, "other", "age", 1)
    expect(form.at("age")).to_have_value("63")
    expect(form.page.locator(".fm-kept")).to_contain_text("sex F")
    assert form.answered() == {"age": "63"}
    choose(form, "short", "sex", len(FEATURES))
    expect(form.at("sex")).to_have_value("F")
    form.page.get_by_role("button", name="New patient").click()
    expect(form.at("age")).to_have_value("")
    expect(form.at("sex")).to_have_value("")


def test_boxes_that_the_adapter_does_not_look_at_are_folded_away(form):
    expect(form.page.locator(".fm-folded")).to_contain_text(
        "does not look at radiology images, device logs, audio recordings or video clips"
    )
    for name in ("radiology", "device_logs", "audio", "video"):
        expect(form.page.locator(f"#box-{name}")).to_be_hidden()
    for name in ("ehr", "notes"):
        expect(form.page.locator(f"#box-{name}")).to_be_visible()


def test_no_key_of_a_translation_is_shown_or_spoken(form, tmp_path):
    note = tmp_path / "note.txt"
    note.write_text("Cough for three days.")
    form.page.locator("#box-notes input[type=file]").set_input_files(note)
    expect(form.page.locator("#box-notes .fm-preview")).to_be_visible(timeout=PATIENCE_MS)

    content = form.page.content()
    assert "common." not in form.page.locator("main").inner_text()
    assert 'aria-label="common.' not in content
    assert 'title="common.' not in content


@pytest.mark.parametrize("width", [1440, 1024])
def test_all_fields_are_seen_in_two_columns_without_a_scroll_of_their_own(form, width):
    form.page.set_viewport_size({"width": width, "height": 900})
    places = [form.at(label).bounding_box() for label in ("age", "sex", "creatinine", "onset")]

    assert len({round(place["y"]) for place in places}) == 2
    assert places[0]["y"] == places[1]["y"]
    inner = form.page.evaluate(
        "[...document.querySelectorAll('#box-ehr *')].filter((one) => "
        "['auto', 'scroll'].includes(getComputedStyle(one).overflowY) "
        "&& one.scrollHeight > one.clientHeight + 1).length"
    )
    assert inner == 0
    assert form.page.evaluate("document.documentElement.scrollWidth") <= width


def test_three_hundred_values_are_grouped_and_found(browser, served):
    with asking(browser, served, "long") as form:
        shown = form.page.locator("[data-value]").locator("visible=true")
        assert shown.count() == MANY // 2  # the first group
        form.page.get_by_placeholder(f"Find one of {MANY} values").fill("lab 17")
        expect(shown).to_have_count(sum("lab 17" in f"lab {n}" for n in range(1, MANY, 2)))
        form.at("lab 17").fill("5")
        assert form.answered() == {"lab_17": "5"}
