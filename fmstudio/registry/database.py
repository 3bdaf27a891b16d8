"""A connection to the registry's file, and sessions on it.

Every verb of the registry takes one session: `reading()` sees one state of the file throughout,
`writing()` holds the only write lock from its first statement on (BEGIN IMMEDIATE), so that what
it read is still true when it writes.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from fmstudio.errors import RegistryError, StudioError
from fmstudio.registry.connecting import open_file
from fmstudio.registry.faults import DAMAGED_ROW, FILE, GONE, explained

WAL_BYTES = 64 * 2**20  # the log beside the file is cut to this once its content is in the file
_json = partial(json.dumps, ensure_ascii=False, separators=(",", ":"))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as fault:
        raise RegistryError(*DAMAGED_ROW) from fault


def connect(path: Path, busy_seconds: float, foreign_keys: bool = True) -> Engine:
    """An engine on the file at `path`: durable commits, and transactions that we begin."""

    def opened() -> sqlite3.Connection:
        connection = open_file(path, busy_seconds)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
        connection.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten
        return connection

    return engine_of(opened)


def engine_of(opened: Callable[[], sqlite3.Connection]) -> Engine:
    """An engine on connections that are opened so."""
    # The serializer keeps, unlike `to_json`, the order of columns and labels.
    engine = create_engine(
        "sqlite://",
        creator=opened,
        poolclass=QueuePool,
        json_serializer=_json,
        json_deserializer=_parsed,
    )

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


class Database:
    """Sessions on one registry file below `home`.

    `notice` is why the file can only be read for now, None if it can be written; then `reopen`
    tries anew to open it for writing whenever something is to be written.
    """

    def __init__(
        self,
        home: Path,
        engine: Engine,
        notice: StudioError | None = None,
        reopen: Callable[[], Engine] | None = None,
    ) -> None:
        self.home = home
        self.notice = notice
        self._reopen = reopen
        self._lock = threading.Lock()
        self._use(engine)

    def _use(self, engine: Engine) -> None:
        self._readers = engine
        self._writers = engine.execution_options(writes=True)
        self._file = _which_file(self.home / FILE)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that only reads. Raises as `explained` does."""
        with explained(self.home / FILE), self._session(self._readers) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that may write; all of it is kept, or nothing. Raises as `explained` does."""
        with explained(self.home / FILE):
            self._open_for_writing()
            with self._session(self._writers) as session:
                yield session
                session.flush()
                self._check_file()  # what is written to a file without a name is lost

    @contextmanager
    def _session(self, engine: Engine) -> Iterator[Session]:
        self._check_file()
        with Session(engine, expire_on_commit=False) as session, session.begin():
            yield session

    def _open_for_writing(self) -> None:
        if self.notice is None or self._reopen is None:
            return
        with self._lock:
            if self.notice is not None:
                engine, before = self._reopen(), self._readers
                self._use(engine)
                self.notice = None
                before.dispose()

    def _check_file(self) -> None:
        """Raises RegistryError if the file was moved, deleted or replaced while it was open.

        Its content, which only our connections still reach, is first copied into backups/.
        """
        if _which_file(self.home / FILE) == self._file:
            return
        with self._lock:
            saved = self._rescue()
        hint = (
            f"Close the studio and start it again; {saved} holds what was in it." if saved else ""
        )
        raise RegistryError(GONE[0], hint=hint or GONE[1])

    def _rescue(self) -> str | None:
        from fmstudio.registry.backups import copy_open

        if (self.home / FILE).exists():
            return None
        try:
            with closing(self._readers.raw_connection()) as held:  # none is left: it cannot be made
                connection = held.driver_connection
                assert isinstance(connection, sqlite3.Connection)
                return copy_open(connection, self.home)
        except (DBAPIError, sqlite3.Error, OSError):
            return None

    def close(self) -> None:
        """Let go of the file."""
        self._readers.dispose()


def _which_file(path: Path) -> tuple[int, int] | None:
    """What tells a file from another of the same name; None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
