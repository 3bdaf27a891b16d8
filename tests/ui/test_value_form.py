"""The form of values: a labelled field each, with its unit and what training had."""

from __future__ import annotations

import json
from html.parser import HTMLParser

from fmstudio.contracts import pipeline
from fmstudio.prediction.expected import expectations
from fmstudio.prediction.verdicts import Offer, Verdict
from fmstudio.ui.value_form import MANY, as_filled, form, marks

TABLE = pipeline("ehr")
LEARNED = {
    "age": {"quantiles": [28.0, 60.0, 96.0]},
    "crp_mg_l": {"quantiles": [4.0, 38.0, 425.0], "unit": "mg/L"},
    "sex": {"categories": ["F", "M"]},
    "onset": {"quantiles": [18687.0, 18700.0, 18714.0], "unit": "date"},
    "<b>": {"quantiles": [0.0, 1.0]},
}
EXPECTED = list(expectations(TABLE, LEARNED).values())


class Controls(HTMLParser):
    """The controls by the name of their value, and all text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: dict[str, dict[str, str | None]] = {}
        self.tags: list[str] = []
        self.options: list[tuple[str | None, bool]] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append(tag)
        if "data-value" in given:
            self.found[given["data-value"]] = given | {"tag": tag}
        if tag == "option":
            self.options.append((given["value"], "selected" in given))

    def handle_data(self, data):
        self.words += f"{data}\n"


def test_every_feature_has_a_labelled_field_with_its_unit_and_its_range():
    seen = Controls(form("ehr", EXPECTED))

    assert list(seen.found) == list(LEARNED)
    assert seen.found["sex"]["tag"] == "select"
    assert [value for value, _ in seen.options] == ["", "F", "M"]
    assert seen.found["onset"]["type"] == "date"
    for words in ("28 to 96", "4 to 425", "mg/L", "2021-03-01 to 2021-03-28", "unknown", "crp"):
        assert f"{words}\n" in seen.words
    assert "b" not in seen.tags  # a name is never markup


def test_a_filled_form_holds_its_values_and_says_so():
    seen = Controls(form("ehr", EXPECTED, {"age": "63", "sex": "M", "onset": "2021-03-04"}))

    assert seen.found["age"]["value"] == "63"
    assert seen.found["onset"]["value"] == "2021-03-04"
    assert [value for value, chosen in seen.options if chosen] == ["M"]
    assert "data-filled" in form("ehr", EXPECTED, {})
    assert "data-filled" not in form("ehr", EXPECTED)


def test_a_word_that_training_never_had_stands_in_the_list_to_be_seen():
    seen = Controls(form("ehr", EXPECTED, {"sex": "X"}))

    assert ("X", True) in seen.options


def test_dates_and_words_are_filled_in_as_the_fields_take_them_and_numbers_as_written():
    values = {"onset": "4 Mar 2021", "sex": "m", "age": "63 y"}
    verdicts = {
        "onset": Verdict("onset", "2021-03-04"),
        "sex": Verdict("sex", "M"),
        "age": Verdict("age", "63"),
    }

    assert as_filled(EXPECTED, values, verdicts) == {
        "onset": "2021-03-04",
        "sex": "M",
        "age": "63 y",
    }


def test_a_long_form_is_grouped_by_the_first_words_of_names_and_can_be_searched():
    learned = {
        f"{word}_{n}": {"quantiles": [0.0, 1.0]} for word in ("lab", "vital") for n in range(MANY)
    } | {"age": {"quantiles": [1.0, 9.0]}}
    html = form("ehr", list(expectations(TABLE, learned).values()))
    seen = Controls(html)

    assert len(seen.found) == 2 * MANY + 1
    assert seen.tags.count("details") == 3
    assert html.count(" open") == 1
    assert "data-find" in html


def test_what_is_said_at_a_field_belongs_to_its_text():
    offer = Offer("79.58", "0.9 mg/dL", "mg/dL", "µmol/L")
    verdicts = {
        "ehr": {
            "age": Verdict("age", "20", outside="20 is outside 28 to 96 seen in training"),
            "weight": Verdict("weight", refusal="is given in cm, and training had it in kg"),
            "creatinine": Verdict("creatinine", "0.9", outside="0.9 is unusual", offer=offer),
            "sex": Verdict("sex", "F"),
            "crp": Verdict("crp", "4.5", remark="read as 4.5"),
        }
    }
    typed = {"ehr": {"age": "20", "weight": "9 cm", "creatinine": "0.9", "sex": "F", "crp": "4,5"}}

    age, weight, creatinine, crp = json.loads(marks(verdicts, typed))

    assert age == {
        "of": "ehr",
        "name": "age",
        "text": "20",
        "tone": "warning",
        "said": "20 is outside 28 to 96 seen in training.",
    }
    assert (weight["tone"], weight["said"]) == (
        "stop",
        "It is given in cm, and training had it in kg.",
    )
    assert (creatinine["offer"], creatinine["unit"]) == ("79.58", "µmol/L")
    assert (crp["tone"], crp["said"]) == ("plain", "Read as 4.5.")
