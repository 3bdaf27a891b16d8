import numpy as np
import pytest

from fmstudio.evaluation.conformal import fit_conformal
from fmstudio.evaluation.conformal_coverage import at_levels, coverage
from fmstudio.evaluation.labelled_predictions import LabelledPredictions
from fmstudio.types import TaskSpec
from tests.evaluation.made import BINARY, answered, drawn

NUMBER = TaskSpec("regression", ("days",), ("days",))


def test_the_coverage_that_is_asked_is_reached_on_average_over_draws():
    reached = []
    for seed in range(60):
        before, after = drawn(seed, 60), drawn(1000 + seed, 200)
        fitted = fit_conformal(BINARY, before.chance, before.truth.astype(float), 0.9)
        reached.append(coverage(BINARY, answered(after), fitted)["reached"]["value"])

    # 0.9 to 0.9 + 1/61 in the mean; a set never leaves out the more probable label.
    assert 0.895 <= np.mean(reached) <= 0.95


def test_sizes_are_counted_and_groups_told_with_their_n():
    cases = drawn(0, 100)
    groups = {"sex": ("F",) * 60 + ("M",) * 30 + ("",) * 10, "site": ("A",) * 95 + ("B",) * 5}
    fitted = fit_conformal(BINARY, cases.chance, cases.truth.astype(float))
    found = coverage(BINARY, answered(cases, groups), fitted)

    assert sum(found["sizes"].values()) == 100
    told = {next(iter(g["group"].values())): g for g in found["groups"]}
    assert {name: g["n"] for name, g in told.items()} == {"F": 60, "M": 30, "A": 95, "B": 5}
    assert told["B"]["reached"] is None
    assert told["F"]["reached"]["low"] <= told["F"]["reached"]["value"]


def test_more_coverage_asked_is_more_coverage_and_larger_sets():
    found = at_levels(BINARY, answered(drawn(1, 300)), answered(drawn(2, 200)))
    reached = [one["reached"]["value"] for one in found]

    assert [one["asked"] for one in found] == [0.8, 0.9, 0.95]
    assert reached == sorted(reached)
    assert [one["mean_size"]["value"] for one in found] == sorted(
        one["mean_size"]["value"] for one in found
    )


def test_intervals_of_a_number_are_as_wide_as_they_say():
    random = np.random.default_rng(0)
    truth = random.normal(size=500)
    cases = LabelledPredictions(
        tuple(map(str, range(500))), np.arange(500), truth, np.zeros(500), np.ones((500, 1), bool)
    )
    fitted = fit_conformal(NUMBER, np.zeros(300), random.normal(size=300))
    found = coverage(NUMBER, cases, fitted)

    assert found["mean_size"]["value"] == pytest.approx(2 * fitted["thresholds"][0])
    assert found["reached"]["low"] <= 0.9 <= found["reached"]["high"]


def test_a_promise_from_too_few_patients_excludes_nothing_and_is_noted():
    cases = answered(drawn(0, 30))
    fitted = fit_conformal(BINARY, np.array([0.5, 0.4]), np.array([1.0, 0.0]))
    found = coverage(BINARY, cases, fitted)

    assert found["sizes"] == {"2": 30}
    assert found["reached"]["value"] == 1
    assert "Too few" in found["remarks"][0]
