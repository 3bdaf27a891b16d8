import numpy as np
import pytest
from sklearn import metrics as sk

from fmstudio.evaluation.metrics import evaluate, gain, headline, score
from fmstudio.results.metrics import beats_guessing
from fmstudio.types import TaskSpec

BINARY = TaskSpec("binary", ("outcome",), ("no", "yes"), "yes")
CLASSES = TaskSpec("multiclass", ("kind",), ("a", "b", "c"))
LABELS = TaskSpec("multilabel", ("x", "y"), ("x", "y"))
NUMBER = TaskSpec("regression", ("days",), ("days",))


@pytest.fixture
def random():
    return np.random.default_rng(3)


def own(n):
    """Every case a patient of its own."""
    return [f"p{i}" for i in range(n)]


@pytest.mark.parametrize(
    ("name", "figure", "better"),
    [
        ("auroc", {"value": 0.7, "low": 0.51, "high": 0.8}, True),
        ("auroc", {"value": 0.7, "low": 0.5, "high": 0.8}, False),
        ("macro_auroc", {"value": 0.7, "low": None, "high": None}, False),
        ("r2", {"value": 0.3, "low": 0.02, "high": 0.5}, True),
        ("r2", {"value": 0.3, "low": -0.1, "high": 0.5}, False),
        ("r2", None, False),
    ],
)
def test_only_an_interval_wholly_above_guessing_is_better_than_guessing(name, figure, better):
    assert beats_guessing(name, figure) is better


def test_auroc_by_hand_counts_a_tie_as_half():
    # Pairs of a positive (.8, .4) and a negative (.4, .1): won, won, tied, won = 3.5 of 4.
    assert score(BINARY, np.array([1, 1, 0, 0]), np.array([0.8, 0.4, 0.4, 0.1])) == 3.5 / 4


def test_binary_figures_are_those_of_scikit_learn(random):
    truth = random.integers(0, 2, 200)
    chance = np.round(np.clip(truth * 0.3 + random.random(200) * 0.7, 0, 1), 2)  # with ties
    got = evaluate(BINARY, truth, chance, own(200), resamples=50)

    assert got["auroc"].value == pytest.approx(sk.roc_auc_score(truth, chance))
    assert got["auprc"].value == pytest.approx(sk.average_precision_score(truth, chance))
    assert got["brier"].value == pytest.approx(sk.brier_score_loss(truth, chance))
    assert got["accuracy"].value == pytest.approx(sk.accuracy_score(truth, chance >= 0.5))


def test_multiclass_figures_are_those_of_scikit_learn(random):
    truth = random.integers(0, 3, 150)
    chance = random.dirichlet([1, 1, 1], 150)
    got = evaluate(CLASSES, truth, chance, own(150), resamples=50)

    assert got["macro_auroc"].value == pytest.approx(
        sk.roc_auc_score(truth, chance, multi_class="ovr", average="macro")
    )
    assert got["auprc"].value == pytest.approx(sk.average_precision_score(truth, chance))
    assert got["brier"].value == pytest.approx(sk.brier_score_loss(truth, chance))
    assert got["accuracy"].value == pytest.approx(sk.accuracy_score(truth, chance.argmax(1)))


def test_multilabel_figures_leave_unknown_targets_out(random):
    truth = random.integers(0, 2, (80, 2)).astype(float)
    chance = random.random((80, 2))
    truth[::4, 1] = np.nan
    known = ~np.isnan(truth[:, 1])
    got = evaluate(LABELS, truth, chance, own(80), resamples=50)

    first = sk.roc_auc_score(truth[:, 0], chance[:, 0])
    second = sk.roc_auc_score(truth[known, 1], chance[known, 1])
    assert got["macro_auroc"].value == pytest.approx((first + second) / 2)
    right = (chance >= 0.5) == (truth == 1)
    assert got["accuracy"].value == pytest.approx((right[:, 0].mean() + right[known, 1].mean()) / 2)


def test_regression_figures_are_those_of_scikit_learn(random):
    truth = random.normal(50, 10, 90)
    guess = truth + random.normal(0, 4, 90)
    got = evaluate(NUMBER, truth, guess, own(90), resamples=50)

    assert got["mae"].value == pytest.approx(sk.mean_absolute_error(truth, guess))
    assert got["rmse"].value == pytest.approx(sk.root_mean_squared_error(truth, guess))
    assert got["r2"].value == pytest.approx(sk.r2_score(truth, guess))


def test_calibration_error_by_hand():
    # Bin of .9: sure .9, right 3 of 4 -> |.75 - .9| = .15; bin of .1: sure .1, happened 0 of 4.
    chance = np.array([0.9] * 4 + [0.1] * 4)
    truth = np.array([1, 1, 1, 0, 0, 0, 0, 0])
    got = evaluate(BINARY, truth, chance, own(8), resamples=10)
    assert got["ece"].value == pytest.approx(0.5 * 0.15 + 0.5 * 0.1)


def test_calibration_is_judged_in_fifteen_bins():
    # .62 and .68 would share one of ten bins, and their errors would cancel there.
    got = evaluate(BINARY, np.array([1, 0]), np.array([0.62, 0.68]), own(2), resamples=10)
    assert got["ece"].value == pytest.approx((0.38 + 0.68) / 2)


def test_a_probability_of_one_falls_into_the_last_bin():
    got = evaluate(BINARY, np.array([1, 0]), np.array([1.0, 0.0]), own(2), resamples=10)
    assert got["ece"].value == 0


@pytest.mark.parametrize(
    ("task", "shape"), [(BINARY, ()), (CLASSES, (3,)), (LABELS, (2,)), (NUMBER, ())]
)
def test_without_cases_every_figure_is_undefined(task, shape):
    targets = np.zeros((0, 2)) if task is LABELS else np.zeros(0)
    got = evaluate(task, targets, np.zeros((0, *shape)), [])
    assert all(np.isnan([f.value, f.low, f.high]).all() for f in got.values())


def test_with_one_class_auroc_is_undefined_and_accuracy_is_not():
    got = evaluate(BINARY, np.ones(5), np.full(5, 0.7), own(5))
    assert np.isnan(got["auroc"].value)
    assert got["accuracy"].value == 1


def test_classes_that_do_not_occur_are_left_out_of_the_average():
    truth = np.array([0, 0, 1, 1])
    chance = np.array([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.2, 0.7, 0.1], [0.1, 0.8, 0.1]])
    assert score(CLASSES, truth, chance) == 1.0


def test_r2_of_constant_targets_is_undefined_in_spite_of_rounding():
    assert np.isnan(score(NUMBER, np.array([0.1 + 0.2, 0.3, 0.3]), np.array([0.0, 0.1, 0.2])))
    # Many resamples of three patients draw one value only; rounding must not make them count.
    got = evaluate(NUMBER, np.array([0.1, 0.7, 0.7]), np.array([0.2, 0.6, 0.5]), own(3))["r2"]
    assert got.low > -10


def test_an_interval_holds_the_value_and_narrows_with_more_patients(random):
    def width(n):
        truth = random.integers(0, 2, n)
        got = evaluate(BINARY, truth, truth * 0.4 + random.random(n) * 0.6, own(n))["auroc"]
        assert got.low < got.value < got.high
        return got.high - got.low

    assert width(800) < 0.6 * width(100)


def test_interval_of_a_mean_matches_its_closed_form(random):
    # The accuracy of 400 independent patients is binomial: 1.96 sqrt(p (1 - p) / n).
    right = random.random(400) < 0.8
    got = evaluate(BINARY, np.ones(400), np.where(right, 0.9, 0.1), own(400), resamples=4000)
    p = right.mean()
    expected = 1.96 * np.sqrt(p * (1 - p) / 400)
    assert got["accuracy"].high - got["accuracy"].low == pytest.approx(2 * expected, rel=0.08)


def test_copies_of_a_patient_do_not_narrow_the_interval(random):
    truth = random.integers(0, 2, 60)
    chance = np.clip(truth * 0.2 + random.random(60) * 0.8, 0, 1)
    once = evaluate(BINARY, truth, chance, own(60))["auroc"]
    five = evaluate(BINARY, np.tile(truth, 5), np.tile(chance, 5), own(60) * 5)["auroc"]
    assert five.high - five.low == pytest.approx(once.high - once.low, rel=0.1)


def test_a_single_patient_gives_a_value_and_no_interval():
    got = evaluate(BINARY, np.array([1, 0]), np.array([0.9, 0.2]), ["p", "p"])["auroc"]
    assert got.value == 1
    assert np.isnan([got.low, got.high]).all()


def test_same_seed_same_intervals(random):
    truth, chance = random.integers(0, 2, 50), random.random(50)
    assert evaluate(BINARY, truth, chance, own(50), 7) == evaluate(
        BINARY, truth, chance, own(50), 7
    )
    assert evaluate(BINARY, truth, chance, own(50), 7) != evaluate(
        BINARY, truth, chance, own(50), 8
    )


def test_blocks_do_not_change_the_intervals(random, monkeypatch):
    truth, chance = random.integers(0, 2, 50), random.random(50)
    whole = evaluate(BINARY, truth, chance, own(50))
    monkeypatch.setattr("fmstudio.evaluation.resampling.BLOCK", 50 * 7)
    for name, figure in evaluate(BINARY, truth, chance, own(50)).items():
        assert figure.as_dict() == pytest.approx(whole[name].as_dict(), abs=1e-12)


def test_gain_is_paired(random):
    truth = random.integers(0, 2, 120)
    good = truth * 0.3 + random.random(120) * 0.7
    better = good + truth * 0.2
    same = gain(BINARY, truth, good, good, own(120))
    more = gain(BINARY, truth, better, good, own(120))
    assert (same.value, same.low, same.high) == (0, 0, 0)
    assert more.low > 0
    assert more.value == pytest.approx(score(BINARY, truth, better) - score(BINARY, truth, good))


def test_the_headline_figure_is_one_of_those_evaluated():
    for task, targets, outputs in [
        (BINARY, np.zeros(2), np.zeros(2)),
        (CLASSES, np.zeros(2), np.zeros((2, 3))),
        (LABELS, np.zeros((2, 2)), np.zeros((2, 2))),
        (NUMBER, np.zeros(2), np.zeros(2)),
    ]:
        assert headline(task) in evaluate(task, targets, outputs, own(2), resamples=2)


def test_what_guessing_reaches_is_told_with_the_precision_recall_area():
    yes = evaluate(BINARY, np.array([1.0, 0, 0, 0]), np.full(4, 0.5), ["a", "b", "c", "d"])
    several = np.array([[1.0, 0], [0, 0], [np.nan, 1], [np.nan, 1]])
    both = evaluate(LABELS, several, np.full((4, 2), 0.5), ["a", "b", "c", "d"])
    classes = evaluate(CLASSES, np.array([0.0, 0, 0, 1]), np.full((4, 3), 1 / 3), list("abcd"))

    assert yes["auprc"].as_dict()["prevalence"] == yes["auprc"].value == 0.25
    assert both["auprc"].prevalence == 0.5
    assert classes["auprc"].prevalence == 0.5
    assert "prevalence" not in yes["auroc"].as_dict()


def test_an_interval_does_not_depend_on_what_patients_are_called():
    random = np.random.default_rng(3)
    targets, outputs = random.integers(0, 2, 80), random.random(80)
    patients = np.repeat(np.arange(40), 2)

    found = [
        evaluate(BINARY, targets, outputs, names)["auroc"]
        for names in (patients, [f"P{1000 - p}" for p in patients])
    ]

    assert found[0] == found[1]


def test_the_error_of_chances_that_are_right_is_told_for_every_kind_of_question():
    draw = np.random.default_rng(0)
    chance = draw.uniform(0, 1, (400, 2))
    truth = (draw.random(chance.shape) < chance).astype(float)
    truth[:100, 1] = np.nan
    shares = draw.dirichlet(np.ones(3), 400)
    classes = (shares.cumsum(axis=1) < draw.random((400, 1))).sum(axis=1)
    asked = {
        BINARY: (truth[:, 0], chance[:, 0]),
        LABELS: (truth, chance),
        CLASSES: (classes, shares),
    }

    for task, (targets, outputs) in asked.items():
        found = evaluate(task, targets, outputs, own(400), resamples=2)["ece"]
        few = evaluate(task, targets[-40:], outputs[-40:], own(40), resamples=2)["ece"]
        assert found.value < 1.2 * found.by_chance < 1.2 * few.by_chance
    assert np.isnan(evaluate(BINARY, [], [], [])["ece"].by_chance)
