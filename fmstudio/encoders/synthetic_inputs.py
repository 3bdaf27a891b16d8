"""Made-up inputs, nobody's: for stored probes and for trying out a checkpoint. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fmstudio.types import ModalityInput

MOST_TABLES = 64
WORDS = ("seen", "for", "cough", "and", "chest", "pain", "two", "days", "without", "fever")


def synthetic_input(
    kind: str, state: Mapping[str, Any], draw: np.random.Generator
) -> ModalityInput:
    """A synthetic input of a kind, with features or channels that the state knows."""
    if kind == "frames":
        values = draw.random((2, 1, 112, 112), np.float32)
        facts: dict[str, Any] = {"names": ["a", "b"], "seconds_per_frame": 0.1, "spacing_mm": None}
        return ModalityInput(kind, values, np.ones(2, bool), facts)
    if kind == "waveform":
        values = (draw.standard_normal(8000) / 8).clip(-1, 1).astype(np.float32)
        return ModalityInput(kind, values, np.ones(8000, bool), {"rate": 4000.0})
    if kind == "series":
        return _synthetic_series(state["channels"], draw)
    if kind == "table":
        return _synthetic_table(state["features"], draw)
    text = " ".join(draw.choice(WORDS, 20))
    return ModalityInput(kind, text, np.ones(1, bool), {"language": None})


def _synthetic_series(
    channels: Mapping[str, Mapping[str, float]], draw: np.random.Generator
) -> ModalityInput:
    scale = np.array([[c["centre"], c["spread"]] for c in channels.values()]).T
    values = (scale[0] + scale[1] * draw.standard_normal((60, len(channels)))).astype(np.float32)
    facts = {
        "channels": list(channels),
        "units": [""] * len(channels),
        "seconds": [60.0 * step for step in range(60)],
    }
    return ModalityInput("series", values, np.ones(values.shape, bool), facts)


def synthetic_tables(
    features: Mapping[str, Mapping[str, Any]], draw: np.random.Generator
) -> list[ModalityInput]:
    """Made-up tables that show every number at both ends and between, and every category's words
    (of the longest lists, the first MOST_TABLES)."""
    words = max((len(known.get("categories") or ()) for known in features.values()), default=0)
    return [_synthetic_table(features, draw, row) for row in range(min(max(3, words), MOST_TABLES))]


def _synthetic_table(
    features: Mapping[str, Mapping[str, Any]], draw: np.random.Generator, row: int = 2
) -> ModalityInput:
    """The table number `row`: low ends, high ends, then anything between."""
    values = np.zeros(len(features), np.float32)
    categories: list[str | None] = []
    for place, known in enumerate(features.values()):
        if known.get("quantiles"):
            low, high = known["quantiles"][0], known["quantiles"][-1]
            values[place] = (low, high)[row] if row < 2 else draw.uniform(low, high)
            categories.append(None)
        else:
            categories.append(str(known["categories"][row % len(known["categories"])]))
    facts = {
        "names": list(features),
        "units": [""] * len(features),
        "categories": categories,
        "seconds": [None] * len(features),
    }
    return ModalityInput("table", values, np.ones(len(features), bool), facts)


def typical(kind: str) -> ModalityInput:
    """One synthetic input about as large as real ones: a film, half a minute of sound, an hour of
    readings, two hundred words."""
    draw = np.random.default_rng(0)
    if kind == "frames":
        values = draw.random((1, 1, 224, 224), np.float32)
        facts = {"names": ["a"], "seconds_per_frame": None, "spacing_mm": None}
        return ModalityInput(kind, values, np.ones(1, bool), facts)
    if kind == "waveform":
        values = (draw.standard_normal(120_000) / 8).clip(-1, 1).astype(np.float32)
        return ModalityInput(kind, values, np.ones(120_000, bool), {"rate": 4000.0})
    if kind == "text":
        text = " ".join(draw.choice(WORDS, 200))
        return ModalityInput(kind, text, np.ones(1, bool), {"language": None})
    names = {"a": {"centre": 0.0, "spread": 1.0}, "b": {"centre": 5.0, "spread": 2.0}}
    return synthetic_input(
        kind, {"channels": names, "features": {"a": {"quantiles": [0.0, 1.0]}}}, draw
    )
