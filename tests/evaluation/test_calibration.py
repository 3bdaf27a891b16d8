import numpy as np
import pytest
from scipy.special import expit

from fmstudio.evaluation.calibration import SPREAD, Calibration, fit_calibration, probabilities
from fmstudio.types import TaskSpec

BINARY = TaskSpec("binary", ("outcome",), ("no", "yes"), "yes")
CLASSES = TaskSpec("multiclass", ("kind",), ("a", "b", "c"))
LABELS = TaskSpec("multilabel", ("x", "y"), ("x", "y"))
NUMBER = TaskSpec("regression", ("days",), ("days",))


def repeated(times):
    """Logit 2 for all, right in 3 of 4."""
    logits, targets = np.array([2, 2, 2, 2, -2, -2, -2, -2.0]), np.array([1, 1, 1, 0, 0, 0, 0, 1])
    return np.tile(logits, times), np.tile(targets, times)


def test_temperature_by_hand():
    # With many cases the prior counts for nothing: sigma(2 / T) = .75, so T = 2 / ln 3.
    found = fit_calibration(BINARY, *repeated(10_000))
    assert found.temperature == pytest.approx(2 / np.log(3), rel=1e-3)
    assert found.shift == pytest.approx(0, abs=1e-3)


def test_few_patients_move_it_less_than_many():
    found = [fit_calibration(BINARY, *repeated(times)).temperature for times in (1, 4, 40)]
    assert 1.0 < found[0] < found[1] < found[2] < 2 / np.log(3)
    # By hand: the slope of the negative log-likelihood is that of the prior.
    scale = np.log(found[0])
    score = 2 / found[0]
    assert 8 * (expit(score) - 0.75) * score == pytest.approx(scale / SPREAD**2, rel=1e-3)


def test_a_yes_or_no_task_also_gets_the_shift_that_it_needs():
    random = np.random.default_rng(1)
    score = random.normal(0, 1.5, 4000)
    truth = random.random(4000) < expit(score / 2 - 1)
    found = fit_calibration(BINARY, score, truth.astype(float))
    assert found.temperature == pytest.approx(2, rel=0.1)
    assert found.shift == pytest.approx(-1, abs=0.1)
    assert found.calibrated(score).mean() == pytest.approx((score / 2 - 1).mean(), abs=0.1)


def test_good_chances_of_thirty_patients_stay_nearly_as_they_were():
    random = np.random.default_rng(2)
    lost = []
    for _ in range(40):
        score = random.normal(0, 1.5, 5030)
        truth = (random.random(5030) < expit(score)).astype(float)
        found = fit_calibration(BINARY, score[:30], truth[:30])
        read = found.calibrated(score[30:])
        lost.append(
            (np.logaddexp(0, read) - truth[30:] * read).mean()
            - (np.logaddexp(0, score[30:]) - truth[30:] * score[30:]).mean()
        )
    assert 0 < np.mean(lost) < 0.01


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_the_temperature_that_made_the_labels_is_found_again(true):
    random = np.random.default_rng(0)
    clean = random.normal(0, 2, (4000, 2))
    labels = (random.random((4000, 2)) < expit(clean)).astype(float)
    assert fit_calibration(LABELS, clean * true, labels).temperature == pytest.approx(true, rel=0.1)


def test_multiclass_temperature_lowers_overconfidence():
    random = np.random.default_rng(0)
    truth = random.integers(0, 3, 500)
    logits = random.normal(0, 1, (500, 3))
    logits[np.arange(500), truth] += 1
    found = fit_calibration(CLASSES, 5 * logits, truth).temperature
    assert found > 3
    calm = probabilities(CLASSES, 5 * logits, found)
    assert calm.sum(axis=1) == pytest.approx(1)
    right = (calm.argmax(1) == truth).mean()
    assert calm.max(1).mean() == pytest.approx(right, abs=0.05)


def test_unknown_targets_do_not_count():
    logits = np.array([[2.0, 50.0]] * 4 + [[-2.0, -50.0]] * 4)
    targets = np.array([[1, np.nan]] * 3 + [[0, np.nan]] * 4 + [[1, np.nan]])
    alone = fit_calibration(BINARY, logits[:, 0], targets[:, 0])
    assert fit_calibration(LABELS, logits, targets).temperature == pytest.approx(
        alone.temperature, rel=1e-4
    )


def test_a_separable_validation_set_does_not_make_the_model_certain():
    got = fit_calibration(BINARY, np.array([-1.0, -2, 1, 2]), np.array([0, 0, 1, 1]))
    assert 0.8 < got.temperature < 1


@pytest.mark.parametrize("targets", [[], [1, 1, 1]])
def test_where_validation_cannot_tell_nothing_changes(targets):
    assert fit_calibration(BINARY, np.ones(len(targets)), np.array(targets)) == Calibration()


def test_regression_keeps_the_root_mean_square_residual():
    got = fit_calibration(NUMBER, np.array([[1.0], [2], [3]]), np.array([1.0, 4, 3]))
    assert got.sigma == pytest.approx(np.sqrt(4 / 3))
    assert fit_calibration(NUMBER, np.zeros(0), np.zeros(0)).sigma is None


def test_probabilities_survive_extreme_logits():
    assert probabilities(BINARY, np.array([-1e4, 0, 1e4])).tolist() == [0, 0.5, 1]
    assert probabilities(CLASSES, np.array([[1e4, 0, -1e4]])).tolist() == [[1, 0, 0]]
    assert probabilities(NUMBER, np.array([[3.5]])).tolist() == [3.5]
