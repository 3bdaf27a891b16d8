"""How far work is, on standard error while it goes on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

Work = TypeVar("Work")


def show_progress(
    line_of: Callable[[Work], str], step_of: Callable[[Work], tuple[str, float]]
) -> Callable[[Work], None]:
    """Says on standard error how far work is: in one line on a terminal, else every tenth.

    `step_of` gives the stage, "" where there is nothing to say yet, and the share that is done.
    """
    last: tuple[Any, ...] = ()

    def show(work: Work) -> None:
        nonlocal last
        line, terminal = line_of(work), sys.stderr.isatty()
        stage, share = step_of(work)
        now = (line,) if terminal else (stage, int(10 * share))
        if stage and now != last:
            sys.stderr.write(f"\r{line:<78}" if terminal else line + "\n")
            sys.stderr.flush()
        last = now

    return show
