"""The probe: the same fit in rotated coordinates, and true shares back after balancing."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from fmstudio.baselines.linear import STRENGTHS, _fit, fit_linear
from fmstudio.baselines.losses import loss, prior_shift
from fmstudio.baselines.sample_weights import SampleWeights
from fmstudio.baselines.stacking import fit_probe
from fmstudio.baselines.tree_arrays import ByTrees
from fmstudio.baselines.trees import fit_trees
from fmstudio.types import TaskSpec

EVEN = SampleWeights(balance=True)
BINARY = TaskSpec("binary", ("y",), ("0", "1"), "1")


def _made(n=120, seed=0, modalities=2, features=40):
    draw = np.random.default_rng(seed)
    values = draw.standard_normal((n, modalities, features)).astype(np.float32)
    present = (draw.random((n, modalities)) > 0.2).astype(np.float32)
    present[:, 0] = 1
    signal = values[:, 0, :3].sum(1) + values[:, 1, :3].sum(1) * present[:, 1]
    targets = (signal + draw.standard_normal(n) > 1).astype(float)
    return values * present[..., None], present, targets


def test_one_modality_is_fitted_as_plain_logistic_regression_would():
    values, _, targets = _made(n=30)
    patients = [str(i) for i in range(30)]
    trust = np.full(values.shape[2], 1 / np.sqrt(40))
    fit = fit_linear(BINARY, values[:, 0], targets, patients, SampleWeights(), trust)
    table = (values[:, 0] - fit.mean) / fit.scale

    fits = [
        LogisticRegression(C=strength, tol=1e-8, max_iter=10_000).fit(table / np.sqrt(40), targets)
        for strength in STRENGTHS
    ]

    ours = (table @ fit.weight + fit.offset)[:, 0]
    theirs = [fit.decision_function(table / np.sqrt(40)) for fit in fits]
    assert min(np.abs(ours - each).max() for each in theirs) < 2e-2
    assert np.abs(fit.out_of_fold[:, 0] - ours).max() > 0.05  # judged without the case itself


def test_a_modality_of_noise_gets_hardly_any_weight():
    draw = np.random.default_rng(4)
    values = draw.standard_normal((300, 2, 60)).astype(np.float32)
    targets = (values[:, 0, :4].sum(1) + draw.standard_normal(300) > 0).astype(float)
    present = np.ones((300, 2), np.float32)

    head = fit_probe(BINARY, (values, present, targets), [str(i) for i in range(300)], EVEN)

    parts = head.parts(values, present)[..., 0].std(0)
    assert parts[1] < 0.2 * parts[0]


def test_a_probe_finds_what_two_modalities_say_together():
    train, test = _made(seed=0, n=400), _made(seed=1, n=400)
    head = fit_probe(BINARY, train, [str(i) for i in range(400)], EVEN)

    logits = head.logits(*test[:2])

    assert roc_auc_score(test[2], logits[:, 0]) > 0.8
    assert np.allclose(head.parts(*test[:2]).sum(1) + head.bias, logits)


def test_two_fits_of_a_modality_are_weighed_by_what_each_tells():
    draw = np.random.default_rng(5)
    values = draw.standard_normal((300, 1, 80)).astype(np.float32)
    targets = (values[:, 0, :4].sum(1) + draw.standard_normal(300) > 0).astype(float)
    train = values, np.ones((300, 1), np.float32), targets
    fits = [[[slice(0, 20)], [slice(20, 80)]]]

    head = fit_probe(BINARY, train, [str(i) for i in range(300)], EVEN, fits)

    telling, noise = (
        np.abs(head.weight[0, part, 0]).sum() for part in (slice(0, 20), slice(20, 80))
    )
    assert noise < 0.5 * telling


def test_classes_that_few_cases_have_do_not_silence_the_modalities():
    draw = np.random.default_rng(6)
    task = TaskSpec("multiclass", ("y",), tuple("abcdefgh"))
    targets = np.concatenate([np.repeat([0.0, 1.0, 2.0], 15), np.arange(3.0, 8.0)])
    centres = 2 * draw.normal(size=(8, 2, 12))
    values = centres[targets.astype(int)] + draw.normal(size=(len(targets), 2, 12))
    present = np.ones((len(targets), 2))

    head = fit_probe(task, (values, present, targets), [str(i) for i in range(50)], EVEN)

    logits = head.logits(values, present)
    assert (logits.argmax(1) == targets)[:45].mean() > 0.9


def test_features_left_to_fine_tuning_get_no_weight():
    values, present, targets = _made(n=100)

    seen = [[[slice(0, 10), slice(10, 30)]]] * values.shape[1]

    head = fit_probe(BINARY, (values, present, targets), [str(i) for i in range(100)], EVEN, seen)

    assert head.weight[:, :30].any()
    assert not head.weight[:, 30:].any()


def test_the_shift_gives_balanced_logits_the_true_share():
    values, present, targets = _made(n=400)
    head = fit_probe(BINARY, (values, present, targets), [str(i) for i in range(400)], EVEN)
    balanced = head.logits(values, present)

    shifted = balanced + prior_shift(BINARY, targets)

    mean = (1 / (1 + np.exp(-shifted))).mean()
    assert abs(mean - targets.mean()) < 0.05
    assert loss(BINARY, shifted, targets) < loss(BINARY, balanced, targets)


@pytest.mark.parametrize(
    ("kind", "labels", "targets"),
    [
        ("multiclass", ("a", "b", "c"), np.arange(60) % 3.0),
        ("multilabel", ("a", "b"), np.stack([np.arange(60) % 2, np.arange(60) % 3 == 0], 1) * 1.0),
        ("regression", ("y",), np.linspace(-1, 1, 60)),
    ],
)
def test_every_kind_of_task_has_a_probe(kind, labels, targets):
    values, present, _ = _made(n=60)
    task = TaskSpec(kind, labels, labels)
    if kind == "multilabel":
        targets[:20, 1] = np.nan

    head = fit_probe(task, (values, present, targets), [str(i) for i in range(60)], EVEN)

    assert head.logits(values, present).shape == (60, task.outputs)
    assert np.isfinite(loss(task, head.logits(values, present), targets))


def test_a_label_without_variation_keeps_its_share():
    values, _, _ = _made(n=30)
    coefficients, bias = _fit(
        BINARY, values.reshape(30, -1), np.zeros(30), STRENGTHS[0], SampleWeights()
    )

    assert not coefficients.any()
    assert bias[0] < -5


def test_many_classes_are_told_apart_by_features_that_say_little_loudly():
    draw = np.random.default_rng(1)
    classes, n, width = 15, 60, 60
    task = TaskSpec("multiclass", ("y",), tuple("abcdefghijklmno"))
    centres = draw.normal(size=(classes, width)) * 0.8
    common = draw.integers(0, 2, n - classes)  # two classes have most of the cases
    targets = np.concatenate([np.arange(classes), common]).astype(float)
    new = np.repeat(np.arange(classes), 30)
    turned = np.linalg.qr(draw.normal(size=(width, width)))[0]
    loudness = (1.0 + np.arange(width)) ** -1.5  # as of the features of a network

    def made(of: np.ndarray) -> np.ndarray:
        said = centres[of.astype(int)] + draw.normal(size=(len(of), width))
        return ((said * loudness) @ turned)[:, None]

    train = made(targets), np.ones((n, 1)), targets
    head = fit_probe(task, train, [str(i) for i in range(n)], EVEN)

    logits = head.logits(made(new), np.ones((len(new), 1)))
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    apart = [roc_auc_score(new == k, shares[:, k]) for k in range(classes)]
    assert np.mean(apart) > 0.74


def test_trees_read_columns_that_a_line_cannot_and_are_weighed_like_any_other_fit():
    random = np.random.default_rng(0)
    n, width = 400, 3
    features = np.zeros((n, 2, width + 2), np.float32)
    features[..., :width] = random.normal(size=(n, 2, width))
    columns = random.normal(size=(n, 2)).astype(np.float32)
    targets = ((columns[:, 0] * columns[:, 1] > 0) ^ (random.random(n) < 0.1)).astype(float)
    columns[random.random(n) < 0.2, 1] = np.nan
    features[:, 0, width:] = columns
    present = np.ones((n, 2))
    present[::5, 0] = 0
    groups = [[[slice(0, width)], ByTrees(slice(width, width + 2))], [[slice(0, width)]]]
    train, new = slice(0, 300), slice(300, None)

    patients = [str(i) for i in range(300)]
    given = features[train], present[train], targets[train]
    head = fit_probe(BINARY, given, patients, EVEN, groups)
    plain = fit_probe(
        BINARY,
        (features[train, :, :width], *given[1:]),
        patients,
        EVEN,
        [[[slice(0, width)]]] * 2,
    )

    seen = present[new, 0] > 0
    told = head.logits(features[new], present[new])[seen, 0]
    blind = plain.logits(features[new, :, :width], present[new])[seen, 0]
    found = [roc_auc_score(targets[new][seen], each) for each in (told, blind)]
    assert found[0] > 0.8 > 0.65 > found[1]
    # Cases that have no table get nothing from the trees; the others are told too much.
    assert not head.unlearned[present[train, 0] == 0].any()
    knows = head.logits(features[train], present[train])[:, 0]
    honest = knows + head.unlearned.sum((1, 2))
    assert roc_auc_score(targets[train], knows) > roc_auc_score(targets[train], honest)


def test_boosting_alone_looks_at_nothing_but_the_columns():
    random = np.random.default_rng(1)
    features = random.normal(size=(100, 1, 4)).astype(np.float32)
    targets = (features[:, 0, 3] > 0).astype(float)
    present = np.ones((100, 1))

    given, patients = (features, present, targets), [str(i) for i in range(100)]

    head, grown = fit_trees(BINARY, given, patients, EVEN, [[ByTrees(slice(2, 4))]])

    other = features.copy()
    other[..., :2] += 100
    assert np.array_equal(head.logits(features, present), head.logits(other, present))
    assert roc_auc_score(targets, head.logits(features, present)[:, 0]) > 0.9
    assert fit_trees(BINARY, given, patients, EVEN, [[[slice(0, 4)]]]) is None
    # What it says of patients whom it did not see is known too, and serves the probe as it is.
    assert roc_auc_score(targets, head.out_of_fold[:, 0]) > 0.9
    assert not np.allclose(head.out_of_fold, head.logits(features, present))
    both = [[slice(0, 2)], ByTrees(slice(2, 4))]
    again, once = (fit_probe(BINARY, given, patients, EVEN, [both], g) for g in ({}, grown))
    assert np.array_equal(again.out_of_fold, once.out_of_fold)
    assert np.array_equal(again.logits(features, present), once.logits(features, present))


def test_boosting_is_no_model_where_hardly_a_case_has_the_table():
    features = np.zeros((30, 1, 3), np.float32)
    present = np.zeros((30, 1))
    present[0] = 1
    given = features, present, np.arange(30) % 2.0

    patients = [str(i) for i in range(30)]
    assert fit_trees(BINARY, given, patients, EVEN, [[ByTrees(slice(1, 3))]]) is None
