import numpy as np
import pytest

from fmstudio.evaluation.decision_curve import THRESHOLDS, decision_curve, net_benefit, treat_all
from tests.evaluation.made import drawn, question


def ones(n):
    return np.ones((1, n))


def test_net_benefit_equals_a_worked_example():
    # At 20 %: 30 true and 40 false positives of 200 give 30/200 - 40/200 · 0.2/0.8 = 0.10.
    truth = np.repeat([True, True, False, False], [30, 10, 40, 120])
    cases = question(truth, np.repeat([0.6, 0.1, 0.6, 0.1], [30, 10, 40, 120]))
    at = np.array([0.2])

    assert net_benefit(cases, at, ones(200))[0, 0] == pytest.approx(0.10)
    # Treating all: 40/200 - 160/200 · 0.25 = 0.
    assert treat_all(cases, at, ones(200))[0, 0] == pytest.approx(0.0)
    # With a prevalence of 10 %: 0.75 · 0.1 - 0.25 · 0.9 · 0.25.
    assert net_benefit(cases, at, ones(200), 0.1)[0, 0] == pytest.approx(0.075 - 0.05625)


def test_treating_all_is_worth_nothing_where_the_threshold_is_the_prevalence():
    cases = question([True] * 30 + [False] * 70, np.linspace(0, 1, 100))

    assert treat_all(cases, np.array([0.3]), ones(100))[0, 0] == pytest.approx(0)
    assert treat_all(cases, np.array([0.1]), ones(100))[0, 0] > 0


def test_a_model_that_flags_everybody_is_worth_what_treating_all_is():
    cases = question([True] * 30 + [False] * 70, np.full(100, 0.99))

    assert net_benefit(cases, THRESHOLDS, ones(100)) == pytest.approx(
        treat_all(cases, THRESHOLDS, ones(100))
    )


def test_a_good_model_is_better_in_a_range_and_a_useless_one_nowhere():
    useless = np.random.default_rng(0)
    noise = question(useless.random(300) < 0.3, useless.random(300))

    better = decision_curve(drawn(1, 600)).better
    assert any(low <= 0.2 and high >= 0.4 for low, high in better)
    assert decision_curve(noise).better == ()


def test_without_cases_of_either_answer_there_is_no_curve():
    assert decision_curve(question([True, True], [0.2, 0.9])).thresholds == ()
