"""Waiting for a run that goes on in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Callable

from fmstudio.errors import RunFailed
from fmstudio.records import LIVE_STATES, OUR_FAULT, RunRecord

POLL_SECONDS = 0.5


def wait(
    get: Callable[[str], RunRecord],
    run_id: str,
    watch: Callable[[RunRecord], None] | None = None,
) -> RunRecord:
    """The run, as `get` gives it, once it has finished; `watch` is called with it at every look.

    Raises RunFailed if it ended without a result, RuntimeError if that was the studio's fault.
    """
    run = get(run_id)
    while run.status in LIVE_STATES:
        if watch is not None:
            watch(run)
        time.sleep(POLL_SECONDS)
        run = get(run_id)
    if run.status == "finished":
        return run
    if run.error == OUR_FAULT:
        raise RuntimeError(f"{run.error} {run.hint}")
    raise RunFailed(
        run.error or f"The run {run.id} was {run.status}.",
        hint=run.hint or "Resume it: it goes on from its last checkpoint.",
    )
