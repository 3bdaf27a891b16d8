"""Whether what a case gives is a combination of modalities that held-out patients speak for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fmstudio.contracts import in_words
from fmstudio.evaluation.fusion import ADAPTER
from fmstudio.present.values import interval
from fmstudio.results.metrics import beats_guessing, name_of

FEWEST_HELD_OUT = 10  # held-out cases; an interval from fewer says nothing


def doubt(card: Mapping[str, Any], used: Sequence[str], metric: str) -> str:
    """Why no held-out patients speak for an answer from `used` alone; "" if they do.

    `metric` is the headline of the card's task. What counts is what the adapter itself did when it
    was shown these modalities and no others, not a model made for one of them.
    """
    told = given(used)
    entry = next(
        (one for one in card.get("subsets") or () if set(one["modalities"]) == set(used)), None
    )
    figure = None if entry is None else own_figure(entry, metric)
    if entry is None or figure is None:
        return f"The adapter was never tested on {told}."
    if entry["n"] < FEWEST_HELD_OUT or figure.get("value") is None:
        few = f"its {entry['n']} held-out cases with these inputs are too few"
        return f"The adapter was never tested on {told}: {few}."
    if beats_guessing(metric, figure):
        return ""
    return (
        f"From {told} the adapter was not shown to do better than guessing: "
        f"{name_of(metric)} {interval(figure, 2)} on {entry['n']} held-out cases."
    )


def own_figure(entry: Mapping[str, Any], metric: str) -> Mapping[str, Any] | None:
    """What the adapter itself reached in an entry of `subsets`; None where only a model made for
    these modalities was asked."""
    found = entry.get(metric) if entry.get("model", ADAPTER) == ADAPTER else entry.get("adapter")
    return found if isinstance(found, Mapping) else None


def given(modalities: Sequence[str]) -> str:
    """'doctor's notes alone', 'radiology images and EHR table alone'."""
    return f"{in_words(modalities)} alone"
