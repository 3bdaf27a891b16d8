"""The column of a log table that says when: found by name or content, read chunk by chunk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fmstudio.errors import UnreadableFile
from pipelines.cells import read_cell
from pipelines.tables import Column, TextTable
from pipelines.times import Times, is_time_name, read_times


@dataclass
class Clock:
    """The time column (or a date column and a time column), and how it is read."""

    path: Path
    names: tuple[str, ...]
    columns: tuple[int, ...]
    absolute: bool | None = None
    remarks: dict[str, None] = field(default_factory=dict)

    def seconds(self, chunk: Sequence[Column]) -> np.ndarray:
        """Seconds (n,) of a chunk's rows, NaN where there is no time."""
        name = self.names[self.columns[0]]
        times = self._read(chunk)
        if times is None:
            first = next((str(c) for c in chunk[self.columns[0]] if str(c).strip()), "")
            raise UnreadableFile(
                f"{self.path.name}: the times in column '{name}' cannot be read"
                f" (first: '{first[:40]}').",
                hint="Write them as 2021-04-03 14:30, as 14:30:00, or as seconds.",
            )
        if self.absolute is not None and times.absolute != self.absolute:
            raise UnreadableFile(
                f"{self.path.name}: column '{name}' mixes dates with times of another form.",
                hint="Write all times in one form, such as 2021-04-03 14:30.",
            )
        self.absolute = times.absolute
        self.remarks.update(dict.fromkeys(f"{self.path.name}: {r}." for r in times.remarks))
        return times.seconds

    def _read(self, chunk: Sequence[Column]) -> Times | None:
        first = chunk[self.columns[0]]
        if len(self.columns) == 1:
            return read_times(first, self.names[self.columns[0]], self.absolute)
        joined = [
            f"{day} {clock}" for day, clock in zip(first, chunk[self.columns[1]], strict=True)
        ]
        return read_times(joined, self.names[self.columns[0]])


def find_clock(path: Path, table: TextTable, first: Sequence[Column]) -> Clock:
    """The time column of a log, by its name, else by what its first chunk holds.

    Raises UnreadableFile if there is none.
    """
    named = [i for i, name in enumerate(table.names) if is_time_name(name)]
    lower = [name.lower() for name in table.names]
    if "date" in lower and "time" in lower and isinstance(first[lower.index("date")], list):
        day = read_times(first[lower.index("date")], "date")
        clock = read_times(first[lower.index("time")], "time")
        if day and clock and day.absolute and not clock.absolute:
            return Clock(path, table.names, (lower.index("date"), lower.index("time")))
    for i in named:
        if read_times(first[i], table.names[i]) is not None:
            return Clock(path, table.names, (i,))
    if named:
        return Clock(path, table.names, (named[0],))  # it will say what it cannot read
    for i, column in enumerate(first):
        is_text = isinstance(column, list) and not _mostly_numbers(column)
        if (is_text or (isinstance(column, np.ndarray) and column.dtype.kind == "M")) and (
            read_times(column, table.names[i]) is not None
        ):
            return Clock(path, table.names, (i,))
    shown = ", ".join(f"'{name}'" for name in table.names[:6])
    raise UnreadableFile(
        f"{path.name} has no time column (columns: {shown}).",
        hint="Name the column of times 'time', with its unit where it is a count: 'time_s'.",
    )


def _mostly_numbers(column: Sequence[str]) -> bool:
    sample = [cell for cell in column[:200] if cell.strip()]
    numeric = sum(read_cell(cell).number is not None and ":" not in cell for cell in sample)
    dates = sum(read_cell(cell).unit == "date" for cell in sample)
    return numeric - dates > len(sample) / 2


def past_midnight(seconds: np.ndarray, clock: Clock) -> np.ndarray:
    """Clock times that fall back by hours get a day more; other times stay as they are."""
    steps = np.diff(seconds[np.isfinite(seconds)])
    if not (steps < 0).any():
        return seconds
    midnights = steps < -12 * 3600
    if not clock.absolute and np.nanmax(seconds) <= 86400 and (steps[~midnights] >= 0).all():
        known = np.isfinite(seconds)
        days = np.concatenate([[0], np.cumsum(midnights)])
        shifted = seconds.copy()
        shifted[known] += days * 86400.0
        clock.remarks[f"{clock.path.name}: the clock passed midnight {midnights.sum()} times."] = (
            None
        )
        return shifted
    return seconds
