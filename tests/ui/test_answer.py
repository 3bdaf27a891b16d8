"""A prediction in words and bars that cannot be misread."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from fmstudio.contracts import pipelines
from fmstudio.evaluation.metrics import evaluate
from fmstudio.types import Prediction, TaskSpec
from fmstudio.ui.answer import answer, calibration, sureness

TASK = {
    "kind": "binary",
    "columns": ["died"],
    "labels": ["0", "1"],
    "positive": "1",
    "description": "Will she die?",
}
CARD = {"metrics": {"ece": {"value": 0.03}}, "n": {"test": 600}}
BINARY = Prediction(
    adapter="a",
    case_id="c",
    task="binary",
    prediction="1",
    probabilities={"0": 0.25, "1": 0.75},
    contributions={"radiology": 0.3, "notes": -0.05},
    baseline=0.5,
    used=("radiology", "notes"),
    missing=("audio",),
    remarks=("film.dcm: inverted.",),
    warnings=("Unlike the training data.",),
    conformal_set=("1",),
    coverage=0.9,
)


def words(prediction: Prediction, task=TASK) -> str:
    html = answer(prediction, task, list(pipelines().values()), CARD)
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_the_answer_names_the_question_the_outcome_and_its_probability():
    said = words(BINARY)

    assert "Will she die? 75.0 % yes (died = 1)" in said
    assert "not a medical device" in said.lower()


def test_the_probability_is_that_of_the_positive_outcome_also_where_it_is_unlikely():
    named = TASK | {"positive_name": "Death within 30 days", "negative_name": "Survival"}
    unlikely = replace(
        BINARY,
        prediction="0",
        probabilities={"0": 0.8, "1": 0.2},
        conformal_set=("0",),
        contributions={"radiology": 0.3},
        baseline=0.5,
    )
    said = words(unlikely, named)

    assert "Will she die? 20.0 % Death within 30 days" in said
    assert "only Survival" in said
    assert "−30.0" in said  # the film speaks against death


def test_what_is_given_and_what_is_not_are_told_apart():
    said = words(BINARY)

    assert said.index("Rests on") < said.index("Radiology images", said.index("Rests on"))
    assert said.index("Not given") < said.index("Audio recordings")


def test_remarks_and_warnings_are_shown():
    assert "film.dcm: inverted." in words(BINARY)
    assert "Unlike the training data." in words(BINARY)


def test_contributions_point_right_towards_the_answer_and_left_away_from_it():
    html = answer(BINARY, TASK, list(pipelines().values()), CARD)

    assert '<i style="left:50.0%;width:50.0%"></i>' in html
    assert re.search(r'<i class="fm-away" style="left:41\.\d+%;width:8\.\d+%"></i>', html)
    assert "+30.0" in html
    assert "−5.0" in html


def test_a_contribution_next_to_nothing_has_a_bar_next_to_nothing_and_no_sign():
    small = replace(BINARY, contributions={"radiology": 0.0001})

    assert "width:0.05%" in answer(small, TASK, list(pipelines().values()), CARD)
    assert "+0.0" not in words(small)


def test_a_set_of_several_outcomes_is_called_undecided():
    both = replace(BINARY, conformal_set=("0", "1"))

    undecided = "Possible outcomes: undecided between no (died = 0) and yes (died = 1)."
    assert undecided in sureness(both, TASK, CARD)
    assert "Possible outcomes: only yes (died = 1)." in sureness(BINARY, TASK, CARD)
    assert "No outcome fits" in sureness(replace(BINARY, conformal_set=()), TASK, CARD)


def test_a_label_that_speaks_for_itself_stays_as_it_is():
    named = replace(BINARY, prediction="pneumonia", probabilities={"none": 0.1, "pneumonia": 0.9})
    task = TASK | {"labels": ["none", "pneumonia"], "positive": "pneumonia"}

    assert "90.0 % pneumonia" in words(named, task)


def test_a_number_comes_with_its_interval():
    task = {"kind": "regression", "columns": ["days"], "description": "How long?"}
    number = Prediction(
        adapter="a",
        case_id="c",
        task="regression",
        prediction=None,
        probabilities={},
        contributions={"notes": -1.5},
        baseline=6.0,
        used=("notes",),
        missing=(),
        value=4.5,
        interval=(2.0, 7.25),
        coverage=0.9,
    )

    said = words(number, task)

    assert "How long? 4.50 days" in said
    assert "Between 2.00 and 7.25" in said
    assert "−1.50" in said


def test_several_findings_are_counted_and_named():
    task = {"kind": "multilabel", "columns": ["a", "b"], "description": "Which?"}
    several = replace(
        BINARY,
        task="multilabel",
        prediction=["effusion", "oedema"],
        probabilities={"effusion": 0.8, "oedema": 0.6, "fracture": 0.1},
    )

    assert "2 found: effusion and oedema" in words(several, task)
    assert "0 nothing found" in words(replace(several, prediction=[]), task)


def test_the_chance_is_called_calibrated_as_far_as_held_out_patients_say_so():
    def told(error: float | None, by_chance: float | None, cases: int) -> str:
        found = {"value": error, "by_chance": by_chance}
        return calibration({"metrics": {"ece": found}, "n": {"test": cases}})

    assert told(0.03, 0.02, 600).endswith("its error on 600 held-out cases is 0.03.")
    assert told(0.24, 0.17, 180).endswith("is 0.24, so read it with care.")
    assert told(0.24, 0.4, 12).endswith("is 0.24, which so few cases show by luck alone.")
    assert told(0.24, None, 12).endswith("is 0.24.")
    assert told(None, None, 600).endswith("how well that holds for others was not measured.")
    assert "not measured" in calibration({})


def test_perfect_chances_are_seldom_told_to_be_read_with_care():
    draw, careful = np.random.default_rng(0), 0
    for _ in range(100):
        chance = draw.uniform(0, 1, 180)
        truth = (draw.random(180) < chance).astype(float)
        found = evaluate(TaskSpec("binary"), truth, chance, list(range(180)), resamples=2)
        card = {"metrics": {"ece": found["ece"].as_dict()}, "n": {"test": 180}}
        careful += "with care" in calibration(card)

    assert careful <= 12
