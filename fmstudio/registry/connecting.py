"""The registry's file as a plain SQLite connection."""

from __future__ import annotations

import sqlite3
from pathlib import Path

BUSY_SECONDS = 30.0


def open_file(path: Path, busy_seconds: float, options: str = "mode=rw") -> sqlite3.Connection:
    """The file at `path`, which has to be there: SQLite would put an empty one in its place.

    The driver's own transactions begin late and lose updates of others without a word: here they
    are begun by hand.
    """
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{options}",
        timeout=busy_seconds,
        uri=True,
        isolation_level=None,
        check_same_thread=False,
    )
