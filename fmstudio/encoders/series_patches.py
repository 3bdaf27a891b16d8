"""Embedded encoder for series: channels of readings in time -> spans -> one token each.

Every channel is cut into spans of real time; a span is its shape (16 bins), a few statistics,
when it was, and the channel's name. Channels are scaled by median and spread of the training
patients, so that the network sees numbers of one size whatever the unit. Beside the spans, for
boosted trees, stand the last, mean, lowest and highest reading of each channel.
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

BINS = 16
STATISTICS = 10
MAX_TOKENS = 48
MAX_SPANS = 32  # spans of all channels together, where there are fewer channels
MOST_CHANNELS = 64  # that get columns: those that most training inputs have
LIMIT = 8.0  # scaled readings beyond this are clipped: an artefact says no more than "far off"


def _scaled(readings: np.ndarray, state: Mapping[str, Any]) -> np.ndarray:
    return np.clip((readings - state["centre"]) / state["spread"], -LIMIT, LIMIT)


def _statistics(at: np.ndarray, values: np.ndarray, duration: float) -> np.ndarray:
    """STATISTICS numbers of one span; `at` in [0, 1) of the span, values scaled."""
    steps = np.diff(values)
    slope = np.polyfit(at, values, 1)[0] if len(values) > 2 and np.ptp(at) > 0 else 0.0
    return np.array(
        [
            np.log1p(len(values)) / 4,
            values.mean(),
            values.std(),
            values.min(),
            values.max(),
            values[0],
            values[-1],
            np.clip(slope, -LIMIT, LIMIT),
            np.abs(steps).mean() if len(steps) else 0.0,
            np.log1p(duration) / 8,
        ],
        np.float32,
    )


@dataclass(frozen=True)
class Spans:
    """Prepares series with the channel scales of the training patients.

    `channels`: {name: {centre, spread, low, high, unit}}, of which the scale is the first two; 98 %
    of the training readings lie from low to high; unit is there if training inputs named it. Empty:
    every channel is its own reference, which is what pretraining on many sources uses.
    """

    channels: Mapping[str, Mapping[str, Any]]
    columns: Columns = field(default_factory=Columns)

    @cached_property
    def key(self) -> str:
        """Changes with the scales and the columns."""
        return to_json(["spans", 2, BINS, MAX_SPANS, dict(self.channels), self.columns.as_json()])

    def prepare(self, given: ModalityInput) -> Prepared:
        """Arrays of N spans: shape, filled (BINS each), statistics, time (start, length), name;
        and the row of columns."""
        values, mask = np.asarray(given.values), np.asarray(given.mask)
        seconds = np.asarray(given.facts["seconds"], np.float64)
        known, remarks = self._known(given, mask)
        if not known:
            raise InputError(
                f"None of the channels {', '.join(given.facts['channels'])} was in the training "
                "data.",
                hint=f"Give a recording with any of: {', '.join(self.channels)}.",
            )
        duration = max(float(seconds[-1] - seconds[0]), 1e-3) if len(seconds) else 1e-3
        count = int(np.clip(MAX_SPANS // max(len(known), 1), 1, BINS))
        place = np.clip((seconds - seconds[0]) / duration * count, 0, count - 1e-6)
        rows: list[tuple[np.ndarray, ...]] = []
        names: list[str] = []
        for index, name in known:
            there = mask[:, index]
            scaled = _scaled(values[there, index].astype(np.float64), self._state(name, given))
            for span in range(count):
                inside = place[there].astype(int) == span
                if inside.any():
                    at = place[there][inside] - span
                    rows.append(self._span(at, scaled[inside], span, count, duration))
                    names.append(name)
        parts = [np.stack(part).astype(np.float32) for part in zip(*rows, strict=True)]
        arrays = dict(zip(("shape", "filled", "statistics", "time"), parts, strict=True))
        arrays |= {"name": name_ids(names), "group": np.arange(len(rows), dtype=np.int32)}
        return Prepared(arrays | self.columns.beside(given), remarks)

    def _span(
        self, at: np.ndarray, scaled: np.ndarray, span: int, count: int, duration: float
    ) -> tuple[np.ndarray, ...]:
        bins = (at * BINS).astype(int)
        sizes = np.bincount(bins, minlength=BINS)
        shape = np.bincount(bins, scaled, minlength=BINS) / np.maximum(sizes, 1)
        length = duration / count
        return (
            shape,
            (sizes > 0),
            _statistics(at, scaled, length),
            np.array([np.log1p(span * length), np.log1p(length)]),
        )

    def _known(
        self, given: ModalityInput, mask: np.ndarray
    ) -> tuple[list[tuple[int, str]], tuple[str, ...]]:
        """The channels that have readings and were seen in training, the fullest first."""
        there = [(i, n) for i, n in enumerate(given.facts["channels"]) if mask[:, i].any()]
        known = [(i, n) for i, n in there if not self.channels or n in self.channels]
        strange = [n for i, n in there if (i, n) not in known]
        remarks = []
        if strange:
            remarks.append(f"Not in the training data, left out: {', '.join(strange)}.")
        if len(known) > MAX_TOKENS:
            fullest = sorted(known, key=lambda c: -int(mask[:, c[0]].sum()))
            known = sorted(fullest[:MAX_TOKENS])
            remarks.append(f"Only the {MAX_TOKENS} channels with most readings were used.")
        return known, tuple(remarks)

    def _state(self, name: str, given: ModalityInput) -> Mapping[str, Any]:
        if self.channels:
            return self.channels[name]
        index = given.facts["channels"].index(name)
        return _scale(np.asarray(given.values)[np.asarray(given.mask)[:, index], index])


def _scale(readings: np.ndarray) -> dict[str, float]:
    """Median and robust spread (half the 16th to 84th percentile) of readings."""
    low, centre, high = np.percentile(readings.astype(np.float64), [16, 50, 84])
    spread = (high - low) / 2 or float(readings.std()) or max(abs(centre), 1.0)
    return {"centre": float(centre), "spread": float(spread)}


def _seen(readings: np.ndarray, unit: str) -> dict[str, Any]:
    """Between which values 98 % of readings lie, and their unit if it is known."""
    low, high = np.percentile(readings.astype(np.float64), [1, 99])
    return {"low": float(low), "high": float(high)} | ({"unit": unit} if unit else {})


class SpanNetwork(EncoderNetwork):
    """Spans (B, N, …) to tokens, one each."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config["width"], config["heads"], config["depth"])
        self.width = width = config["width"]
        self.reading = nn.Linear(2 * BINS + STATISTICS, width)
        self.time = nn.Linear(2 * 32, width)
        self.name = NameEmbedding(width)
        self.named = nn.Linear(width, width)

    def embed(self, arrays: dict[str, Tensor]) -> Tensor:
        """(B, N, …) to (B, N, D)."""
        parts = [arrays["shape"], arrays["filled"], arrays["statistics"]]
        reading = self.reading(torch.cat(parts, -1))
        name = self.name(arrays["name"])
        time = self.time(sinusoid(arrays["time"], 32, longest=30.0).flatten(-2))
        # The product keeps "high pressure" and "high pulse" apart when tokens are averaged.
        return reading + self.named(reading * name) + name + time


class SpanEncoder:
    """The embedded family for series."""

    name = "spans"
    kind = "series"
    fits = True
    embedded = True

    def default(self) -> dict[str, Any]:
        """Config of the embedded base."""
        return {"width": 256, "heads": 4, "depth": 3}

    def fit(self, inputs: Iterable[ModalityInput]) -> dict[str, Any]:
        """Centre and spread of every channel, from at most 512 readings of each training input, and
        the columns that a row has."""
        readings: dict[str, list[np.ndarray]] = {}
        units: dict[str, Counter[str]] = {}
        for given in inputs:
            values, mask = np.asarray(given.values), np.asarray(given.mask)
            said = given.facts.get("units") or [""] * len(given.facts["channels"])
            for index, name in enumerate(given.facts["channels"]):
                there = values[mask[:, index], index]
                if len(there):
                    picked = np.linspace(0, len(there) - 1, min(len(there), 512)).astype(int)
                    readings.setdefault(name, []).append(there[picked])
                    units.setdefault(name, Counter())[said[index]] += 1
        common = sorted(readings, key=lambda name: (-len(readings[name]), name))[:MOST_CHANNELS]
        return {
            "channels": {
                name: _scale(found) | _seen(found, units[name].most_common(1)[0][0])
                for name, own in sorted(readings.items())
                for found in [np.concatenate(own)]
            },
            COLUMNS: Columns.of_channels(common).as_json(),
        }

    def preparer(self, config: Mapping[str, Any], folder: Path, state: Mapping[str, Any]) -> Spans:
        """With the scales and columns that `fit` found."""
        return Spans(state.get("channels", {}), Columns.from_json(state.get(COLUMNS, ())))

    def network(self, config: Mapping[str, Any]) -> SpanNetwork:
        """The network of one checkpoint."""
        return SpanNetwork(config)

    def targets(self, config: Mapping[str, Any]) -> str:
        """The attention's queries and values."""
        return STACK_TARGETS


ENCODER = SpanEncoder()
