"""Reading the registry where nothing can be written: a full disk, a write-protected folder."""

from __future__ import annotations

import atexit
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from fmstudio.registry.connecting import open_file
from fmstudio.registry.faults import is_in_use

ALONE = "mode=ro&immutable=1"


def readable(path: Path, busy_seconds: float) -> Callable[[], sqlite3.Connection]:
    """How the file can be read where nothing can be written beside it.

    SQLite reads a file with a log only with an index of the log beside it. Where that cannot be
    made, a file without a log is read alone, and one with a log from a copy of both elsewhere.
    """

    def beside_others() -> sqlite3.Connection:
        connection = open_file(path, busy_seconds, "mode=ro")
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def alone() -> sqlite3.Connection:
        """Another program that can write again may come: then its log counts."""
        return beside_others() if _has_log(path) else open_file(path, busy_seconds, ALONE)

    try:
        beside_others().close()
        return beside_others
    except sqlite3.OperationalError as fault:
        if is_in_use(fault):
            raise
        return _copied(path, busy_seconds) if _has_log(path) else alone


def _has_log(path: Path) -> bool:
    log_file = path.with_name(path.name + "-wal")
    return log_file.exists() and log_file.stat().st_size > 0


def _copied(path: Path, busy_seconds: float) -> Callable[[], sqlite3.Connection]:
    """Reads a copy of file and log on another disk, which goes when this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="fmstudio-read-only-", dir=_other_disk(path)))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name in (path.name, path.name + "-wal"):
        shutil.copyfile(path.with_name(name), folder / name)
    with closing(open_file(folder / path.name, busy_seconds)) as copy:
        copy.execute("PRAGMA journal_mode = DELETE")  # takes the log in
    return lambda: open_file(folder / path.name, busy_seconds, ALONE)


def _other_disk(path: Path) -> Path:
    """A folder with room for the copy: in memory, else where temporary files go."""
    needed = 2 * sum(part.stat().st_size for part in path.parent.glob(path.name + "*"))
    for folder in (Path("/dev/shm"), Path(tempfile.gettempdir())):
        usable = folder.is_dir() and os.access(folder, os.W_OK)
        if usable and shutil.disk_usage(folder).free > needed:
            return folder
    return Path(tempfile.gettempdir())
