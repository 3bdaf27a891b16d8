"""What a home holds, as plain values to compare."""

import sqlite3
from contextlib import closing
from pathlib import Path


def rows(home: Path) -> dict[str, list[tuple]]:
    """Every row of every table of a home's registry."""
    with closing(sqlite3.connect(home / "registry.sqlite")) as connection:
        found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        names = [name for (name,) in found.fetchall()]
        return {n: sorted(connection.execute(f"SELECT * FROM {n}"), key=repr) for n in names}


def files(home: Path) -> dict[str, bytes]:
    """What a home keeps beside its registry."""
    return {
        path.relative_to(home).as_posix(): path.read_bytes()
        for part in ("adapters", "bases", "cohorts", "keys", "runs")
        for path in (home / part).rglob("*")
        if path.is_file() and path.suffix != ".tmp"
    }
