"""What a run tried before it settled: the trials of its search, and its seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from fmstudio.results.json_form import from_json


@dataclass(frozen=True)
class Trial:
    """One try: its settings, its validation loss (None where that is no number), its seconds."""

    number: int
    settings: Mapping[str, Any]
    loss: float | None
    seconds: float


@dataclass(frozen=True)
class SearchResult:
    """Every trial, and the number of the one whose settings were used."""

    best: int
    trials: tuple[Trial, ...]

    @property
    def used(self) -> Trial:
        """The trial of the smallest validation loss."""
        return self.trials[self.best]

    @property
    def seconds(self) -> float:
        """What all trials took."""
        return sum(trial.seconds for trial in self.trials)


@dataclass(frozen=True)
class SeedsResult:
    """The validation losses of one model trained from several seeds, and that of their average.

    `averaged` says whether the average was kept, else it is the best seed. None is no number.
    """

    losses: tuple[float, ...]
    averaged_loss: float | None
    averaged: bool


@dataclass(frozen=True)
class Tried:
    """The search of a run, and its seeds by model; None for what was not asked for."""

    search: SearchResult | None
    seeds: Mapping[str, SeedsResult] | None


def read_tried(result: Mapping[str, Any]) -> Tried:
    """What the result of a run says of it; a run of an earlier version had neither.

    Raises InputError for what no version has written, with the key.
    """
    return from_json(Tried, {each.name: result.get(each.name) for each in fields(Tried)}, "result")
