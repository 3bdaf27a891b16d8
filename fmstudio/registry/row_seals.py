"""A digest of each row that decides an answer or a metric, so that a changed one can be named.

SQLite keeps no checksums: a byte that flips in the content of a row is read as it is. The digest is
that of the values as they are stored, made again in the transaction that changes them. What changes
all the time (a run's progress) and what follows a deleted row by itself is left out.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from sqlalchemy import Connection, event, inspect
from sqlalchemy.orm import Mapped, mapped_column

from fmstudio.registry.database import Database

# By table, its key first.
SEALED = {
    "projects": ("id", "name", "task", "sample", "created_at"),
    "cohorts": tuple("id project_id name manifest roles fingerprint summary created_at".split()),
    "runs": tuple("id project_id kind status config base result error hint created_at".split()),
    "adapters": ("id", "project_id", "name", "card", "created_at", "sealed"),
    "aliases": ("id", "project_id", "name", "adapter_id"),
    "predictions": ("id", "adapter_id", "case_id", "inputs", "output", "created_at"),
    "held_out": ("adapter_id", "content", "created_at"),
}


class Sealed:
    """A table whose rows carry their digest."""

    seal: Mapped[str | None] = mapped_column(sort_order=99)


@event.listens_for(Sealed, "after_insert", propagate=True)
@event.listens_for(Sealed, "after_update", propagate=True)
def _seal(_: Any, connection: Connection, row: Any) -> None:
    table = row.__tablename__
    state = inspect(row)
    if state.persistent and not any(
        state.attrs[column].history.has_changes() for column in SEALED[table]
    ):
        return
    key = SEALED[table][0]
    chosen = (getattr(row, key),)
    stored = connection.exec_driver_sql(f"{_values(table)} WHERE {key} = ?", chosen).one()
    change = f"UPDATE {table} SET seal = ? WHERE {key} = ?"
    connection.exec_driver_sql(change, (digest(tuple(stored)[2:]), *chosen))


def digest(stored: tuple[Any, ...]) -> str:
    """SHA-256 of a row's values: the type and the bytes of each, as SQLite has them."""
    plain = [part.hex() if isinstance(part, bytes) else part for part in stored]
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()


def _values(table: str) -> str:
    """Key and seal of a table's rows, then the type and bytes of what the seal covers."""
    key, *_ = columns = SEALED[table]
    # As bytes: text that is no UTF-8 any more could not be read.
    parts = ", ".join(f"typeof({name}), CAST({name} AS BLOB)" for name in columns)
    return f"SELECT {key}, CAST(seal AS BLOB), {parts} FROM {table}"


class Seals(Database):
    """The verb on seals."""

    def changed_rows(self) -> list[tuple[str, str]]:
        """Table and key of every row that is not as the studio wrote it."""
        found = []
        with self.reading() as session:
            for table in SEALED:
                for key, seal, *stored in session.connection().exec_driver_sql(_values(table)):
                    if seal != digest(tuple(stored)).encode():
                        found.append((table, str(key)))
        return found
