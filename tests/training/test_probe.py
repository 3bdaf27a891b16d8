"""The probe: the same fit in rotated coordinates, and true shares back after balancing."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from fmstudio.training.probe import STRENGTHS, _fit, _rotate, fit_probe, loss, prior_shift
from fmstudio.types import TaskSpec

BINARY = TaskSpec("binary", ("y",), ("0", "1"), "1")


def _made(n=120, seed=0, modalities=2, features=40):
    draw = np.random.default_rng(seed)
    values = draw.standard_normal((n, modalities, features)).astype(np.float32)
    present = (draw.random((n, modalities)) > 0.2).astype(np.float32)
    present[:, 0] = 1
    signal = values[:, 0, :3].sum(1) + values[:, 1, :3].sum(1) * present[:, 1]
    targets = (signal + draw.standard_normal(n) > 1).astype(float)
    return values * present[..., None], present, targets


def test_the_rotated_fit_is_the_plain_fit():
    values, present, targets = _made(n=30)
    mean, scale = np.zeros((2, 40)), np.ones((2, 40))
    rotated, back = _rotate(values, present, mean, scale)
    coefficients, bias = _fit(BINARY, rotated, targets, 0.1, False)
    weight, offset = back(coefficients)

    table = np.concatenate([values.reshape(30, -1) / np.sqrt(40), present], 1)
    plain = LogisticRegression(C=0.1, tol=1e-8, max_iter=10_000).fit(table, targets)

    ours = np.einsum("nmf,mfk->nk", values, weight) + present @ offset + bias
    assert np.allclose(ours[:, 0], plain.decision_function(table), atol=1e-2)


def test_a_probe_finds_what_two_modalities_say_together():
    train, test = _made(seed=0, n=400), _made(seed=1, n=400)
    head = fit_probe(BINARY, train, [str(i) for i in range(400)], balance=True)

    logits = head.logits(*test[:2])

    assert roc_auc_score(test[2], logits[:, 0]) > 0.8
    assert np.allclose(head.parts(*test[:2]).sum(1) + head.bias, logits)


def test_the_shift_gives_balanced_logits_the_true_share():
    values, present, targets = _made(n=400)
    head = fit_probe(BINARY, (values, present, targets), [str(i) for i in range(400)], True)
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

    head = fit_probe(task, (values, present, targets), [str(i) for i in range(60)], True)

    assert head.logits(values, present).shape == (60, task.outputs)
    assert np.isfinite(loss(task, head.logits(values, present), targets))


def test_a_label_without_variation_keeps_its_share():
    values, _, _ = _made(n=30)
    coefficients, bias = _fit(BINARY, values.reshape(30, -1), np.zeros(30), STRENGTHS[0], False)

    assert not coefficients.any()
    assert bias[0] < -5
