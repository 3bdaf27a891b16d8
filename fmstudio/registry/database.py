"""A connection to the registry's file, and sessions on it.

Every verb of the registry takes one session: `reading()` sees one state of the file throughout,
`writing()` holds the only write lock from its first statement on (BEGIN IMMEDIATE), so that what
it read is still true when it writes.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from fmstudio.errors import RegistryError, ResourceError, StudioError

FILE = "registry.sqlite"
BUSY_SECONDS = 30.0
_json = partial(json.dumps, ensure_ascii=False, separators=(",", ":"))


def connect(path: Path, busy_seconds: float, foreign_keys: bool = True) -> Engine:
    """An engine on the file at `path`: durable commits, and transactions that we begin."""
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": busy_seconds},
        json_serializer=_json,  # unlike `to_json` it keeps the order of columns and labels
    )

    @event.listens_for(engine, "connect")
    def _set_up(connection: sqlite3.Connection, _: object) -> None:
        # The driver's own transactions begin late and lose updates of others without a word.
        connection.isolation_level = None
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


class Database:
    """Sessions on one registry file below `home`."""

    def __init__(self, home: Path, engine: Engine) -> None:
        self.home = home
        self._readers = engine
        self._writers = engine.execution_options(writes=True)

    def reading(self) -> AbstractContextManager[Session]:
        """A session that only reads. Raises RegistryError as `explained` does."""
        return _session(self._readers)

    def writing(self) -> AbstractContextManager[Session]:
        """A session that may write; all of it is kept, or nothing. Raises as `explained` does."""
        return _session(self._writers)

    def close(self) -> None:
        """Let go of the file."""
        self._readers.dispose()


@contextmanager
def _session(engine: Engine) -> Iterator[Session]:
    with explained(), Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def explained() -> Iterator[None]:
    """Turn faults of the database into words.

    Raises RegistryError if the file is locked, damaged or cannot be written, and ResourceError if
    the disk is full.
    """
    try:
        yield
    except DBAPIError as fault:
        known = _in_words(str(fault.orig))
        if known is None:
            raise
        raise known from fault
    except sqlite3.DatabaseError as fault:
        known = _in_words(str(fault))
        if known is None:
            raise
        raise known from fault


# What SQLite says -> which error, what happened, what to do.
_WORDS: tuple[tuple[tuple[str, ...], type[StudioError], str, str], ...] = (
    (
        ("locked", "busy"),
        RegistryError,
        f"The registry ({FILE}) is in use by another program and did not become free.",
        "Close other programs that have the file open (a backup, a database viewer), then try "
        "again.",
    ),
    (
        ("malformed", "not a database", "disk I/O error"),
        RegistryError,
        f"The registry ({FILE}) is damaged.",
        "Close the studio and start it again: it then names the backup to go back to.",
    ),
    (
        ("is full",),
        ResourceError,
        f"The disk is full: the registry ({FILE}) could not be written.",
        "Free some space and try again. What was there before is whole.",
    ),
    (
        ("readonly", "unable to open"),
        RegistryError,
        f"The registry ({FILE}) cannot be opened for writing.",
        "Check that you may write to the studio's home folder and to the files in it.",
    ),
)


def _in_words(fault: str) -> StudioError | None:
    """The error for people, by SQLite's own message; None for a fault of ours."""
    for signs, error, message, hint in _WORDS:
        if any(sign in fault for sign in signs):
            return error(message, hint)
    return None
