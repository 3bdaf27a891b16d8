"""Batches: fixed by seed and step, shared between sources by weight, never all cases at once."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from fmstudio.features.cache import Cache
from fmstudio.pretraining.sources import DrawnSource, StoredSource
from fmstudio.pretraining.stream import Example, Mixture, cut
from fmstudio.types import ModalityInput, Prepared
from tests.pretraining.conftest import Kept


def counted(length: int = 4, value: float = 0.0) -> Prepared:
    return Prepared(
        {
            "value": np.full((length, 3), value, np.float32),
            "group": np.arange(length, dtype=np.int32),
        }
    )


def source(name: str, weight: float, cases: int, value: float) -> Kept:
    return Kept(name, weight, [Example({"ehr": counted(value=value)}) for _ in range(cases)])


def test_sources_share_the_batches_by_their_weights():
    mixture = Mixture([source("a", 3.0, 50, 0.0), source("b", 1.0, 5, 1.0)], seed=1, most_cases=4)
    of_b = [mixture.draw(step).examples[0].place[0] for step in range(400)]

    assert np.mean(of_b) == pytest.approx(0.25, abs=0.06)


def test_the_batch_of_a_step_is_the_same_whenever_it_is_asked_for():
    mixture = Mixture([source("a", 1.0, 50, 0.0)], seed=1, most_cases=8)
    first, later, again = (mixture.draw(step) for step in (0, 1, 0))
    places = [[one.place for one in drawn.examples] for drawn in (first, later, again)]

    assert places[0] == places[2] != places[1]
    assert len(set(places[0])) == 8


def test_a_batch_holds_so_many_items_but_at_least_two_cases():
    mixture = Mixture([source("a", 1.0, 50, 0.0)], seed=1, most_cases=30, most_items=18)
    tight = Mixture([source("a", 1.0, 50, 0.0)], seed=1, most_cases=30, most_items=1)

    assert len(mixture.draw(0).examples) == 4
    assert len(tight.draw(0).examples) == 2


def test_of_a_long_input_a_part_in_whole_windows_is_shown():
    part = cut(counted(100), longest=30, window=8, random=np.random.default_rng(0))

    assert part.length == 24
    assert part.arrays["group"].tolist() == list(range(24))


def drawn(tmp_path, size: int) -> DrawnSource:
    class Preparer:
        key = "plain"

        def prepare(self, given: ModalityInput) -> Prepared:
            return Prepared(
                {
                    "value": np.asarray(given.values).reshape(-1, 8),
                    "group": np.zeros(2000, np.int32),
                }
            )

    def draw(number: int):
        values = np.random.default_rng(number).random(16_000).astype(np.float32)
        return {"ehr": (ModalityInput("text", values, np.ones(1, bool)), {"number": number})}

    return DrawnSource("made", 1.0, Cache(tmp_path), size, "k", draw, {"ehr": Preparer()})


def peak_of(mixture: Mixture) -> float:
    tracemalloc.start()
    for step in range(30):
        mixture.draw(step)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_does_not_grow_with_the_number_of_cases(tmp_path):
    few, many = (
        peak_of(Mixture([drawn(tmp_path, size)], seed=2, most_cases=4, most_items=10**6))
        for size in (8, 100_000)
    )

    assert many < 1.5 * few + 2e6
    assert len(list(tmp_path.rglob("*.safetensors"))) > 100


def test_a_drawn_case_is_the_same_from_the_cache(tmp_path):
    made = drawn(tmp_path, 5)
    first, again = made.example(3), made.example(3)

    assert first.known == again.known == {"ehr": {"number": 3.0}}
    assert np.array_equal(first.inputs["ehr"].arrays["value"], again.inputs["ehr"].arrays["value"])


def test_places_are_spread_over_all_sources():
    mixture = Mixture([source("a", 1.0, 6, 0.0), source("b", 1.0, 2, 1.0)], seed=0)

    assert len(mixture.places(100)) == 8
    assert mixture.places(3) == [(0, 0), (0, 4), (1, 1)]
    assert mixture.at((1, 1)).place == (1, 1)


def test_a_stored_source_reads_its_cases_from_the_cache(tmp_path):
    from fmstudio.pretraining.sources import pack

    cache = Cache(tmp_path)
    cache.write("ab", pack(counted(value=2.0), {"mean": 2.0}))
    example = StoredSource("s", 1.0, cache, [{"ehr": "ab"}], ["c1"]).example(0)

    assert example.known == {"ehr": {"mean": 2.0}}
    assert example.inputs["ehr"].arrays["value"].mean() == 2.0
