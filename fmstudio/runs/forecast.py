"""How far a whole run is and when it will end, from what its present stage reports."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from fmstudio.records import Progress

TRUSTED = 0.5  # share of a stage after which its own pace alone says when it will end
UNREPORTED = 0.9  # of a stage's expected time that the bar moves on while the stage is silent
SLOWEST = 4.0  # times the expected time that stages to come are thought to take at most


class Forecast:
    """Places a stage's progress within the run whose stages are expected to take so many seconds.

    Without `expected`, progress is passed on as it is. A stage that is not among `expected` counts
    as the stage before it.
    """

    def __init__(
        self, expected: Mapping[str, float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.expected = {stage: max(float(seconds), 0.0) for stage, seconds in expected.items()}
        self._order = list(self.expected)
        self._clock = clock
        self._began = self._stage_began = clock()
        self._place = 0
        self._fraction = 0.0

    def of_run(self, progress: Progress) -> Progress:
        """The progress with the fraction of the whole run and the seconds until it ends.

        `progress.fraction` is that of its stage, in [0, 1]. The fraction of the run never falls.
        """
        if not self._order:
            return progress
        now = self._clock()
        if progress.stage in self.expected:
            place = self._order.index(progress.stage)
            if place > self._place:
                self._place, self._stage_began = place, now
        share = min(max(progress.fraction, 0.0), 1.0)
        if progress.stage not in self.expected:
            share = 0.0
        before, total = sum(self._seconds[: self._place]), sum(self._seconds)
        done = before + self._moved(share, now) * self._seconds[self._place]
        self._fraction = max(self._fraction, done / total if total else share)
        left = self._rest(share, now) + sum(self._seconds[self._place + 1 :]) * self._pace(now)
        return replace(
            progress, fraction=self._fraction, seconds_left=left, expected=dict(self.expected)
        )

    @property
    def _seconds(self) -> list[float]:
        return list(self.expected.values())

    def _moved(self, share: float, now: float) -> float:
        """How much of the present stage the bar shows: its report, or its expected pace."""
        seconds = self._seconds[self._place]
        silent = (now - self._stage_began) / seconds if seconds else 0.0
        return share if share > 0 else min(silent, UNREPORTED)

    def _rest(self, share: float, now: float) -> float:
        """Seconds left of the present stage: as expected at first, then by its own pace."""
        seconds, spent = self._seconds[self._place], now - self._stage_began
        if share == 0:
            return max(seconds - spent, (1 - UNREPORTED) * seconds)
        own = spent * (1 - share) / share
        trust = min(1.0, share / TRUSTED)
        return trust * own + (1 - trust) * seconds * (1 - share)

    def _pace(self, now: float) -> float:
        """How much slower than expected the stages before this one were, at least 1.

        What was cached goes faster than expected, which says nothing of the stages to come.
        """
        expected = sum(self._seconds[: self._place])
        spent = self._stage_began - self._began
        return min(max(spent / expected, 1.0), SLOWEST) if expected else 1.0
