import json

import numpy as np
import pytest

from fmstudio.evaluation.conformal import conformal_interval, conformal_set, fit_conformal
from fmstudio.types import TaskSpec

BINARY = TaskSpec("binary", ("outcome",), ("no", "yes"), "yes")
CLASSES = TaskSpec("multiclass", ("kind",), ("a", "b", "c"))
LABELS = TaskSpec("multilabel", ("x", "y"), ("x", "y"))
NUMBER = TaskSpec("regression", ("days",), ("days",))


def draw(random, n):
    """Classes drawn from honest probabilities."""
    chance = random.dirichlet([2, 2, 2], n)
    return chance, np.array([random.choice(3, p=p) for p in chance])


def test_threshold_by_hand():
    # 9 scores at 0.9: the ceil(10 * .9) = 9th smallest, the largest of all.
    chance = np.array([0.9, 0.8, 0.7, 0.95, 0.6, 0.85, 0.75, 0.99, 0.65])
    fitted = fit_conformal(BINARY, chance, np.ones(9))
    assert fitted["thresholds"] == [pytest.approx(0.4)]
    assert conformal_set(BINARY, fitted, 0.61) == ("yes",)
    assert conformal_set(BINARY, fitted, 0.39) == ("no",)


def test_eight_cases_are_too_few_for_a_promise_of_nine_in_ten():
    fitted = fit_conformal(BINARY, np.full(8, 0.99), np.ones(8))
    assert conformal_set(BINARY, fitted, 0.999) == ("no", "yes")
    assert fitted["notes"] == [
        "Too few validation cases for a 90% promise (8 of at least 9): nothing can be excluded."
    ]


def test_sets_hold_the_truth_in_the_promised_share_of_new_cases():
    random = np.random.default_rng(1)
    held = []
    for _ in range(40):
        fitted = fit_conformal(CLASSES, *draw(random, 60))
        chance, truth = draw(random, 100)
        sets = [conformal_set(CLASSES, fitted, p) for p in chance]
        held += [CLASSES.labels[t] in s for t, s in zip(truth, sets, strict=True)]
    assert np.mean(held) == pytest.approx(0.9, abs=0.02)


def test_the_most_probable_label_is_always_named():
    fitted = fit_conformal(CLASSES, np.tile([0.98, 0.01, 0.01], (20, 1)), np.zeros(20))
    assert conformal_set(CLASSES, fitted, np.array([0.5, 0.3, 0.2])) == ("a",)


def test_each_true_label_of_a_multilabel_case_is_in_the_set_as_promised():
    random = np.random.default_rng(2)
    chance = random.random((3000, 2))
    truth = (random.random((3000, 2)) < chance).astype(float)
    fitted = fit_conformal(LABELS, chance[:1000], truth[:1000])
    sets = [conformal_set(LABELS, fitted, p) for p in chance[1000:]]
    for k, label in enumerate(LABELS.labels):
        held = [label in s for s, t in zip(sets, truth[1000:], strict=True) if t[k] == 1]
        assert np.mean(held) == pytest.approx(0.9, abs=0.03)
    assert conformal_set(LABELS, fitted, np.array([0.0, 0.0])) == ()


def test_a_label_with_few_positives_cannot_be_excluded_and_is_named():
    truth = np.array([[1.0, 0.0]] * 20 + [[0.0, np.nan]] * 5)
    fitted = fit_conformal(LABELS, np.full((25, 2), 0.6), truth)
    assert conformal_set(LABELS, fitted, np.array([0.1, 0.0])) == ("y",)
    assert fitted["n"] == [20, 0]
    assert fitted["notes"][0].startswith("y: Too few")


def test_intervals_of_a_regression_hold_the_truth():
    random = np.random.default_rng(3)
    guess = random.normal(0, 5, 2000)
    truth = guess + random.normal(0, 2, 2000)
    fitted = fit_conformal(NUMBER, guess[:500], truth[:500])
    bounds = np.array([conformal_interval(fitted, g) for g in guess[500:]])
    held = (bounds[:, 0] <= truth[500:]) & (truth[500:] <= bounds[:, 1])
    assert held.mean() == pytest.approx(0.9, abs=0.03)
    assert bounds[0, 1] - bounds[0, 0] == pytest.approx(2 * 1.645 * 2, rel=0.1)


def test_a_regression_with_few_cases_has_no_interval():
    assert conformal_interval(fit_conformal(NUMBER, np.zeros(3), np.zeros(3)), 1.0) is None


def test_what_was_fitted_survives_json():
    fitted = fit_conformal(CLASSES, np.full((30, 3), 1 / 3), np.zeros(30))
    assert json.loads(json.dumps(fitted)) == fitted
