"""Splits: by patient, with every class in each, the same for the same seed."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fmstudio.cohort.splits import SHARES, SPLITS, quantile_bins, split_patients


def strata(**classes: int):
    """{class: patients} -> patients of one class each."""
    return {f"{c}{n}": frozenset((c,)) for c, count in classes.items() for n in range(count)}


@settings(max_examples=60, deadline=None)
@given(a=st.integers(3, 60), b=st.integers(3, 60), c=st.integers(3, 9), seed=st.integers(0, 99))
def test_a_class_of_three_patients_or_more_is_in_every_split(a, b, c, seed):
    groups = strata(a=a, b=b, c=c)
    chosen = split_patients(groups, seed, SHARES)

    assert chosen.keys() == groups.keys()
    for name in "abc":
        found = Counter(chosen[patient] for patient in groups if patient.startswith(name))
        assert set(found) == set(SPLITS)


def test_splits_are_60_20_20_of_the_patients_and_of_each_class():
    chosen = split_patients(strata(sick=50, well=150), 0, SHARES)

    assert Counter(chosen.values()) == {"train": 120, "validation": 40, "test": 40}
    sick = Counter(split for patient, split in chosen.items() if patient.startswith("sick"))
    assert sick == {"train": 30, "validation": 10, "test": 10}


def test_patients_with_several_labels_are_spread_by_the_rarest():
    groups = {f"p{n}": frozenset({("a", n % 2), ("rare", n < 6)}) for n in range(60)}
    chosen = split_patients(groups, 0, SHARES)

    assert set(Counter(chosen[f"p{n}"] for n in range(6))) == set(SPLITS)


def test_the_same_seed_gives_the_same_splits_in_any_order_and_another_seed_others():
    groups = strata(sick=20, well=30)
    turned = dict(reversed(groups.items()))

    assert split_patients(groups, 3, SHARES) == split_patients(turned, 3, SHARES)
    assert split_patients(groups, 3, SHARES) != split_patients(groups, 4, SHARES)


@pytest.mark.parametrize("count", [1, 2, 5, 100])
def test_numbers_are_stratified_by_bins_of_about_equal_size(count):
    bins = quantile_bins({f"p{n}": float(n * n) for n in range(count)})
    sizes = Counter(next(iter(found)) for found in bins.values())

    assert len(sizes) == max(1, min(5, count // 3))
    assert max(sizes.values()) - min(sizes.values()) <= 1
