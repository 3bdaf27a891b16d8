from dataclasses import replace

import numpy as np
import pytest

from fmstudio.errors import InputError
from fmstudio.evaluation.comparison import comparison
from fmstudio.evaluation.metrics import gain
from tests.evaluation.made import BINARY, drawn, held_out, question


def noisy(cases, noise, seed=0):
    """The same cases, answered worse."""
    shaken = cases.chance + np.random.default_rng(seed).normal(0, noise, len(cases))
    return question(cases.truth, np.clip(shaken, 0, 1))


def test_adapters_are_paired_on_the_cases_that_all_have():
    cases = drawn(0, 300)
    whole, part = held_out(cases), held_out(noisy(cases, 0.6).take(slice(0, 200)))
    found = comparison({"a": whole, "b": part})
    a, b = found["adapters"]

    assert (found["n"], a["n_own"], b["n_own"]) == (200, 300, 200)
    assert "differences" not in a
    assert b["verdict"] == "worse"
    rows = [whole.test.case_ids.index(i) for i in sorted(part.test.case_ids)]
    other = [part.test.case_ids.index(i) for i in sorted(part.test.case_ids)]
    test = whole.test.take(np.array(rows))
    expected = gain(BINARY, test.targets, part.test.outputs[other], test.outputs, test.patients)
    assert b["differences"]["auroc"] == expected.as_dict()


def test_simpler_models_of_the_first_adapter_stand_beside_it():
    cases = drawn(1, 200)
    held = replace(held_out(cases), ladder={"probe": noisy(cases, 0.05).chance})
    own, probe = comparison({"a": held})["adapters"]

    assert (own["model"], probe["model"]) == ("adapter", "probe")
    assert probe["verdict"] == "no evidence"
    assert comparison({"a": type(held).from_dict(held.as_dict())})["adapters"][1] == probe


def test_adapters_for_other_questions_or_patients_are_not_compared():
    cases = drawn(2, 50)
    other_task = replace(held_out(cases), task=replace(BINARY, labels=("well", "dead")))
    turned = held_out(question(~cases.truth, cases.chance))

    with pytest.raises(InputError, match="same question"):
        comparison({"a": held_out(cases), "b": other_task})
    with pytest.raises(InputError, match="same patients"):
        comparison({"a": held_out(cases), "b": turned})
