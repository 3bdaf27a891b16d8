"""A table of cases: its columns and rows, every cell as the text that was typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from fmstudio.errors import InputError


@dataclass(frozen=True)
class Manifest:
    """A table of cases. Paths in it are relative to `folder`.

    `lines` are the places of the rows in the file, counted from 1: lines of a text file, rows of a
    sheet. `sha256` is of the file's bytes. `remarks` tell how the file was read where that is not
    plain. `steps` are those that mended it and `left_out` the rows that they set aside (see
    mending.py).
    """

    path: Path
    folder: Path
    columns: tuple[str, ...]
    rows: list[dict[str, str]]
    lines: list[int]
    sha256: str
    remarks: tuple[str, ...] = ()
    left_out: frozenset[int] = frozenset()
    steps: tuple[Mapping[str, Any], ...] = ()

    def cells(self, column: str) -> list[str]:
        """A column's cells in the order of the rows."""
        return [row[column] for row in self.rows]

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
