"""Channels sampled each at its own times -> one grid (L, channels) that all of them share.

Exact where the moments are few; averaged into equal bins of time where they are many, so that
memory is bounded whatever the length of the recording.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from pipelines.prefixes import factor

MAX_STEPS = 20_000
BLOCK_SAMPLES = 4_000_000  # decoded at a time while a long recording is averaged


@dataclass(frozen=True)
class Channel:
    """One signal: `seconds` (n,) float64 and `values` (n,) float32, finite, in `unit`."""

    name: str
    unit: str
    seconds: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Recording:
    """The channels of one file.

    `absolute`: `start` plus a channel's seconds is the time since 1970, else since some beginning.
    They are kept apart because seconds since 1970 are exact to 0.2 µs only.
    """

    source: str
    channels: tuple[Channel, ...]
    absolute: bool = False
    remarks: tuple[str, ...] = ()
    start: float = 0.0


def block_means(
    read: Callable[[int, int], np.ndarray], length: int, channels: int, factor: int
) -> np.ndarray:
    """Means over blocks of `factor` samples of `read(start, stop) -> (n, channels)`.

    Returns (ceil(length / factor), channels) float64, NaN where a block holds no sample.
    The signal is read in pieces, so that only the means are in memory at once.
    """
    means = np.full((-(-length // factor), channels), np.nan)
    piece = max(1, BLOCK_SAMPLES // (channels * factor)) * factor
    for start in range(0, length, piece):
        samples = read(start, min(start + piece, length))
        starts = np.arange(0, len(samples), factor)
        known = np.isfinite(samples)
        sums = np.add.reduceat(np.where(known, samples, 0.0), starts, axis=0, dtype=np.float64)
        counts = np.add.reduceat(known, starts, axis=0, dtype=np.int64)
        with np.errstate(invalid="ignore", divide="ignore"):
            means[start // factor : start // factor + len(starts)] = sums / counts
    return means


def from_samples(
    names: Sequence[str], units: Sequence[str], seconds: np.ndarray, values: np.ndarray
) -> list[Channel]:
    """Channels from a matrix (n, channels) with NaN where there is no sample."""
    channels = []
    for i, (name, unit) in enumerate(zip(names, units, strict=True)):
        known = np.isfinite(values[:, i])
        # Channels without gaps share one array of times, which `merge` takes advantage of.
        at = seconds if known.all() else seconds[known]
        channels.append(Channel(name, unit, at, values[known, i].astype(np.float32)))
    return channels


def align(recordings: Sequence[Recording]) -> tuple[list[Channel], list[str]]:
    """The channels of all recordings on one clock that starts at 0, and remarks.

    Recordings with dates keep their distance; where only some have dates each starts at 0.
    Channels of one name are told apart by their source, unless they continue each other.
    """
    remarks: list[str] = []
    filled = [r for r in recordings if any(len(c.seconds) for c in r.channels)]
    firsts = [min(float(c.seconds.min()) for c in r.channels if len(c.seconds)) for r in filled]
    one_clock = len({r.absolute for r in filled}) <= 1
    if not one_clock:
        remarks.append("Some files have dates and some do not: each was started at 0.")
    zero = min((r.start + first for r, first in zip(filled, firsts, strict=True)), default=0.0)
    channels: list[Channel] = []
    for recording, first in zip(filled, firsts, strict=True):
        shift = zero - recording.start if one_clock else first
        shifted: dict[int, np.ndarray] = {}
        for channel in recording.channels:
            at = shifted.setdefault(id(channel.seconds), channel.seconds - shift)
            channels.append(replace(channel, seconds=at))
    sources = [r.source for r in filled for _ in r.channels]
    return _named_apart(_in_one_unit(channels, remarks), sources, one_clock), remarks


def _in_one_unit(channels: list[Channel], remarks: list[str]) -> list[Channel]:
    """Channels of one name whose units differ by a prefix, in the unit of the first of them."""
    units: dict[str, str] = {}
    found = []
    for channel in channels:
        unit = units.setdefault(channel.name, channel.unit)
        times = None if unit == channel.unit else factor(channel.unit, unit)
        if times is not None:
            remarks.append(f"'{channel.name}' was put from {channel.unit} into {unit}.")
            values = (channel.values * times).astype(np.float32)
            channel = replace(channel, unit=unit, values=values)
        found.append(channel)
    return found


def _named_apart(channels: list[Channel], sources: list[str], one_clock: bool) -> list[Channel]:
    result: list[Channel] = []
    by_name: dict[str, list[int]] = {}
    for i, channel in enumerate(channels):
        by_name.setdefault(channel.name, []).append(i)
    for name, places in by_name.items():
        same = [channels[i] for i in places]
        if len(same) == 1:
            result.append(same[0])
        elif one_clock and len({sources[i] for i in places}) == 1 and _follow(same):
            at = np.concatenate([c.seconds for c in same])
            values = np.concatenate([c.values for c in same])
            result.append(Channel(name, same[0].unit, at, values))
        else:
            taken: dict[str, int] = {}
            for i in places:
                taken[sources[i]] = taken.get(sources[i], 0) + 1
                count = f" ({taken[sources[i]]})" if taken[sources[i]] > 1 else ""
                result.append(replace(channels[i], name=f"{sources[i]} {name}{count}"))
    return result


def _follow(channels: Sequence[Channel]) -> bool:
    """True if the channels are in one unit, as far as they name it, and do not overlap in time."""
    if len({channel.unit for channel in channels} - {""}) > 1:
        return False
    spans = sorted((c.seconds.min(), c.seconds.max()) for c in channels if len(c.seconds))
    return all(a[1] < b[0] for a, b in pairwise(spans))


def merge(channels: Sequence[Channel]) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """One grid: values (L, channels) float32, mask (L, channels), seconds (L,), remarks.

    L is at most MAX_STEPS. Readings of one channel at one moment are averaged.
    """
    remarks: list[str] = []
    filled = [c for c in channels if len(c.seconds)]
    if not filled:
        return (
            np.zeros((0, len(channels)), np.float32),
            np.zeros((0, len(channels)), bool),
            (np.zeros(0)),
            remarks,
        )
    grid = _exact_grid(filled)
    width = 0.0
    if grid is None:
        grid, width = _even_grid(filled)
        remarks.append(f"The recording was averaged into {len(grid)} steps of {width:.4g} s.")
    values = np.zeros((len(grid), len(channels)), np.float32)
    counts = np.zeros((len(grid), len(channels)), np.int64)
    places: dict[int, np.ndarray] = {}
    for i, channel in enumerate(channels):
        if id(channel.seconds) not in places:
            at = channel.seconds
            places[id(channel.seconds)] = (
                _bins(at, width) if width else np.searchsorted(grid, _rounded(at))
            )
        place = places[id(channel.seconds)]
        counts[:, i] = np.bincount(place, minlength=len(grid))
        sums = np.bincount(place, channel.values.astype(np.float64), minlength=len(grid))
        values[:, i] = sums / np.maximum(counts[:, i], 1)
    if not width:
        extra = int(np.maximum(counts - 1, 0).sum())
        if extra:
            remarks.append(f"{extra} readings shared channel and time with another: averaged.")
    mask = counts > 0
    there = mask.any(axis=1)
    return values[there], mask[there], grid[there], remarks


def _rounded(seconds: np.ndarray) -> np.ndarray:
    return np.round(seconds, 6)


def _bins(seconds: np.ndarray, width: float) -> np.ndarray:
    """The bin of each moment.

    A thousandth of a bin of tolerance: seconds since 1970 are exact to 0.2 µs only, which must
    not move a sample on an edge into the bin before.
    """
    return np.floor(seconds / width + 1e-3).astype(np.int64)


def _even_grid(channels: Sequence[Channel]) -> tuple[np.ndarray, float]:
    """At most MAX_STEPS equal bins, each a whole number of the densest channel's steps long.

    Whole numbers, so that every bin of a regular signal averages equally many samples.
    """
    end = max(float(c.seconds.max()) for c in channels)
    densest = np.sort(max(channels, key=lambda c: len(c.seconds)).seconds)
    steps = np.diff(densest)
    step = float(np.median(steps[steps > 0])) if (steps > 0).any() else end / MAX_STEPS
    span = float(densest[-1] - densest[0])
    # The span counts exactly where each single step is blurred by rounding.
    step = span / max(1, round(span / step)) if span else step
    width = step * max(1, -(-(_bins(np.array([end]), step)[0] + 1) // MAX_STEPS))
    return np.arange(_bins(np.array([end]), width)[0] + 1) * width, width


def _exact_grid(channels: Sequence[Channel]) -> np.ndarray | None:
    """All moments at which a channel has a value; None if they are more than MAX_STEPS."""
    distinct = {id(c.seconds): c.seconds for c in channels}.values()
    moments = np.zeros(0)
    for seconds in distinct:
        moments = np.union1d(moments, _rounded(seconds))
        if len(moments) > MAX_STEPS:
            return None
    return moments
