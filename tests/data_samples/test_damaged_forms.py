"""Damaged tables, recipes, bundles and checkpoints are read or refused, and are drawn repeatably."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.fuzz_forms import forms, outcomes
from data_samples.damaged_forms import changed_json, hostile_table

# `python -m benchmarks fuzz` reads 10 000 of each.
COUNTS = {"manifests": 40, "recipes": 300, "bundles": 40, "checkpoints": 8}


@pytest.fixture(scope="module")
def readers(tmp_path_factory):
    return forms(tmp_path_factory.mktemp("whole"))


def test_every_form_is_tried(readers):
    assert set(readers) == set(COUNTS)


@pytest.mark.filterwarnings("ignore")  # of libraries, on settings that cannot be
@pytest.mark.parametrize("name", COUNTS)
def test_damaged_forms_are_read_or_refused_with_a_way_out(name, readers, tmp_path):
    found = outcomes(name, readers[name], COUNTS[name], tmp_path)

    assert found["escapes"] == []
    assert found.get("read", 0) + found.get("refused", 0) == COUNTS[name]


def test_the_same_seed_draws_the_same_damage():
    def drawn(seed: int) -> tuple[bytes, bytes]:
        rng = np.random.default_rng(seed)
        return hostile_table(rng), changed_json(b'{"a": [1, {"b": "x"}], "c": null}', rng)

    assert drawn(3) == drawn(3) != drawn(4)


@pytest.mark.parametrize("seed", range(50))
def test_changed_json_is_json_and_another_value(seed):
    whole = {"a": [1, 2.5, {"b": "x"}], "c": None, "d": {"e": [True]}}

    changed = changed_json(json.dumps(whole).encode(), np.random.default_rng(seed))

    assert isinstance(json.loads(changed.decode("utf-8", "surrogatepass")), dict)
