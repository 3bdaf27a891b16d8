"""An answer says so where no held-out patients speak for what it rests on."""

from __future__ import annotations

from typing import Any

import pytest

from fmstudio.contracts import in_words
from fmstudio.prediction.combination import doubt

GOOD = {"value": 0.8, "low": 0.7, "high": 0.9}
GUESS = {"value": 0.52, "low": 0.44, "high": 0.6}


def card(*subsets: dict[str, Any]) -> dict[str, Any]:
    return {"subsets": list(subsets)}


def entry(n: int = 60, **more: Any) -> dict[str, Any]:
    return {"modalities": ["notes"], "n": n, "model": "adapter"} | more


def test_a_combination_that_held_out_patients_speak_for_is_no_doubt():
    assert doubt(card(entry(auroc=GOOD)), ["notes"], "auroc") == ""
    both = {"modalities": ["radiology", "notes"], "n": 60, "model": "adapter", "auroc": GOOD}
    assert doubt(card(both), ["notes", "radiology"], "auroc") == ""


def test_a_combination_that_is_not_in_the_card_was_never_tested():
    said = doubt(card(entry(auroc=GOOD)), ["radiology", "ehr"], "auroc")

    assert said == "The adapter was never tested on radiology images and EHR table alone."


def test_no_better_than_guessing_is_told_with_the_figure():
    said = doubt(card(entry(auroc=GUESS)), ["notes"], "auroc")

    assert "doctor's notes alone" in said
    assert "guessing" in said
    assert "AUROC 0.52 (0.44 to 0.60) on 60 held-out cases" in said


@pytest.mark.parametrize(
    "found",
    [
        entry(n=6, auroc={"value": 1.0, "low": 1.0, "high": 1.0}),
        entry(auroc={"value": None, "low": None, "high": None}),
    ],
)
def test_what_too_few_patients_tell_is_no_test(found):
    assert "never tested" in doubt(card(found), ["notes"], "auroc")
    assert "too few" in doubt(card(found), ["notes"], "auroc")


def test_what_another_model_reached_with_a_modality_is_not_the_adapters_own():
    rival = {"model": "probe on this modality alone", "auroc": GOOD}

    assert "never tested" in doubt(card(entry(**rival)), ["notes"], "auroc")
    assert "guessing" in doubt(card(entry(**rival, adapter=GUESS)), ["notes"], "auroc")
    assert doubt(card(entry(**rival, adapter=GOOD)), ["notes"], "auroc") == ""


def test_a_number_is_judged_by_its_own_measure():
    assert doubt(card(entry(r2={"value": 0.3, "low": 0.1, "high": 0.5})), ["notes"], "r2") == ""
    assert "R² 0.10" in doubt(
        card(entry(r2={"value": 0.1, "low": -0.1, "high": 0.3})), ["notes"], "r2"
    )


def test_modalities_are_named_as_on_the_pages():
    assert in_words(["ehr"]) == "EHR table"
    assert in_words(["radiology", "ehr", "notes"], "or") == (
        "radiology images, EHR table or doctor's notes"
    )
