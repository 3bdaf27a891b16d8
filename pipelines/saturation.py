"""Channels that stay at their highest or lowest value, as an amplifier does that is overdriven."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.recordings import Channel

FEWEST_VALUES = 50  # distinct values of a signal; counts and percentages reach their ends by nature
RUN = 3  # samples in a row that a peak does not stay at its height
JUMP = 3  # values that are passed over on the way to the end
SHARE = 0.01  # of the samples
MOST = 1_000_000  # samples that are looked at
STRETCHES = 10
TIMES_USUAL = 3  # as long as at any value between its ends


def saturated(channels: Sequence[Channel]) -> dict[str, str]:
    """By name of the channel, a sentence on the end at which it is cut off.

    Zero is no such end: where nothing is measured, many devices write it. Nor is one at which a
    slow signal stays no longer than elsewhere.
    """
    found = {}
    for channel in channels:
        distinct, place = np.unique(_stretches(channel.values), return_inverse=True)
        if len(distinct) < FEWEST_VALUES:
            continue
        held = _held(place, len(distinct)) / len(place)
        usual = float(held[1:-1].max())
        for end, word in ((-1, "highest"), (0, "lowest")):
            if held[end] > max(SHARE, TIMES_USUAL * usual) and distinct[end] != 0:
                unit = f" {channel.unit}" if channel.unit else ""
                found[channel.name] = (
                    f"'{channel.name}' stays at its {word} value, {distinct[end]:.5g}{unit}, in "
                    f"{held[end]:.0%} of its samples: it may be cut off there (saturated)."
                )
    return found


def _stretches(values: np.ndarray) -> np.ndarray:
    """All values, or of very many some long stretches from beginning to end."""
    if len(values) <= MOST:
        return values
    length = MOST // STRETCHES
    starts = np.linspace(0, len(values) - length, STRETCHES).astype(int)
    return np.concatenate([values[start : start + length] for start in starts])


def _held(place: np.ndarray, count: int) -> np.ndarray:
    """Of each of `count` values, how many samples lie in runs of at least RUN that begin or end
    with a jump; `place` is the rank of each sample's value.

    A rounded peak stays at its height too, but comes to it by neighbouring values.
    """
    turns = np.flatnonzero(np.diff(place, prepend=-1, append=-1))
    lengths, level = np.diff(turns), place[turns[:-1]]
    steps = np.abs(np.diff(level))
    jumps = np.maximum(np.r_[0, steps], np.r_[steps, 0]) >= JUMP
    counted = (lengths >= RUN) & jumps
    return np.bincount(level[counted], lengths[counted], count)
