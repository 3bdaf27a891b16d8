"""Cohorts whose labels are being looked at, each by a thread that outlives the page that asked."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from fmstudio.errors import StudioError

PATIENCE_SECONDS = 10.0  # for the step that is under way when the studio is closed

log = logging.getLogger(__name__)


class LabelChecks:
    """Work that goes on by itself, at most once for a cohort. Safe for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._looking: dict[int, threading.Thread] = {}
        self._faults: dict[int, str] = {}
        self._over = False

    def begin(self, cohort: int, work: Callable[[], object]) -> None:
        """Start the work on a cohort; nothing where it is under way."""
        with self._lock:
            if cohort in self._looking or self._over:
                return
            self._faults.pop(cohort, None)
            self._looking[cohort] = thread = threading.Thread(
                target=self._run, args=(cohort, work), daemon=True
            )
            thread.start()

    def state(self, cohort: int) -> tuple[bool, str]:
        """Whether the work on a cohort is under way, and why the last attempt failed, if it did."""
        with self._lock:
            return cohort in self._looking, self._faults.get(cohort, "")

    def close(self) -> None:
        """Take no more, and wait a little for what is under way: without its reading processes it
        gives up at the next file, and begins anew when it is asked for again."""
        with self._lock:
            self._over = True
            left = list(self._looking.values())
        for thread in left:
            thread.join(PATIENCE_SECONDS)

    def _run(self, cohort: int, work: Callable[[], object]) -> None:
        fault = ""
        try:
            work()
        except StudioError as known:
            fault = known.message
        except Exception:
            if not self._over:
                log.exception("the labels of cohort %s could not be looked at", cohort)
            fault = "Something went wrong inside the studio; the log file has the details."
        with self._lock:
            self._looking.pop(cohort, None)
            if fault:
                self._faults[cohort] = fault
