"""Contributions add up exactly, and go to the modality that moved the answer."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, softmax

from fmstudio.prediction.contributions import contributions


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("outputs", [1, 4])
def test_contributions_sum_to_the_answer_minus_the_baseline(seed, outputs):
    draw = np.random.default_rng(seed)
    parts, typical = draw.standard_normal((2, 3, outputs)) * 4
    bias = draw.standard_normal(outputs)

    def read(logits):
        return float(expit(logits[0]) if outputs == 1 else softmax(logits)[2])

    moved, baseline = contributions(parts, typical, bias, read)

    answer = read(parts.sum(0) + bias)
    assert baseline == pytest.approx(read(typical.sum(0) + bias))
    assert moved.sum() == pytest.approx(answer - baseline, abs=1e-9)


def test_a_modality_like_that_of_typical_patients_moves_nothing():
    typical = np.array([[0.5], [-0.2]])
    parts = typical + np.array([[2.0], [0.0]])

    moved, _ = contributions(parts, typical, np.zeros(1), lambda logits: float(expit(logits[0])))

    assert moved[0] > 0.3
    assert moved[1] == pytest.approx(0, abs=1e-9)


def test_two_modalities_that_pull_apart_cancel_without_dividing_by_zero():
    typical = np.zeros((2, 1))
    parts = np.array([[1.5], [-1.5]])

    moved, baseline = contributions(parts, typical, np.zeros(1), lambda z: float(expit(z[0])))

    assert moved.sum() == pytest.approx(0, abs=1e-12)
    assert moved[0] == pytest.approx(-moved[1])
    assert moved[0] == pytest.approx(1.5 * 0.25, abs=1e-6)
    assert baseline == 0.5
