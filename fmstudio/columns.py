"""A table or a series as one row of fixed columns, which is how gradient boosting and other peers
read them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fmstudio.types import COLUMNS, ModalityInput

MOST_WORDS = 64  # of a category that get a column of their own

OVER_TIME = ("mean", "lowest", "highest")  # read, beside the last value, of what is given often

Feature = tuple[str, bool]  # its name, and whether it holds words
Readings = Mapping[Feature, Sequence[float | str] | np.ndarray]


@dataclass(frozen=True)
class Columns:
    """The columns of a row: (name of the feature, what is read of it, the word that is asked for).

    A number has the column "last"; one that any training case gives several times, over time,
    also "mean", "lowest" and "highest". So has each channel of a series. A category has a column
    "is" for each of its words.
    """

    columns: tuple[tuple[str, str, str], ...] = ()

    @classmethod
    def of(cls, cases: Iterable[ModalityInput | None]) -> Columns:
        """The columns that training cases call for. The order depends on no word's spelling."""
        words: dict[Feature, Counter[str]] = {}
        repeated: set[Feature] = set()
        for case in cases:
            for feature, values in _readings(case).items():
                counted = words.setdefault(feature, Counter())
                counted.update(str(value) for value in values if feature[1])
                if len(values) > 1:
                    repeated.add(feature)
        columns: list[tuple[str, str, str]] = []
        for name, holds_words in sorted(words):
            feature = (name, holds_words)
            if holds_words:
                columns += [(name, "is", w) for w, _ in words[feature].most_common(MOST_WORDS)]
            else:
                more = OVER_TIME if feature in repeated else ()
                columns += [(name, what, "") for what in ("last", *more)]
        return cls(tuple(columns))

    @classmethod
    def of_channels(cls, names: Iterable[str]) -> Columns:
        """The columns of a series with these channels."""
        return cls(tuple((n, what, "") for n in sorted(names) for what in ("last", *OVER_TIME)))

    @classmethod
    def from_json(cls, stored: Iterable[Sequence[str]]) -> Columns:
        """What `as_json` gave."""
        return cls(tuple((name, what, word) for name, what, word in stored))

    def as_json(self) -> list[list[str]]:
        """As JSON."""
        return [list(one) for one in self.columns]

    def __len__(self) -> int:
        return len(self.columns)

    @cached_property
    def _words(self) -> dict[str, set[str]]:
        """The words that a category's columns ask for."""
        found: dict[str, set[str]] = {}
        for name, what, word in self.columns:
            if what == "is":
                found.setdefault(name, set()).add(word)
        return found

    def row(self, case: ModalityInput | None) -> np.ndarray:
        """(C,) float32; NaN where the case says nothing, or a word that training never had."""
        readings = _readings(case)
        found = np.full(len(self.columns), np.nan, np.float32)
        for place, (name, what, word) in enumerate(self.columns):
            values = readings.get((name, what == "is"))
            if values is None:
                continue
            if what == "is":
                said = str(values[-1])
                found[place] = float(said == word) if said in self._words[name] else np.nan
            else:
                found[place] = _read(what, np.array(values, float))
        return found

    def beside(self, case: ModalityInput) -> dict[str, np.ndarray]:
        """The row as an array of a Prepared, {COLUMNS: (1, C)}; {} without columns."""
        return {COLUMNS: self.row(case)[None]} if len(self) else {}

    def rows(self, cases: Sequence[ModalityInput | None]) -> np.ndarray:
        """(n, C) float32."""
        return np.array([self.row(case) for case in cases], np.float32).reshape(
            len(cases), len(self)
        )


def _read(what: str, values: np.ndarray) -> float:
    if what == "last":
        return float(values[-1])
    if what == "mean":
        return float(np.mean(values))
    return float(np.min(values) if what == "lowest" else np.max(values))


def _readings(case: ModalityInput | None) -> Readings:
    """What is known of one case: the values of each feature in order of time."""
    if case is None:
        return {}
    return _of_series(case) if case.kind == "series" else _of_table(case)


def _of_series(case: ModalityInput) -> Readings:
    values, mask = np.asarray(case.values), np.asarray(case.mask)
    return {
        (name, False): values[mask[:, index], index]
        for index, name in enumerate(case.facts["channels"])
        if mask[:, index].any()
    }


def _of_table(case: ModalityInput) -> Readings:
    found: dict[Feature, list[float | str]] = {}
    count = len(case.mask)
    categories = case.facts.get("categories") or [None] * count
    seconds = case.facts.get("seconds") or [None] * count
    for i in sorted(range(count), key=lambda i: (seconds[i] is not None, seconds[i] or 0.0, i)):
        if not case.mask[i]:
            continue
        name, word = case.facts["names"][i], categories[i]
        value = float(case.values[i]) if word is None else str(word)
        found.setdefault((name, word is not None), []).append(value)
    return found
