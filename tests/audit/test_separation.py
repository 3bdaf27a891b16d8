"""How well something tells the outcome: against closed forms, by patient, and under chance."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from fmstudio.cohort.audit.discrimination import (
    Question,
    auroc,
    half_width,
    of_categories,
    of_numbers,
)

RNG = np.random.default_rng(2)


def test_auroc_is_scikit_learns_with_ties():
    answers, scores = RNG.integers(0, 2, 300), RNG.integers(0, 9, 300)

    assert auroc(scores, answers) == pytest.approx(roc_auc_score(answers, scores), abs=1e-12)


def test_half_width_equals_the_worked_formula_of_hanley_and_mcneil():
    # Q1 = .8/1.2, Q2 = 2 * .64 / 1.8; SE² = (.16 + 13 * (Q1 - .64) + 25 * (Q2 - .64)) / (14 * 26)
    by_hand = 1.959964 * ((0.16 + 13 * 0.0266667 + 25 * 0.0711111) / 364) ** 0.5

    assert half_width(0.8, 14, 26) == pytest.approx(by_hand, abs=1e-5)


def test_many_cases_of_one_patient_are_no_more_evidence_than_one():
    values = np.concatenate([RNG.normal(0, 1, 20), np.full(200, 9.0)])
    answers = np.concatenate([RNG.integers(0, 2, 20), np.ones(200)])
    patients = [f"p{n}" for n in range(20)] + ["one"] * 200
    got = of_numbers(values, Question("ill", answers), patients)

    assert got.positives + got.negatives == 21
    assert got.p > 0.001


def test_under_chance_small_p_values_are_as_rare_as_they_say():
    patients = [str(n) for n in range(80)]
    numbers, words = [], []
    for _ in range(600):
        question = Question("ill", RNG.permutation([1.0] * 25 + [0.0] * 55))
        numbers.append(of_numbers(RNG.normal(0, 1, 80), question, patients).p)
        words.append(
            of_categories(list(RNG.choice(["a", "b", "c", "d"], 80)), question, patients).p
        )

    for p in (numbers, words):
        assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.025)
        assert np.mean(np.array(p) < 0.005) < 0.015
