import json
from dataclasses import fields, replace

import numpy as np
import pytest

from fmstudio.evaluation.calibration import Calibration, probabilities
from fmstudio.evaluation.conformal import fit_conformal
from fmstudio.evaluation.evaluation import cases, judgement
from fmstudio.evaluation.labelled_predictions import HeldOut, LabelledPredictions, questions
from fmstudio.results.evaluation import Evaluation
from fmstudio.results.json_form import as_json, from_json
from tests.evaluation.made import BINARY, CLASSES, LABELS, NUMBER, drawn, held_out, judged, labelled

PARTS = ("calibration", "operating_points", "decision_curve", "triage", "conformal", "subgroups")


def read_back(found):
    return json.loads(json.dumps(as_json(found), allow_nan=False))


def test_a_binary_task_has_every_part_with_its_n():
    test, before = drawn(0, 90), drawn(1, 60)
    fitted = fit_conformal(BINARY, before.chance, before.truth.astype(float))
    found = judgement("adapter-1", held_out(test, before), fitted, {"n": 90, "points": []})

    assert [getattr(found, part).n for part in PARTS[:3]] == [90, 90, 90]
    assert found.learning_curve["n"] == 90
    assert from_json(Evaluation, read_back(found)).triage == found.triage


@pytest.mark.parametrize("task", [CLASSES, LABELS], ids=lambda task: task.kind)
def test_several_questions_are_answered_one_by_one(task):
    found = judged(task)

    for part in ("calibration", "operating_points", "decision_curve", "triage", "subgroups"):
        assert list(getattr(found, part).by_label) == list(task.labels)
    assert as_json(from_json(Evaluation, read_back(found))) == read_back(found)


def test_a_number_has_no_threshold():
    found = judged(NUMBER)

    assert found.decision_curve is None
    assert found.calibration.slope.low < 1 < found.calibration.slope.high
    assert found.subgroups.groups[0].metrics["mae"].value > 0
    assert list(read_back(found)) == [each.name for each in fields(found)][:-2]


def test_an_unknown_label_belongs_to_no_question():
    first, second = questions(LABELS, labelled(LABELS, 0))

    assert len(first) == 64
    assert len(second) == 80


def test_calibration_is_told_before_and_after():
    test = drawn(0, 400)
    held = replace(held_out(test), temperature=2.0, shift=0.5)
    fitted = fit_conformal(BINARY, test.chance, test.truth.astype(float))
    before, now = judgement("adapter-1", held, fitted).calibration.recalibration.methods

    assert (before.method, now.method) == ("before calibration", "as it is")
    # logit before = 2 (score - 0.5): twice too extreme.
    assert before.slope.value == pytest.approx(now.slope.value / 2, rel=1e-3)


@pytest.mark.parametrize("task", [BINARY, CLASSES, LABELS], ids=lambda task: task.kind)
def test_chances_are_told_as_they_were_before_calibration(task):
    logits = np.random.default_rng(0).normal(size=(50, 3))
    logits = logits[:, 0] if task is BINARY else logits[:, : len(task.labels)]
    how = Calibration(temperature=1.6, shift=0.4 if task is BINARY else 0.0)
    held = replace(held_out(drawn(0, 50)), task=task, temperature=1.6, shift=how.shift)

    calibrated, plain = (probabilities(task, z) for z in (how.calibrated(logits), logits))

    assert held.as_trained(calibrated) == pytest.approx(plain, abs=1e-9)


def test_what_is_kept_comes_back_from_json_as_it_was():
    test = labelled(LABELS, 0)
    held = HeldOut(LABELS, ("m", "n"), test, None, 1.5, ({"n": 3},), None, ())
    again = HeldOut.from_dict(json.loads(json.dumps(held.as_dict(), allow_nan=False)))

    assert np.array_equal(again.test.targets, test.targets, equal_nan=True)
    assert np.array_equal(again.test.outputs, test.outputs)
    assert again.test.groups == test.groups
    assert (again.task, again.temperature, again.subsets) == (LABELS, 1.5, ({"n": 3},))


def test_cases_to_look_at_are_the_surest_right_and_wrong_and_the_undecided():
    test = LabelledPredictions(
        ("right", "wrong", "open"),
        np.arange(3),
        np.array([1.0, 0.0, 1.0]),
        np.array([0.95, 0.9, 0.52]),
        np.ones((3, 1), bool),
    )
    found = cases(BINARY, test)

    assert found["best"][0]["case_id"] == "right"
    assert found["worst"][0]["case_id"] == "wrong"
    assert found["uncertain"][0]["case_id"] == "open"
    assert found["worst"][0]["sureness"] == pytest.approx(0.1)
