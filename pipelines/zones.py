"""Dates and times without a zone -> seconds since 1970, in the zone that a person says.

As summer time ends an hour is there twice; its second run begins where the clock falls back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from pipelines.formats.tables import Column

STEP = 900.0  # offsets of zones change at whole quarters of an hour
HOUR = 3600.0
NIGHT = 4 * HOUR  # summer time ends in the first hours of a day


@dataclass
class Zone:
    """How the dated rows of one file stand to zones, as they are read from its beginning.

    `name` is what a person said, "" for nothing: then rows without a zone count as UTC.
    """

    name: str = ""
    with_zone: int = 0
    without: int = 0
    back: int = 0
    hour_again: bool = False
    _last: float = np.nan
    _second_run: bool = False

    def seconds(self, local: np.ndarray, cells: Column) -> np.ndarray:
        """Seconds since 1970 (n,) of rows that were read as if those without a zone were UTC."""
        if not isinstance(cells, list):
            self.with_zone += len(local)  # counts since 1970 are in UTC
            return local
        plain = np.isfinite(local) & ~np.array([has_zone(cell) for cell in cells], bool)
        self.without += int(plain.sum())
        self.with_zone += int((np.isfinite(local) & ~plain).sum())
        if not plain.any():
            return local
        steps = np.diff(local[plain], prepend=self._last)
        self._look_back(local[plain], steps)
        self._last = float(local[plain][-1])
        if not self.name:
            return local
        settled = local.copy()
        settled[plain] = self._in_zone(local[plain], steps)
        return settled

    @property
    def unclear(self) -> str:
        """What only a zone would tell, "" for nothing."""
        if self.name or not self.without:
            return ""
        if self.with_zone:
            return "some times have a zone and some have none, which were taken as UTC"
        if self.back == 1 and self.hour_again:
            return "the clock falls back by an hour at night, as where summer time ends"
        return ""

    def _look_back(self, local: np.ndarray, steps: np.ndarray) -> None:
        falls = steps < 0
        self.back += int(falls.sum())
        night = local % 86400 < NIGHT
        self.hour_again |= bool((falls & (steps >= -HOUR) & night).any())

    def _in_zone(self, local: np.ndarray, steps: np.ndarray) -> np.ndarray:
        first, second = (_offsets(local, self.name, fold) for fold in (0, 1))
        twice = first > second  # the hour that is there two times
        offsets = first.copy()
        for i in np.flatnonzero(twice):
            before = twice[i - 1] if i else self._second_run or np.isfinite(steps[i])
            self._second_run = bool(before) and (self._second_run or -HOUR <= steps[i] < 0)
            offsets[i] = second[i] if self._second_run else first[i]
        self._second_run &= bool(twice[-1])
        seconds: np.ndarray = local - offsets
        return seconds


def has_zone(cell: str) -> bool:
    """True for a time of day with its distance from UTC: 14:30Z, 14:30+02:00, 14:30-0500."""
    text = str(cell).strip()
    if text.endswith(("Z", "UTC")) or "+" in text:
        return True
    return any(text[-n : 1 - n] == "-" and ":" in text[:-n] for n in (5, 6))


def in_zone(start: float, name: str) -> float:
    """Seconds since 1970 of one moment that was read as if it were UTC."""
    return start - float(_offsets(np.array([start]), name, 0)[0])


def _offsets(local: np.ndarray, name: str, fold: int) -> np.ndarray:
    """Seconds by which the zone is ahead of UTC at local times (n,)."""
    zone = ZoneInfo(name)
    slots, place = np.unique(np.floor(local / STEP), return_inverse=True)
    ahead = [
        datetime.fromtimestamp(slot * STEP, UTC).replace(tzinfo=zone, fold=fold).utcoffset()
        for slot in slots.tolist()
    ]
    return np.array([one.total_seconds() if one else 0.0 for one in ahead])[place]
