import numpy as np
import pytest
from scipy.stats import binom
from sklearn.linear_model import LogisticRegression

from fmstudio.evaluation.reliability import bins, intercept, logistic
from fmstudio.evaluation.reliability import calibration as calibrated
from fmstudio.results.calibration import Recalibration
from tests.evaluation.made import drawn, question


def calibration(cases):
    return calibrated(cases, Recalibration(len(cases), 0, "as it is", ()))


def test_slope_and_intercept_are_those_of_a_logistic_regression():
    cases = drawn(0, 300, steep=2.0, shift=0.5)
    score = np.log(cases.chance / (1 - cases.chance))
    known = LogisticRegression(C=1e12, tol=1e-10, max_iter=1000).fit(score[:, None], cases.truth)
    found = logistic(cases.chance, cases.truth.astype(float), np.ones((1, 300)))[0]

    assert found == pytest.approx([known.intercept_[0], known.coef_[0, 0]], abs=1e-3)


def test_weights_count_like_copies():
    cases = drawn(1, 60)
    weights = np.random.default_rng(0).integers(0, 4, (3, 60))
    found = logistic(cases.chance, cases.truth.astype(float), weights.astype(float))
    for own, times in zip(found, weights, strict=True):
        rows = np.repeat(np.arange(60), times)
        copied = logistic(
            cases.chance[rows], cases.truth[rows].astype(float), np.ones((1, len(rows)))
        )[0]
        assert own == pytest.approx(copied, abs=1e-6)


def test_right_chances_have_slope_1_and_intercept_0_within_their_intervals():
    found = calibration(drawn(2, 2000))

    for name, right in (("slope", 1), ("intercept", 0), ("in_the_large", 0)):
        assert getattr(found, name).low <= right <= getattr(found, name).high
    assert found.ece.value < 0.04


def test_chances_twice_too_extreme_have_slope_one_half():
    found = calibration(drawn(3, 3000, steep=2.0))

    assert found.slope.value == pytest.approx(0.5, abs=0.06)
    assert found.slope.high < 1


def test_the_intercept_is_by_how_much_all_logits_are_too_low():
    cases = drawn(4, 5000, shift=-1.0)
    found = intercept(cases.chance, cases.truth.astype(float), np.ones((1, 5000)))[0]

    assert found == pytest.approx(1.0, abs=0.1)


def test_bins_hold_as_many_cases_each_and_their_interval_is_exact():
    found = bins(question([False] * 20, np.linspace(0.01, 0.2, 20)))

    assert [one.n for one in found] == [10, 10]
    # Nothing of 10: the upper end is 1 - 0.025^(1/10).
    assert found[0].observed.high == pytest.approx(1 - 0.025**0.1)


def test_where_all_say_the_same_there_is_no_slope():
    found = calibration(question([True, False] * 20, np.full(40, 0.3)))

    assert np.isnan(found.slope.value)
    assert found.in_the_large.value == pytest.approx(0.2)


def test_few_cases_show_an_error_by_chance_and_it_is_told_how_large():
    # Closed form for one bin of n cases with chance p: the mean distance of a binomial share.
    chance, n = 0.3, 60
    told = calibration(question(np.zeros(n), np.full(n, chance))).ece_if_right
    shares = np.arange(n + 1) / n
    exact = (binom.pmf(np.arange(n + 1), n, chance) * np.abs(shares - chance)).sum()
    assert told.value == pytest.approx(exact, abs=0.005)
    above = np.abs(shares - chance) > told.high + 1e-9
    assert binom.pmf(np.arange(n + 1)[above], n, chance).sum() <= 0.07


def test_right_chances_seldom_have_more_error_than_chance_and_wrong_ones_do():
    random = np.random.default_rng(3)
    chances = random.uniform(0.05, 0.95, (60, 150))
    right = [question(random.random(150) < own, own) for own in chances]
    beyond = [c.ece.value > c.ece_if_right.high for c in map(calibration, right)]
    assert np.mean(beyond) <= 0.15
    wrong = calibration(question(random.random(150) < chances[0] ** 3, chances[0]))
    assert wrong.ece.value > wrong.ece_if_right.high
