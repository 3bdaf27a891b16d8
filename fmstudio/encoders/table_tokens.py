"""Embedded encoder for tables: one token per cell that is filled, from its name and its value.

A number becomes its place among the training patients' numbers (piecewise linear between
quantiles: Gorishniy et al. 2022, "On Embeddings for Numerical Features"); a category becomes the
vector of its name. An empty cell gives no token: nothing is imputed. The table as one row of fixed
columns goes along, for the trees of the task head.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fmstudio.columns import Columns
from fmstudio.encoders.blocks import STACK_TARGETS, EncoderNetwork, sinusoid
from fmstudio.encoders.names import NameEmbedding, name_ids
from fmstudio.errors import InputError
from fmstudio.types import COLUMNS, ModalityInput, Prepared, to_json

PIECES = 8  # pieces between quantiles
MAX_CELLS = 256


def _place(value: float, quantiles: list[float]) -> np.ndarray:
    """Piecewise linear code (PIECES + 1): how far each piece is filled, and the scaled value."""
    edges = np.asarray(quantiles)
    widths = np.maximum(np.diff(edges), 1e-9)
    filled = np.clip((value - edges[:-1]) / widths, 0, 1)
    middle, spread = edges[PIECES // 2], max((edges[-2] - edges[1]) / 2, 1e-9)
    return np.append(2 * filled - 1, np.clip((value - middle) / spread, -4, 4))


@dataclass(frozen=True)
class Cells:
    """Prepares table rows with what `fit` learned of each feature.

    `features`: {name: {"quantiles": […]} for numbers, {"categories": […]} for categories}, with the
    "unit" of the numbers ("date" for days since 1970) where training inputs named one.
    """

    features: Mapping[str, Mapping[str, Any]]
    columns: Columns = field(default_factory=Columns)

    @cached_property
    def key(self) -> str:
        """Changes with the features."""
        return to_json(["cells", 2, PIECES, MAX_CELLS, dict(self.features), self.columns.as_json()])

    def prepare(self, given: ModalityInput) -> Prepared:
        """N filled cells: value (PIECES + 1), numeric (1), category, name, seconds, group; and the
        row of columns.

        Raises InputError for a word where training had numbers.
        """
        facts, values = given.facts, np.asarray(given.values)
        filled = np.flatnonzero(given.mask)
        known = [int(i) for i in filled if facts["names"][i] in self.features][-MAX_CELLS:]
        strange = sorted({facts["names"][i] for i in filled} - set(self.features))
        remarks = [f"Not in the training data, left out: {', '.join(strange)}."] if strange else []
        if not known:
            raise InputError(
                f"None of the columns {', '.join(strange)} was in the training data.",
                hint=f"Give any of: {', '.join(self.features)}.",
            )
        codes, numeric, words = [], [], []
        for index in known:
            name, category = facts["names"][index], facts["categories"][index]
            code, word = self._cell(name, float(values[index]), category, remarks)
            codes.append(code)
            numeric.append([float(not word)])
            words.append(word)
        seconds = [facts.get("seconds", [None] * len(values))[i] or 0.0 for i in known]
        return Prepared(
            {
                "value": np.array(codes, np.float32),
                "numeric": np.array(numeric, np.float32),
                "category": name_ids(words) * (np.array(numeric, np.int32) == 0),
                "name": name_ids([facts["names"][i] for i in known]),
                "seconds": np.log1p(np.abs(np.array(seconds, np.float32))),
                "group": np.arange(len(known), dtype=np.int32),
                **self.columns.beside(given),
            },
            tuple(remarks),
        )

    def _cell(
        self, name: str, value: float, category: str | None, remarks: list[str]
    ) -> tuple[np.ndarray, str]:
        """The code of a number, or zeros and the word of a category."""
        feature = self.features[name]
        if "quantiles" in feature:
            if category is not None:
                raise InputError(
                    f"Column '{name}' holds '{category}', and training had numbers there.",
                    hint="Give a number, or leave it out if the value is not known.",
                )
            return _place(value, feature["quantiles"]), ""
        word = category if category is not None else f"{value:g}"
        if word not in feature["categories"]:
            remarks.append(f"'{word}' in column '{name}' was not seen in training.")
        return np.zeros(PIECES + 1), word


class CellNetwork(EncoderNetwork):
    """Cells (B, N, …) to tokens, one each."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config["width"], config["heads"], config["depth"])
        self.width = width = config["width"]
        self.number = nn.Linear(PIECES + 2, width)
        self.category = NameEmbedding(width)
        self.name = NameEmbedding(width)
        self.named = nn.Linear(width, width)
        self.time = nn.Linear(32, width)

    def embed(self, arrays: dict[str, Tensor]) -> Tensor:
        """(B, N, …) to (B, N, D)."""
        numeric = arrays["numeric"]
        number = self.number(torch.cat([arrays["value"], numeric], -1))
        value = torch.where(numeric > 0, number, self.category(arrays["category"]))
        name = self.name(arrays["name"])
        time = self.time(sinusoid(arrays["seconds"], 32, longest=30.0))
        return value + self.named(value * name) + name + time


class CellEncoder:
    """The embedded family for tables."""

    name = "cells"
    kind = "table"
    fits = True
    embedded = True

    def default(self) -> dict[str, Any]:
        """Config of the embedded base."""
        return {"width": 256, "heads": 4, "depth": 2}

    def fit(self, inputs: Iterable[ModalityInput]) -> dict[str, Any]:
        """Quantiles of every numeric feature, the words of every other, and the columns that a row
        has, over training inputs.

        A feature is numeric if no training cell holds a word.
        """
        inputs = list(inputs)
        numbers: dict[str, list[float]] = {}
        words: dict[str, set[str]] = {}
        units: dict[str, Counter[str]] = {}
        for given in inputs:
            facts = given.facts
            said = facts.get("units") or [""] * len(facts["names"])
            rows = zip(facts["names"], facts["categories"], said, strict=True)
            for index, (name, category, unit) in enumerate(rows):
                if not given.mask[index]:
                    continue
                units.setdefault(name, Counter())[unit] += 1
                if category is None:
                    numbers.setdefault(name, []).append(float(np.asarray(given.values)[index]))
                else:
                    words.setdefault(name, set()).add(category)
        features: dict[str, Any] = {}
        for name in sorted(numbers.keys() | words.keys()):
            if name in words:
                seen = words[name] | {f"{number:g}" for number in numbers.get(name, [])}
                features[name] = {"categories": sorted(seen)}
            else:
                cuts = np.quantile(numbers[name], np.linspace(0, 1, PIECES + 1))
                features[name] = {"quantiles": [float(cut) for cut in cuts]}
                unit = units[name].most_common(1)[0][0]
                features[name] |= {"unit": unit} if unit else {}
        return {"features": features, COLUMNS: Columns.of(inputs).as_json()}

    def preparer(self, config: Mapping[str, Any], folder: Path, state: Mapping[str, Any]) -> Cells:
        """With the features that `fit` found."""
        return Cells(state.get("features", {}), Columns.from_json(state.get(COLUMNS, ())))

    def network(self, config: Mapping[str, Any]) -> CellNetwork:
        """The network of one checkpoint."""
        return CellNetwork(config)

    def targets(self, config: Mapping[str, Any]) -> str:
        """The attention's queries and values."""
        return STACK_TARGETS


ENCODER = CellEncoder()
