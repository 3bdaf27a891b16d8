"""Whether the studio can work, in one word and without a word about what is in it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from fmstudio.settings import Settings

FRESH_SECONDS = 1.0  # for which an answer holds, so that asking often costs nothing
WAIT_SECONDS = 2.0  # for a registry that is being written


class Health:
    """The state of one home: "ok", "disk" (too little is free) or "registry" (of no use)."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._said, self._when = "", float("-inf")

    def __call__(self) -> str:
        """The state now."""
        if time.monotonic() - self._when > FRESH_SECONDS:
            self._said, self._when = self._look(), time.monotonic()
        return self._said

    def _look(self) -> str:
        registry = self.settings.home / "registry.sqlite"
        try:
            free = shutil.disk_usage(self.settings.home).free
        except OSError:
            return "registry"
        if not _readable(registry) or not os.access(registry, os.W_OK):
            return "registry"
        return "disk" if free < self.settings.limits.free_disk_mb * 1e6 else "ok"


def _readable(registry: Path) -> bool:
    """Whether the tables can be found and a row of one can be read."""
    address = f"{registry.as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=WAIT_SECONDS)) as opened:
            opened.execute("SELECT count(*) FROM sqlite_master").fetchone()
            opened.execute("SELECT * FROM projects LIMIT 1").fetchone()
            opened.execute("SELECT * FROM events ORDER BY rowid DESC LIMIT 1").fetchone()
    except sqlite3.Error:
        return False
    return True
