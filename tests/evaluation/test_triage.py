import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import binomtest

from fmstudio.evaluation.triage import CANDIDATES, fewest, lower_bound, triage
from tests.evaluation.made import question


def cohort(random, n):
    score = random.normal(0, 3, n)
    return question(random.random(n) < expit(score), expit(score))


def test_the_bound_is_the_exact_one():
    for right, of in ((0, 5), (5, 5), (18, 20), (97, 100)):
        exact = binomtest(right, of, alternative="greater").proportion_ci(0.95, "exact")
        assert lower_bound(right, of, 0.95) == pytest.approx(exact.low, abs=1e-9)


def test_the_fewest_answers_are_those_that_just_suffice_when_all_are_right():
    for target in (0.8, 0.9, 0.95, 0.99):
        k = fewest(target)
        assert lower_bound(k, k, 1 - 0.05 / CANDIDATES) >= target
        assert lower_bound(k - 1, k - 1, 1 - 0.05 / CANDIDATES) < target


def test_promises_hold_at_the_promised_rate():
    """Over draws of patients, the true PPV and NPV beyond the thresholds miss their targets in at
    most 5 % of draws each; a standard error is 1.3 % here."""
    everyone = cohort(np.random.default_rng(10**6), 100_000)
    broken = {"rule_in": 0, "rule_out": 0}
    given = {"rule_in": 0, "rule_out": 0}
    for seed in range(300):
        found = triage(cohort(np.random.default_rng(seed), 300), ppv=0.9, npv=0.9)
        for side, beyond, right in (
            ("rule_in", np.greater_equal, everyone.truth),
            ("rule_out", np.less, ~everyone.truth),
        ):
            threshold = getattr(found, side).threshold
            if threshold is not None:
                chosen = beyond(everyone.chance, threshold)
                given[side] += 1
                broken[side] += bool(right[chosen].mean() < 0.9)

    assert min(given.values()) > 100
    assert max(broken.values()) / 300 <= 0.05


def test_with_too_few_patients_it_says_that_it_cannot_promise_and_why():
    found = triage(cohort(np.random.default_rng(0), 40))

    assert found.rule_in.threshold is None
    assert found.rule_in.reason.startswith("Cannot promise a PPV of 90% with n = 40")
    assert str(fewest(0.9)) in found.rule_in.reason
    assert found.deferred.value == 1


def test_a_model_that_is_often_wrong_is_promised_nothing():
    random = np.random.default_rng(1)
    found = triage(question(random.random(400) < 0.5, random.random(400)))

    assert "most certain" in found.rule_in.reason


def test_the_shares_add_up_and_never_overlap():
    found = triage(cohort(np.random.default_rng(3), 600), ppv=0.6, npv=0.6)
    shares = [found.rule_in.share, found.rule_out.share, found.deferred]

    assert sum(share.value for share in shares) == pytest.approx(1)
    assert found.rule_out.threshold <= found.rule_in.threshold


def test_two_cases_of_a_patient_count_once():
    one = cohort(np.random.default_rng(4), 200)
    twice = question(np.tile(one.truth, 2), np.tile(one.chance, 2), np.tile(one.patients, 2))

    assert triage(twice).n == 200
    assert triage(twice).rule_in.answered == triage(one).rule_in.answered


def test_a_rare_outcome_lets_everybody_be_ruled_out():
    draw = np.random.default_rng(0)
    rare = question(np.arange(300) < 2, draw.random(300) * 0.05)

    side = triage(rare, npv=0.95).rule_out

    assert (side.answered, side.share.value) == (300, 1.0)
    assert side.threshold > rare.chance.max()
