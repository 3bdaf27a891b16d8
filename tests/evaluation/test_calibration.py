import numpy as np
import pytest
from scipy.special import expit

from fmstudio.evaluation.calibration import Temperature, fit_temperature, probabilities
from fmstudio.types import TaskSpec

BINARY = TaskSpec("binary", ("outcome",), ("no", "yes"), "yes")
CLASSES = TaskSpec("multiclass", ("kind",), ("a", "b", "c"))
LABELS = TaskSpec("multilabel", ("x", "y"), ("x", "y"))
NUMBER = TaskSpec("regression", ("days",), ("days",))


def test_temperature_by_hand():
    # Logit 2 for all, right in 3 of 4: best is sigma(2 / T) = .75, so T = 2 / ln 3.
    logits, targets = np.array([2, 2, 2, 2, -2, -2, -2, -2.0]), np.array([1, 1, 1, 0, 0, 0, 0, 1])
    assert fit_temperature(BINARY, logits, targets).value == pytest.approx(2 / np.log(3), rel=1e-4)


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_the_temperature_that_made_the_labels_is_found_again(true):
    random = np.random.default_rng(0)
    clean = random.normal(0, 2, (4000, 2))
    labels = (random.random((4000, 2)) < expit(clean)).astype(float)
    assert fit_temperature(LABELS, clean * true, labels).value == pytest.approx(true, rel=0.1)


def test_multiclass_temperature_lowers_overconfidence():
    random = np.random.default_rng(0)
    truth = random.integers(0, 3, 500)
    logits = random.normal(0, 1, (500, 3))
    logits[np.arange(500), truth] += 1
    found = fit_temperature(CLASSES, 5 * logits, truth).value
    assert found > 3
    calm = probabilities(CLASSES, 5 * logits, found)
    assert calm.sum(axis=1) == pytest.approx(1)
    right = (calm.argmax(1) == truth).mean()
    assert calm.max(1).mean() == pytest.approx(right, abs=0.05)


def test_unknown_targets_do_not_count():
    logits = np.array([[2.0, 50.0]] * 4 + [[-2.0, -50.0]] * 4)
    targets = np.array([[1, np.nan]] * 3 + [[0, np.nan]] * 4 + [[1, np.nan]])
    alone = fit_temperature(BINARY, logits[:, 0], targets[:, 0])
    assert fit_temperature(LABELS, logits, targets).value == pytest.approx(alone.value, rel=1e-4)


def test_a_separable_validation_set_does_not_make_the_model_certain():
    got = fit_temperature(BINARY, np.array([-1.0, -2, 1, 2]), np.array([0, 0, 1, 1]))
    assert got.value == pytest.approx(0.25, rel=1e-3)


@pytest.mark.parametrize("targets", [[], [1, 1, 1]])
def test_where_validation_cannot_tell_nothing_changes(targets):
    assert fit_temperature(BINARY, np.ones(len(targets)), np.array(targets)) == Temperature(1.0)


def test_regression_keeps_the_root_mean_square_residual():
    got = fit_temperature(NUMBER, np.array([[1.0], [2], [3]]), np.array([1.0, 4, 3]))
    assert got.sigma == pytest.approx(np.sqrt(4 / 3))
    assert fit_temperature(NUMBER, np.zeros(0), np.zeros(0)).sigma is None


def test_probabilities_survive_extreme_logits():
    assert probabilities(BINARY, np.array([-1e4, 0, 1e4])).tolist() == [0, 0.5, 1]
    assert probabilities(CLASSES, np.array([[1e4, 0, -1e4]])).tolist() == [[1, 0, 0]]
    assert probabilities(NUMBER, np.array([[3.5]])).tolist() == [3.5]


def test_a_temperature_survives_json():
    assert Temperature.from_dict(Temperature(1.5, 2.0).as_dict()) == Temperature(1.5, 2.0)
