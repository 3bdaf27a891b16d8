"""Copies of the registry in backups/: made before a migration and once a day, the newest kept."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from fmstudio.files import replacing
from fmstudio.registry.connecting import BUSY_SECONDS, open_file

FOLDER = "backups"
KEPT = 3
SECONDS = 24 * 3600.0


def backups(home: Path) -> list[Path]:
    """The copies, oldest first: their names begin with the time."""
    return sorted((home / FOLDER).glob("registry-*.sqlite"))


def is_due(home: Path, has_events: bool) -> bool:
    """True once a day, and for a registry that has something to lose and no copy."""
    made = backups(home)
    if not made:
        return has_events
    return time.time() - made[-1].stat().st_mtime > SECONDS


def back_up(path: Path) -> str:
    """Copy the registry at `path` as it is now, keep the newest few; the copy's name."""
    with closing(open_file(path, BUSY_SECONDS)) as source:
        name = copy_open(source, path.parent)
    for old in backups(path.parent)[:-KEPT]:
        old.unlink(missing_ok=True)
    return name


def copy_open(source: sqlite3.Connection, home: Path) -> str:
    """Copy what an open connection sees into backups/; the copy's name, as seen from home."""
    revision = source.execute("SELECT version_num FROM alembic_version").fetchone()[0]
    folder = home / FOLDER
    folder.mkdir(exist_ok=True, mode=0o700)
    target = folder / f"registry-{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{revision}.sqlite"
    copy_to(source, target)
    return f"{FOLDER}/{target.name}"


def copy_to(source: sqlite3.Connection, target: Path) -> None:
    """Write what an open connection sees to a file that is whole from its first moment on."""
    with replacing(target) as partial:
        with closing(open_file(partial, BUSY_SECONDS)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, with nothing beside it
        for rest in ("-wal", "-shm"):
            partial.with_name(partial.name + rest).unlink(missing_ok=True)
