"""A search keeps to its time, survives being killed, and finds what is better."""

from __future__ import annotations

import json
import math
import warnings
from dataclasses import fields, replace

import pytest

from fmstudio.errors import InputError
from fmstudio.results.search import Trial
from fmstudio.run_config import RunConfig
from fmstudio.training import search as searching
from fmstudio.training.search import FILE, apply, propose, search, space_of

SCOPES = ("upper trunk", "trunk")
CONFIG = RunConfig(modalities=("a", "b"), search_minutes=1.0, scope="trunk", seed=3)


class Clock:
    """A clock by which each trial takes ten seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(searching, "time", clock)
    return clock


def bowl(config: RunConfig) -> float:
    """A loss that is least at rank 32, rate 1e-3, no dropout, and the upper trunk."""
    return (
        abs(math.log2(config.rank) - 5)
        + abs(math.log10(config.learning_rate) + 3)
        + config.modality_dropout
        + (config.scope != "upper trunk")
    )


def tries(clock: Clock, seen: list[RunConfig], die_at: int | None = None):
    def try_one(number: int, config: RunConfig) -> float:
        if number == die_at:
            raise KeyboardInterrupt
        assert number == len(seen)
        seen.append(config)
        clock.now += 10.0
        return bowl(config)

    return try_one


def test_a_search_ends_within_its_minutes_and_is_never_worse_than_its_start(clock, tmp_path):
    seen: list[RunConfig] = []

    found = search(CONFIG, SCOPES, tries(clock, seen), tmp_path)

    assert len(seen) == 6
    assert clock.now <= 60 * CONFIG.search_minutes
    assert seen[0] == CONFIG
    assert bowl(found.config) == min(map(bowl, seen)) <= bowl(CONFIG)


def test_a_search_learns_from_its_trials(clock, tmp_path):
    longer = replace(CONFIG, search_minutes=10.0)
    seen: list[RunConfig] = []

    found = search(longer, SCOPES, tries(clock, seen), tmp_path)

    early, late = (sorted(map(bowl, part))[len(part) // 2] for part in (seen[:15], seen[-15:]))
    assert late < early
    assert bowl(found.config) < 0.5 * bowl(longer)
    assert found.config.scope == "upper trunk"


def test_a_killed_search_goes_on_with_the_same_sequence(clock, tmp_path):
    whole: list[RunConfig] = []
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    undisturbed = search(CONFIG, SCOPES, tries(clock, whole), tmp_path / "a")
    parts: list[RunConfig] = []
    with pytest.raises(KeyboardInterrupt):
        search(CONFIG, SCOPES, tries(clock, parts, die_at=3), tmp_path / "b")
    assert len(parts) == 3

    resumed = search(CONFIG, SCOPES, tries(clock, parts), tmp_path / "b")

    assert parts == whole
    assert resumed == undisturbed


def test_what_was_tried_is_plain_numbers_on_disk(clock, tmp_path):
    found = search(CONFIG, SCOPES, tries(clock, []), tmp_path)

    kept = json.loads((tmp_path / FILE).read_text(encoding="utf-8"))
    assert [trial["loss"] for trial in kept["trials"]] == [trial.loss for trial in found.trials]
    assert kept["trials"][0]["settings"]["rank"] == CONFIG.rank
    assert found.result.best == found.best.number
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_search_of_other_settings_is_not_gone_on_with(clock, tmp_path):
    search(CONFIG, SCOPES, tries(clock, []), tmp_path)

    with pytest.raises(InputError, match="other settings"):
        search(replace(CONFIG, epochs=7), SCOPES, tries(clock, []), tmp_path)


def test_a_trial_without_a_number_is_kept_and_never_chosen(clock, tmp_path):
    def try_one(number: int, config: RunConfig) -> float:
        clock.now += 10.0
        return math.nan if number % 2 == 0 else bowl(config)

    found = search(CONFIG, SCOPES, try_one, tmp_path)

    assert [trial.loss is None for trial in found.trials] == [True, False] * 3
    assert found.best.number % 2 == 1


def test_another_seed_tries_other_settings():
    space = space_of(CONFIG, SCOPES)
    first = [Trial(0, propose(CONFIG, space, []), 0.7, 1.0)]

    assert propose(CONFIG, space, first) == propose(CONFIG, space, first)
    assert propose(CONFIG, space, first) != propose(replace(CONFIG, seed=4), space, first)


def test_only_what_acts_is_searched_and_the_page_marks_the_same_settings():
    alone = space_of(replace(CONFIG, modalities=("a",)), ("trunk",))
    marked = {item.name for item in fields(RunConfig) if item.metadata.get("searched")}

    assert set(alone) == {"rank", "learning_rate"}
    assert set(space_of(CONFIG, SCOPES)) == marked


def test_another_rank_keeps_the_scale_of_the_adapter():
    changed = apply(CONFIG, {"rank": 32})

    assert changed.alpha / changed.rank == CONFIG.alpha / CONFIG.rank
    assert apply(replace(CONFIG, rank=1, alpha=512.0), {"rank": 64}).alpha == 512.0


def test_settings_outside_the_searched_space_are_a_start_like_any_other(clock, tmp_path):
    odd = replace(CONFIG, rank=100, learning_rate=0.05, modality_dropout=0.33)

    found = search(odd, SCOPES, tries(clock, []), tmp_path)

    assert found.trials[0].settings["rank"] == 100
    assert len(found.trials) == 6


def test_proposals_print_and_warn_of_nothing(capfd):
    space, trials = space_of(CONFIG, SCOPES), []

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in range(30):
            trials.append(Trial(number, propose(CONFIG, space, trials), 1 / (1 + number), 1.0))

    assert capfd.readouterr() == ("", "")
