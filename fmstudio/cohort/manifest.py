"""A table of cases: its columns and rows, every cell as the text that was typed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

from fmstudio.cohort.readings import Readings
from fmstudio.errors import InputError


@dataclass(frozen=True, eq=False)
class Row(Mapping[str, str]):
    """One row of a manifest, seen through its columns."""

    table: Mapping[str, Sequence[str]]
    place: int

    def __getitem__(self, column: str) -> str:
        return self.table[column][self.place]

    def __iter__(self) -> Iterator[str]:
        return iter(self.table)

    def __len__(self) -> int:
        return len(self.table)


@dataclass(frozen=True)
class Manifest:
    """A table of cases. Paths in it are relative to `folder`.

    `table` holds the cells by column. `lines` are the places of the rows in the file, counted from
    1: lines of a text file, rows of a sheet. `sha256` is of the file's bytes. `remarks` tell how
    the file was read where that is not plain. `steps` are those that cleaned it and `left_out` the
    rows that they set aside (see cleaning.py).
    """

    path: Path
    folder: Path
    table: Mapping[str, list[str]]
    lines: list[int]
    sha256: str
    remarks: tuple[str, ...] = ()
    left_out: frozenset[int] = frozenset()
    steps: tuple[Mapping[str, Any], ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, in the table's order."""
        return tuple(self.table)

    @cached_property
    def rows(self) -> list[Row]:
        """The rows, each a view that takes no room of its own for its cells."""
        return [Row(self.table, place) for place in range(len(self.lines))]

    @cached_property
    def readings(self) -> Readings:
        """How the cells of each column are read."""
        return Readings(self.table)

    def cells(self, column: str) -> list[str]:
        """A column's cells in the order of the rows."""
        return self.table[column]

    def where(self, rows: Sequence[int]) -> str:
        """Rows as people find them in the file: "line 7" or "lines 7, 9, 12 and 4 more"."""
        named = ", ".join(str(self.lines[row]) for row in rows[:3])
        more = f" and {len(rows) - 3} more" if len(rows) > 3 else ""
        return f"line{'s' if len(rows) > 1 else ''} {named}{more}"

    def check_column(self, column: str) -> None:
        """Raises InputError if there is no such column."""
        if column not in self.columns:
            close = get_close_matches(column, self.columns, n=1, cutoff=0.6)
            hint = f"Did you mean '{close[0]}'? " if close else ""
            raise InputError(
                f"{self.path.name} has no column '{column}'.",
                hint=hint + f"Its columns are: {', '.join(self.columns)}.",
            )
