"""Weights: classes evenly as scikit-learn has it, groups evenly within them, and what that gains."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.utils.class_weight import compute_sample_weight

from fmstudio.baselines.boosting import _settings, fit_boosting
from fmstudio.baselines.linear import _fit
from fmstudio.baselines.sample_weights import (
    SampleWeights,
    check_group_column,
    evened,
    sample_weights_of,
)
from fmstudio.baselines.stacking import fit_probe
from fmstudio.baselines.tree_arrays import ByTrees
from fmstudio.baselines.trees import fit_trees
from fmstudio.errors import InputError
from fmstudio.run_config import GROUP_CAP, RunConfig
from fmstudio.training.finetune import finetune
from fmstudio.types import TaskSpec
from tests.training.conftest import Recorder, run_record

BINARY = TaskSpec("binary", ("y",), ("0", "1"), "1")
THREE = TaskSpec("multiclass", ("y",), ("a", "b", "c"))
TWO = TaskSpec("multilabel", ("y", "z"), ("y", "z"))
NUMBER = TaskSpec("regression", ("y",), ("y",))
EVEN = SampleWeights(balance=True)


def groups(*counts: int) -> np.ndarray:
    """Names of groups, "a" so often, "b" so often, …"""
    return np.repeat(np.array(list("abcdef"[: len(counts)]), object), counts)


@pytest.mark.parametrize("n", [90, 600], ids=["few", "many, which stop early"])
@pytest.mark.parametrize(("task", "cuts"), [(BINARY, [1.0]), (THREE, [-0.3, 1.2])])
def test_without_groups_fits_are_those_of_balanced_class_weights(n, task, cuts):
    draw = np.random.default_rng(0)
    rows = draw.normal(size=(n, 4))
    targets = np.digitize(rows[:, 0] + rows[:, 1] * rows[:, 2], cuts).astype(float)
    line = LogisticRegression(C=0.3, class_weight="balanced").fit(rows, targets)
    grown = HistGradientBoostingClassifier(class_weight="balanced", **_settings(n, 0))
    grown.fit(rows, targets)

    weights = EVEN.weights(task, targets)
    coefficients, bias = _fit(task, rows, targets, 0.3, EVEN)
    trees = fit_boosting(task, rows, targets, weights)

    assert weights == pytest.approx(compute_sample_weight("balanced", targets))
    assert coefficients == pytest.approx(line.coef_.T, abs=1e-9)
    assert bias == pytest.approx(line.intercept_, abs=1e-9)
    expected = grown.decision_function(rows).reshape(n, -1)
    assert trees.logits(rows) == pytest.approx(expected, abs=1e-9)


def test_nothing_is_weighed_where_nothing_is_to_be_even():
    targets = np.array([0.0, 0, 0, 1])

    assert SampleWeights().weights(BINARY, targets) is None
    assert EVEN.weights(NUMBER, targets) is None


@pytest.mark.parametrize("balance", [True, False])
def test_groups_count_the_same_within_each_class_and_classes_as_before(balance):
    draw = np.random.default_rng(1)
    members = draw.choice(np.array(["f", "m", "x"], object), 300, p=[0.5, 0.35, 0.15])
    targets = np.stack([draw.random(300) < 0.3, draw.random(300) < 0.6], 1).astype(float)
    targets[draw.random(300) < 0.2, 1] = np.nan

    weights = SampleWeights(balance, members).weights(TWO, targets)
    before = SampleWeights(balance).weights(TWO, targets)

    before = np.ones_like(weights) if before is None else before
    for k in range(2):
        for value in (0, 1):
            own = targets[:, k] == value
            totals = [weights[own & (members == name), k].sum() for name in "fmx"]
            assert totals == pytest.approx([before[own, k].sum() / 3] * 3)
    assert (weights[np.isnan(targets)] == 1).all()


def test_groups_of_a_number_count_the_same_over_all_cases():
    weights = SampleWeights(True, groups(60, 40)).weights(NUMBER, np.arange(100.0))

    assert [weights[:60].sum(), weights[60:].sum()] == pytest.approx([50, 50])


def test_three_patients_among_a_thousand_do_not_count_a_hundredfold():
    weights = evened(groups(3, 30, 967))

    assert weights[0] == GROUP_CAP
    assert weights.max() == GROUP_CAP
    assert weights.sum() == pytest.approx(1000)
    assert weights[3:33].sum() == GROUP_CAP * 30  # and what it may not have goes to the largest


def test_what_a_capped_group_may_not_have_the_others_share():
    weights = evened(groups(5, 400, 595))

    assert weights[0] == GROUP_CAP
    assert [weights[5:405].sum(), weights[405:].sum()] == pytest.approx([487.5, 487.5])


def test_cases_without_a_group_keep_their_weight():
    weights = evened(np.concatenate([groups(30, 70), np.full(50, "", object)]))

    assert (weights[100:] == 1).all()
    assert [weights[:30].sum(), weights[30:100].sum()] == pytest.approx([50, 50])
    assert (evened(np.full(4, "", object)) == 1).all()


def test_some_of_the_cases_have_the_weights_of_their_own_groups():
    sample_weights, some = SampleWeights(True, groups(30, 70)), np.arange(20, 50)

    weights = sample_weights.of(some).weights(NUMBER, np.arange(30.0))

    assert [weights[:10].sum(), weights[10:].sum()] == pytest.approx([15, 15])


def _opposed(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features (n, 2), signal, groups: in the small one it runs the other way along one feature."""
    draw = np.random.default_rng(seed)
    rows = draw.normal(size=(n, 2))
    members = np.where(draw.random(n) < 0.12, "small", "large").astype(object)
    sign = np.where(members == "small", -1, 1)
    return rows, sign * rows[:, 0] + rows[:, 1] + 0.7 * draw.normal(size=n), members


@pytest.mark.parametrize("kind", ["binary", "multilabel", "regression"])
def test_the_figure_of_a_small_group_whose_signs_are_opposite_rises(kind):
    rows, signal, members = _opposed(600, seed=2)
    new, truth, whose = _opposed(4000, seed=3)
    task = {"binary": BINARY, "multilabel": TWO, "regression": NUMBER}[kind]
    targets = signal if kind == "regression" else (signal > 1).astype(float)
    if kind == "multilabel":
        targets = np.stack([targets, 1 - targets], 1)
    train = rows[:, None], np.ones((600, 1)), targets
    patients = [str(i) for i in range(600)]

    def figure(sample_weights: SampleWeights) -> float:
        head = fit_probe(task, train, patients, sample_weights)
        said = head.logits(new[:, None], np.ones((4000, 1)))[:, 0]
        own = whose == "small"
        if kind == "regression":
            return r2_score(truth[own], said[own])
        return roc_auc_score(truth[own] > 1, said[own])

    assert figure(SampleWeights(True, members)) > figure(EVEN) + 0.1


def test_boosting_learns_a_small_group_better_too():
    rows, signal, members = _opposed(600, seed=2)
    new, truth, whose = _opposed(4000, seed=3)
    train = rows[:, None], np.ones((600, 1)), (signal > 1).astype(float)

    def figure(sample_weights: SampleWeights) -> float:
        groups = [[ByTrees(slice(0, 2))]]
        head, _ = fit_trees(BINARY, train, [str(i) for i in range(600)], sample_weights, groups)
        said = head.logits(new[:, None], np.ones((4000, 1)))[:, 0]
        return roc_auc_score(truth[whose == "small"] > 1, said[whose == "small"])

    assert figure(SampleWeights(True, members)) > figure(EVEN) + 0.03


def test_a_column_that_is_no_group_column_is_refused_with_those_there_are():
    config = RunConfig(balance_by="shoe")

    with pytest.raises(InputError, match="no group column 'shoe'") as caught:
        check_group_column(config, ["site", "age_band"])
    assert "Its group columns: age_band, site." in caught.value.hint
    with pytest.raises(InputError, match="no group column 'shoe'") as caught:
        check_group_column(config, [])
    assert "Its group columns: none." in caught.value.hint
    check_group_column(RunConfig(), [])


def test_a_run_weighs_groups_in_every_model_and_says_so(light, project, settings, tmp_path):
    found, curves = {}, {}
    for column in ("", "site"):
        folder, recorder = tmp_path / f"by-{column}", Recorder()
        folder.mkdir()
        run = run_record(epochs=1, folds=2, balance_by=column)
        found[column] = finetune(run, project, light, folder, settings, recorder)
        curves[column] = recorder.curve

    plain, even = found[""].result, found["site"].result
    assert found["site"].card["config"]["balance_by"] == "site"
    for one, other in zip(plain["ladder"], even["ladder"], strict=True):
        assert one["name"] == other["name"]
    assert plain["cross_validation"] != even["cross_validation"]
    assert curves[""]["train loss", 1] != curves["site"]["train loss", 1]


def test_a_run_by_a_column_that_is_not_there_or_never_varies_is_refused(
    light, project, settings, tmp_path
):
    run = run_record(balance_by="shoe")
    with pytest.raises(InputError, match="no group column 'shoe'"):
        finetune(run, project, light, tmp_path, settings, Recorder())

    cases = tuple(dataclasses.replace(case, groups={"site": "A"}) for case in light.cases)
    alike = dataclasses.replace(light, cases=cases)
    with pytest.raises(InputError, match="'site' the training cases are all 'A'"):
        finetune(run_record(balance_by="site"), project, alike, tmp_path, settings, Recorder())


def test_the_weights_of_a_run_are_those_of_its_column(light):
    sample_weights = sample_weights_of(RunConfig(balance_by="site", balance=False), light.cases)

    assert sample_weights.members.tolist() == [case.groups["site"] for case in light.cases]
    assert sample_weights_of(RunConfig(balance=False), light.cases) == SampleWeights()
