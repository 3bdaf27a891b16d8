"""The worker's line to the registry: progress and points in, at most two writes a second out.

A thread of its own writes, so that work never waits for the disk, and gives a sign of life every
two seconds while the work itself is silent.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType, TracebackType
from typing import Self

from fmstudio.records import Point, Progress
from fmstudio.registry import Registry
from fmstudio.runs.forecast import Forecast
from fmstudio.training.reporter import Stopped

log = logging.getLogger(__name__)

WRITE_SECONDS = 0.5
HEARTBEAT_SECONDS = 2.0
SECOND_REQUEST_SECONDS = 5.0  # a double click is one request


class Countdown:
    """Seconds left that run down steadily, though the estimates behind them jump."""

    SHARE_OF_NEW = 0.3

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end: float | None = None

    def smooth(self, seconds_left: float | None) -> float | None:
        """The estimate, drawn towards those before it. None forgets them."""
        if seconds_left is None:
            self._end = None
            return None
        end = self._clock() + seconds_left
        if self._end is not None:
            end = self._end + self.SHARE_OF_NEW * (end - self._end)
        self._end = end
        return max(0.0, end - self._clock())


class RunReporter:
    """The Reporter of one run, worked on by the process `pid`; use it as a context manager.

    `expected` are the seconds that each stage was estimated to take, for the time left of the whole
    run. On leaving, everything reported is in the registry.
    """

    def __init__(
        self, registry: Registry, run_id: str, pid: int, expected: Mapping[str, float] | None = None
    ) -> None:
        self.run_id = run_id
        self._registry, self._pid = registry, pid
        self._lock = threading.Lock()
        self._progress: Progress | None = None  # reported and not yet written
        self._last: Progress | None = None
        self._points: list[Point] = []
        self._forecast = Forecast(expected or {})
        self._countdown = Countdown()
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep_writing, name="reporter", daemon=True)
        self.lost = False  # True once the run is no longer this process's to work on

    def progress(self, progress: Progress) -> None:
        """Say how far the work is."""
        with self._lock:
            self._progress = self._last = progress

    def points(self, points: Sequence[Point]) -> None:
        """Add values to the curves."""
        with self._lock:
            self._points.extend(points)

    def should_stop(self) -> bool:
        """True once somebody asked for a stop."""
        return self._stop.is_set()

    @contextmanager
    def obeying_signals(self) -> Iterator[None]:
        """While this lasts, SIGTERM asks the work to stop; a later second one breaks it off.

        A result that is being put in place is not broken off. For the main thread.
        """
        first: float | None = None

        def asked(_number: int, _frame: FrameType | None) -> None:
            nonlocal first
            self._stop.set()
            if first is None:
                first = time.monotonic()
            elif time.monotonic() - first > SECOND_REQUEST_SECONDS and not self._ended.is_set():
                raise Stopped

        before = signal.signal(signal.SIGTERM, asked)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._write()

    def _keep_writing(self) -> None:
        last = float("-inf")
        while not self._ended.wait(WRITE_SECONDS):
            new = self._progress is not None or bool(self._points)
            if not new and time.monotonic() - last < HEARTBEAT_SECONDS:
                continue
            try:
                self._write()
                last = time.monotonic()
            except Exception:  # whatever it was: without this thread a sound worker seems dead
                log.exception("Progress could not be written; the next try follows.")

    def _seen(self, progress: Progress | None) -> Progress | None:
        """The progress as people see it: of the whole run, its time left running down steadily."""
        if progress is None:
            return None
        whole = self._forecast.of_run(progress)
        return replace(whole, seconds_left=self._countdown.smooth(whole.seconds_left))

    def _write(self) -> None:
        """Everything new in one transaction. What could not be written waits for the next."""
        with self._lock:
            progress, points = self._progress, self._points
            self._progress, self._points = None, []
            # The clock goes on while a stage is silent, and the page with it.
            seen = self._seen(progress or self._last)
        try:
            mine = self._registry.report(self.run_id, self._pid, seen, points)
        except BaseException:
            with self._lock:
                self._progress = self._progress or progress
                self._points = points + self._points
            raise
        if not mine:
            self.lost = True
            self._stop.set()
