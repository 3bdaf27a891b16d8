"""How long work tells how far it is, and how it is asked to stop. Free of torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from fmstudio.records import Point, Progress


class Stopped(Exception):
    """Raised by long work once its checkpoint is written, because it was asked to stop."""


class Reporter(Protocol):
    """What long work is given to report to. Every call returns at once."""

    def progress(self, progress: Progress) -> None:
        """Say how far the work is; a later call replaces an earlier one."""
        ...

    def points(self, points: Sequence[Point]) -> None:
        """Add values to the curves. A point of the same name and step replaces the old one.

        They are written within a second, so a crash may lose the last: keep them with the
        checkpoint and report them again when going on from it.
        """
        ...

    def should_stop(self) -> bool:
        """True once somebody asked for a stop: write a checkpoint, then raise Stopped."""
        ...


class Share:
    """A reporter whose progress fills a part of another's: `share` of it from `start` on."""

    def __init__(self, reporter: Reporter, start: float, share: float) -> None:
        self._reporter, self._start, self._share = reporter, start, share

    def progress(self, progress: Progress) -> None:
        """Passes on, with the fraction squeezed into the part."""
        fraction = self._start + self._share * progress.fraction
        self._reporter.progress(replace(progress, fraction=fraction))

    def points(self, points: Sequence[Point]) -> None:
        """Passes on."""
        self._reporter.points(points)

    def should_stop(self) -> bool:
        """As the other says."""
        return self._reporter.should_stop()
