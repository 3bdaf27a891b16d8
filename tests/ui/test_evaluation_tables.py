"""A judgement in words: what is claimed follows from the intervals, and nothing more."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from fmstudio.evaluation.conformal import fit_conformal
from fmstudio.evaluation.evaluation import judgement
from fmstudio.evaluation.operating_points import at_threshold
from fmstudio.evaluation.triage import triage
from fmstudio.results.evaluation import QuestionParts
from fmstudio.ui import evaluation_plots, evaluation_tables, subgroup_tables, threshold_tables
from tests.evaluation.made import BINARY, CLASSES, NUMBER, drawn, held_out, question
from tests.evaluation.made import judged as made


@pytest.fixture(scope="module")
def found():
    test, before = drawn(0, 150, steep=3.0), drawn(1, 100, steep=3.0)
    fitted = fit_conformal(BINARY, before.chance, before.truth.astype(float))
    groups = {"sex": tuple(np.random.default_rng(0).choice(["F", "<M>"], 150).tolist())}
    return judgement("adapter-1", held_out(test, before, groups), fitted)


def words(fragment: str) -> str:
    return re.sub(r"<[^>]+>", " ", fragment)


def test_at_a_glance_says_what_the_intervals_allow(found):
    shown = words(evaluation_tables.glance(found, found.parts(), {}))

    assert "better than guessing" in shown
    assert "Its probabilities are too extreme" in shown
    noise = np.random.default_rng(0)
    useless = question(noise.random(60) < 0.4, noise.random(60))
    fitted = fit_conformal(BINARY, useless.chance, useless.truth.astype(float))
    poor = judgement("adapter-1", held_out(useless), fitted)
    assert "No evidence that it does better than guessing" in words(
        evaluation_tables.glance(poor, poor.parts(), {})
    )


def test_that_nothing_was_seen_to_be_wrong_is_not_called_good():
    even = drawn(3, 120, steep=1.0)
    fitted = fit_conformal(BINARY, even.chance, even.truth.astype(float))
    told = judgement("adapter-1", held_out(even), fitted)
    shown = words(evaluation_tables.glance(told, told.parts(), {}))

    assert re.search(r"Open\s+No evidence of poor calibration", shown)


def test_1000_patients_are_told_in_whole_numbers_that_add_up():
    at = at_threshold(drawn(2, 200), 0.4, 0.1)
    sentence = re.search(r"Of 1,000.*?misses \d+", words(threshold_tables.per_1000(at, "sepsis")))[
        0
    ]
    sick, flagged, rightly, wrongly, missed = map(
        int,
        re.search(
            r"(\d+) have the outcome.*flags (\d+): (\d+) .* (\d+) wrongly.*misses (\d+)", sentence
        ).groups(),
    )

    assert sick == 100
    assert abs(rightly + missed - sick) <= 1
    assert abs(rightly + wrongly - flagged) <= 1


def test_what_cannot_be_promised_is_said_with_its_number_of_patients():
    shown = words(threshold_tables.triage(triage(drawn(3, 50))))

    assert "Cannot promise a PPV of 90% with n = 50" in shown
    assert "Deferred to a person: 100 %" in shown


def test_names_of_groups_are_text(found):
    shown = subgroup_tables.groups(found.parts().subgroups)

    assert "&lt;M&gt;" in shown
    assert "<M>" not in shown


def test_each_case_has_its_way_to_the_page_predict(found):
    shown = evaluation_tables.case_list(found, "worst")

    first = found.cases["worst"][0]["case_id"]
    assert f'href="/predict?adapter=adapter-1&amp;case={first}"' in shown


@pytest.mark.parametrize("task", [CLASSES, NUMBER], ids=lambda task: task.kind)
def test_every_task_can_be_shown(task):
    found = made(task)
    parts = found.parts("b")

    assert evaluation_tables.glance(found, parts, {})
    assert (
        evaluation_tables.regression_calibration(parts.calibration)
        if task is NUMBER
        else evaluation_tables.calibration(parts.calibration)
    )
    assert evaluation_tables.conformal(found.conformal, task is NUMBER)
    assert evaluation_plots.reliability(parts.calibration) is not None
    assert isinstance(parts, QuestionParts) == (task is CLASSES)


def test_curves_hold_the_model_its_band_and_the_threshold(found):
    parts = found.parts()
    at = at_threshold(drawn(0, 150, steep=3.0), 0.5)
    names = [trace.name for trace in evaluation_plots.roc(parts.discrimination, at).data]

    assert names == ["95 % interval", "Guessing", "Model", "Your threshold"]
    assert [trace.name for trace in evaluation_plots.decision(parts.decision_curve).data][1:] == [
        "Treat all",
        "Treat none",
        "Use the model",
    ]
    assert evaluation_plots.roc(replace(parts.discrimination, roc=None)) is None
    assert evaluation_plots.by_missing([], "auroc") is None
