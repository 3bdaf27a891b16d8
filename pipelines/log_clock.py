"""The column of a log table that says when: found by what it holds, read chunk by chunk.

A name is a hint. Dates and clock times are known by their form, counts by rising throughout; a
column that only numbers the samples needs their rate, which a person knows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fmstudio.errors import UnreadableFile
from fmstudio.types import OpenQuestion
from pipelines.cells import read_cell
from pipelines.formats.tables import Column, TextTable, open_table
from pipelines.log_answers import (
    ORDERS,
    SAMPLES,
    TIME,
    Said,
    ask_for_order,
    ask_for_time,
    ask_for_zone,
)
from pipelines.log_words import NO_EVENT_WORDS, NUMBERING_WORDS, TIME_WORDS, words_of
from pipelines.quantities import find_quantity
from pipelines.times import Times, count_unit, is_time_name, order_of_dates, read_times
from pipelines.zones import Zone

LOOKED_AT = 2_000  # rows
FEWEST_RISING = 3  # rows below which any column may rise by chance
STEADY = 0.01  # share by which even steps may differ
_NUMERIC_DATE = re.compile(r"\s*(\d{1,2})[-/](\d{1,2})[-/]\d{4}")


@dataclass
class Clock:
    """The time column (or a date column and a time column), and how it is read.

    Without columns rows follow each other at `rate`; with one and a rate its cells number samples.
    `others` are columns that hold times or numbers of rows too, and are no channels.
    """

    path: Path
    names: tuple[str, ...]
    columns: tuple[int, ...]
    unit: str = ""
    rate: float | None = None
    others: tuple[int, ...] = ()
    order: str = ""
    absolute: bool | None = None
    remarks: dict[str, None] = field(default_factory=dict)
    rows: int = 0
    zone: Zone = field(default_factory=Zone)

    def seconds(self, chunk: Sequence[Column]) -> np.ndarray:
        """Seconds (n,) of a chunk's rows, NaN where there is no time."""
        if not self.columns and self.rate is not None:
            at = np.arange(self.rows, self.rows + len(chunk[0])) / self.rate
            self.rows += len(chunk[0])
            self.absolute = False
            return at
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
        if not times.absolute:
            return times.seconds
        return self.zone.seconds(times.seconds, chunk[self.columns[-1]])

    def _read(self, chunk: Sequence[Column]) -> Times | None:
        first, name = chunk[self.columns[0]], self.names[self.columns[0]]
        if self.rate is not None:
            return Times(_numbers(first) / self.rate, False)
        if len(self.columns) == 2:
            both = zip(first, chunk[self.columns[1]], strict=True)
            first = [f"{day} {clock}" for day, clock in both]
        if self.unit and not _mostly_numbers(first):
            return read_times(first, name, self.absolute, self.order)
        return read_times(first, f"{name} {self.unit}", self.absolute, self.order)

    @property
    def assumed(self) -> list[OpenQuestion]:
        """What was taken as likely and a person may know better: the unit of counts that nothing
        says, and the zone of clocks."""
        found = []
        for remark in self.remarks:
            if "taken as seconds" in remark:
                name = self.names[self.columns[0]]
                likely = tuple(f"{name}:{unit}" for unit in ("s", "ms", "min"))
                found.append(OpenQuestion((TIME,), remark, likely, needed=False))
        if self.zone.unclear:
            found.append(ask_for_zone(f"{self.path.name}: {self.zone.unclear}."))
        return found


@dataclass(frozen=True)
class _Look:
    """What the first rows of a column look like: `kind` is "moment", "count" or ""."""

    kind: str = ""
    rising: bool = False
    steady: bool = False
    numbering: bool = False
    constant: bool = False
    dated: bool = False  # dates without a time of day
    of_day: bool = False  # times of day without a date


def find_clock(
    path: Path, table: TextTable, first: Sequence[Column], said: Said, units: Sequence[str] = ()
) -> Clock | OpenQuestion:
    """The clock of a log by its first chunk, or the question that it leaves open.

    `units` are those of a row of units, by column.
    """
    unit_of = [*units, *[""] * len(table.names)]
    looks = [
        _look(column[:LOOKED_AT], name) for column, name in zip(first, table.names, strict=True)
    ]
    found = _said(table, looks, said) or _found(table, looks, said)
    if found is None:
        return ask_for_time(path.name, table.names, _candidates(table, looks))
    columns, rate, why = found
    # What a person says goes before what is written, and that before nothing.
    place = said.place(table.names)
    unit = said.unit if columns and columns[0] == place else ""
    order = ORDERS.get(unit, "")
    unit = "" if unit in (*SAMPLES, *ORDERS) else unit
    if columns and not unit:
        unit = count_unit(unit_of[columns[0]]) or ""
    others = _others(table, looks, columns)
    zone = Zone(said.zone)
    clock = Clock(path, table.names, columns, unit, rate, others, order, zone=zone)
    if columns and rate is None and not order:
        date, clock.order = _order(path, first[columns[0]], columns[0])
        if date and not clock.order:
            return ask_for_order(path.name, table.names[columns[0]], date)
    named = "; ".join(f"'{table.names[i]}'" for i in clock.others[:6])
    if why:
        clock.remarks[f"{path.name}: {why}."] = None
    if named:
        clock.remarks[f"{path.name}: left out, since they hold times or row numbers: {named}."] = (
            None
        )
    return clock


Found = tuple[tuple[int, ...], float | None, str]


def _said(table: TextTable, looks: Sequence[_Look], said: Said) -> Found | None:
    """The column that a person named, if this table has it."""
    place = said.place(table.names)
    if place is None:
        return None
    if said.unit in SAMPLES:
        return None if said.rate is None else ((place,), said.rate, "")
    numbers = looks[place].kind != "moment" and said.rate is not None and not said.unit
    return ((place,), said.rate if numbers else None, "")


def _found(table: TextTable, looks: Sequence[_Look], said: Said) -> Found | None:
    """The columns that hold times by their content, names deciding between several."""
    names = table.names
    pair = _date_and_time(names, looks)
    if pair:
        return pair, None, ""
    named = [i for i, name in enumerate(names) if is_time_name(name)]
    moving = [i for i in named if looks[i].kind and not looks[i].constant]
    moments = [
        i
        for i, look in enumerate(looks)
        if look.kind == "moment" and not look.constant and not NO_EVENT_WORDS & words_of(names[i])
    ]
    hinted = [
        i
        for i, look in enumerate(looks)
        if look.kind == "count"
        and words_of(names[i])
        and words_of(names[i]) <= TIME_WORDS
        and (look.rising or count_unit(names[i]))
    ]
    known = [i for i in named if looks[i].kind] or named
    for certain in (moving, moments, hinted):
        if certain:
            return (certain[0],), None, ""
    if said.rate is None:
        by_content = _rising(names, looks)
        if by_content is not None:
            return (by_content,), None, f"'{names[by_content]}' was taken as time, since it rises"
    if known:
        return (known[0],), None, ""  # it will say what it cannot read
    if said.rate is None:
        return None
    numbering = [i for i, look in enumerate(looks) if look.numbering]
    return tuple(numbering[:1]), said.rate, f"{said.rate:g} rows a second, as answered"


def _rising(names: Sequence[str], looks: Sequence[_Look]) -> int | None:
    """The column of counts that stands first, or the only one with even steps, if it is no signal.

    One that counts 0, 1, 2 numbers rows, whose distance in time it does not tell.
    """
    rising = [
        i
        for i, look in enumerate(looks)
        if look.rising and not look.numbering and find_quantity(names[i]) is None
    ]
    first = next((i for i, look in enumerate(looks) if not look.numbering), None)
    if first is not None and first in rising:
        return first
    steady = [i for i in rising if looks[i].steady]
    return steady[0] if len(steady) == 1 else None


def _candidates(table: TextTable, looks: Sequence[_Look]) -> list[str]:
    """Answers to offer: columns that number samples, and those that rise."""
    numbering = [
        f"{name}:samples" for name, look in zip(table.names, looks, strict=True) if look.numbering
    ]
    rising = [
        f"{name}:s"
        for name, look in zip(table.names, looks, strict=True)
        if look.rising and not look.numbering
    ]
    return numbering + rising


def _others(table: TextTable, looks: Sequence[_Look], columns: Sequence[int]) -> tuple[int, ...]:
    """Columns that are no channels: other times, and numbers of rows."""
    return tuple(
        i
        for i, look in enumerate(looks)
        if i not in columns
        and (
            (is_time_name(table.names[i]) and look.kind and (look.rising or look.kind == "moment"))
            or (look.numbering and words_of(table.names[i]) <= NUMBERING_WORDS)
        )
    )


def _date_and_time(names: Sequence[str], looks: Sequence[_Look]) -> tuple[int, int] | None:
    """A column of days beside a column of clock times."""
    days = [
        i for i, look in enumerate(looks) if look.dated and not NO_EVENT_WORDS & words_of(names[i])
    ]
    clocks = [i for i, look in enumerate(looks) if look.of_day]
    return (days[0], clocks[0]) if days and clocks else None


def _look(column: Column, name: str) -> _Look:
    if isinstance(column, np.ndarray) and column.dtype.kind == "M":
        return _Look("moment", constant=_constant(column.astype(np.int64)))
    if not _mostly_numbers(column):
        times = read_times(column, name) or read_times(column, name, order="day")
        if times is None:
            return _Look()
        known = times.seconds[np.isfinite(times.seconds)]
        dated = times.absolute and not any(":" in str(cell) for cell in column[:200])
        constant, of_day = _constant(known), not times.absolute
        return _Look("moment", constant=constant, dated=dated, of_day=of_day)
    numbers = _numbers(column)
    times = read_times(column, name)
    if times is not None and times.absolute:
        return _Look("moment", constant=_constant(numbers))
    steps = np.diff(numbers)
    many = len(numbers) >= FEWEST_RISING
    rising = bool(many and np.isfinite(numbers).all() and (steps > 0).all())
    middle = float(np.median(steps)) if rising else 0.0
    even = np.abs(steps - middle) <= STEADY * middle if rising else np.zeros(1, bool)
    unit = count_unit(name) or is_time_name(name)
    steady = bool(even.mean() > 0.9)
    whole = rising and not unit and bool((numbers == np.floor(numbers)).all())
    numbering = whole and ((steady and middle == 1) or words_of(name) <= NUMBERING_WORDS)
    return _Look("count", rising, steady, numbering, _constant(numbers))


def _constant(numbers: np.ndarray) -> bool:
    return len(numbers) > 1 and bool((numbers == numbers[0]).all())


def _order(path: Path, column: Column, place: int) -> tuple[str, str]:
    """A date that could be read in two ways, and what comes first in the dates of its column.

    The whole file is asked where a part is silent; ("", "") where dates have one form only.
    """
    days = [match for cell in column[:LOOKED_AT] if (match := _NUMERIC_DATE.match(str(cell)))]
    if not days or not isinstance(column, list):
        return "", ""
    date = days[0][0].strip()
    if any(int(match[1]) > 12 or int(match[2]) > 12 for match in days):
        return date, order_of_dates(column)
    whole = (cell for chunk in open_table(path).chunks for cell in chunk[place])
    return date, order_of_dates(whole)


def _numbers(column: Column) -> np.ndarray:
    if isinstance(column, np.ndarray):
        return column.astype(np.float64)
    return np.array([_number(cell) for cell in column], np.float64)


def _number(text: str) -> float:
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        return float("nan")


def _mostly_numbers(column: Column) -> bool:
    if isinstance(column, np.ndarray):
        return column.dtype.kind != "M"
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
