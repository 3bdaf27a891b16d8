"""How the cells of a column are read: the column decides, not the cell.

Whether 3/4/2021 is in March or April, whether 1,234 is more than a thousand, and whether L is a
litre or a flag for "low", only the other cells of the column can tell.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from fmstudio.cohort.cells import is_missing, name_words
from fmstudio.cohort.dates import (
    ORDERS,
    WrittenDate,
    counted_date,
    possible_orders,
    written_date,
)
from fmstudio.cohort.written import Written, written

MOSTLY = 0.8
BANDS = 0.5  # share of bounds above which a column holds bands, such as <65 and >=65
_ALSO_UNITS = frozenset("LACN")  # letters that mark a value as low, abnormal, …, or are its unit
_DATE_WORDS = frozenset(("date", "dob", "birth", "born", "datum", "fecha", "day"))
OTHER, NUMBERS, DATES = "other", "numbers", "dates"


@dataclass(frozen=True)
class Reading:
    """How one column is read. `kind` is NUMBERS, DATES or OTHER (words, and cells as they are).

    `decimal` is the decimal sign of numbers, "" where grouping and decimal sign cannot be told
    apart; `flags` are letters beside numbers that are no unit; `order` is that of day and month, ""
    where it cannot be told or does not matter.
    """

    kind: str = OTHER
    decimal: str = "."
    flags: frozenset[str] = frozenset()
    order: str = ""
    counted: bool = False
    remarks: tuple[str, ...] = ()

    def text(self, cell: str) -> str:
        """The cell in its plain form: 2016-09-03, or a number with a decimal point, its bound and
        unit. What cannot be told stays as it is."""
        if self.kind == DATES:
            found = self.date(cell)
            return (found.iso(self.order) if found else None) or cell
        number = written(cell) if self.kind == NUMBERS else None
        if number is None or number.infinite or is_missing(cell):
            return cell
        decimal = self.sign_of(number)
        if not decimal:
            return cell
        value = number.value(decimal)
        if not np.isfinite(value):
            return cell
        unit = "" if self.is_flag(number) else number.tail
        return f"{number.bound}{value:.15g}{' ' if unit and unit != '%' else ''}{unit}"

    def number(self, cell: str) -> float:
        """The value of a cell, of a bound the bound; NaN if it says none, or it cannot be told."""
        found = None if is_missing(cell) else written(cell)
        if found is None:
            return float("nan")
        decimal = self.sign_of(found)
        return found.value(decimal) if decimal else float("nan")

    def sign_of(self, number: Written) -> str:
        """The decimal sign of one number; "" if it cannot be told."""
        if number.infinite or not set(number.digits) & {".", ","}:
            return "."
        if number.decimal:
            return number.decimal
        if number.grouped_by:
            return "." if number.grouped_by == "," else ","
        return self.decimal

    def date(self, cell: str) -> WrittenDate | None:
        """A cell as a date."""
        return written_date(cell) or (counted_date(cell) if self.counted else None)

    def day(self, cell: str) -> datetime.date | None:
        """The day that a cell says, if it can be told."""
        found = self.date(cell)
        return None if found is None else found.sure or found.day(self.order)

    def is_flag(self, number: Written) -> bool:
        """True if what stands behind a number is no unit."""
        return number.mark or number.letter in self.flags

    def unit(self, cell: str) -> str:
        """The unit that a cell says, "" for none."""
        found = written(cell)
        return "" if found is None or self.is_flag(found) else found.tail


@dataclass(frozen=True)
class Readings:
    """The readings of a table's columns, each made when it is first asked for."""

    table: Mapping[str, Sequence[str]]
    _known: dict[str, Reading] = field(default_factory=dict)

    def __getitem__(self, column: str) -> Reading:
        if column not in self._known:
            self._known[column] = reading_of(column, self.table[column])
        return self._known[column]


def reading_of(name: str, cells: Sequence[str]) -> Reading:
    """Decide over all cells of a column."""
    filled = list(dict.fromkeys(cell.strip() for cell in cells if not is_missing(cell)))
    if not filled:
        return Reading()
    named = bool(set(name_words(name)) & _DATE_WORDS)
    dates = [one for one in map(written_date, filled) if one is not None]
    counted = [cell for cell in filled if written_date(cell) is None and counted_date(cell)]
    if len(dates) >= MOSTLY * len(filled) or (
        named and len(dates) + len(counted) >= MOSTLY * len(filled)
    ):
        return _of_dates(name, dates, bool(counted))
    numbers = [one for one in map(written, filled) if one is not None]
    if len(numbers) < MOSTLY * len(filled) or sum(bool(n.bound) for n in numbers) > BANDS * len(
        numbers
    ):
        return Reading()
    return _of_numbers(name, numbers)


def _of_dates(name: str, dates: Sequence[WrittenDate], counted: bool) -> Reading:
    unclear = [one for one in dates if one.days and "" not in one.days]
    orders = possible_orders(unclear) if unclear else []
    remarks = []
    order = orders[0] if len(orders) == 1 else ""
    if order and any(one.sure is None for one in unclear):
        remarks.append(
            f"'{name}': dates were read as {ORDERS[order]}, the only order that fits them all."
        )
    if counted:
        remarks.append(f"'{name}': numbers among the dates were read as days of a spreadsheet.")
    return Reading(DATES, order=order, counted=counted, remarks=tuple(remarks))


def _of_numbers(name: str, numbers: Sequence[Written]) -> Reading:
    decimal = _decimal(numbers)
    flags = _flags(numbers)
    remarks = []
    marks = {n.tail for n in numbers if n.mark}
    shown = sorted({*marks, *(n.tail for n in numbers if n.letter in flags)})
    if shown:
        remarks.append(f"'{name}': flags beside the numbers were left out: {', '.join(shown[:6])}.")
    if decimal == "," or any(n.decimal == "," for n in numbers):
        remarks.append(f"'{name}': decimal commas were read.")
    if decimal:
        sign = "," if decimal == "." else "."
        if any(sign in n.digits and n.decimal != sign for n in numbers):
            remarks.append(f"'{name}': '{sign}' was read as grouping thousands.")
    return Reading(NUMBERS, decimal, flags, remarks=tuple(remarks))


def _decimal(numbers: Sequence[Written]) -> str:
    """The decimal sign of what could be either: that of the other cells, else the one with which
    the numbers are as large as the others; "" if neither tells."""
    signs = {n.decimal for n in numbers} - {""}
    signs |= {"." if n.grouped_by == "," else "," for n in numbers if n.grouped_by}
    if len(signs) == 1:
        return next(iter(signs))
    unclear = [
        n for n in numbers if not n.decimal and not n.grouped_by and set(n.digits) & {".", ","}
    ]
    if all("," not in n.digits for n in unclear):
        return "."  # 1.234 alone is a decimal point: so every program writes it
    known = [n.value(n.decimal or ".") for n in numbers if n not in unclear and not n.infinite]
    if not known or signs:
        return ""
    low, high = min(known) / 2, max(known) * 2
    fits = {sign: all(low <= n.value(sign) <= high for n in unclear) for sign in (".", ",")}
    fitting = [sign for sign, all_fit in fits.items() if all_fit]
    return fitting[0] if len(fitting) == 1 else ""


def _flags(numbers: Sequence[Written]) -> frozenset[str]:
    """Letters behind numbers that mark them as high or low and are no unit."""
    letters = Counter(n.letter for n in numbers if n.letter)
    if set(letters) - _ALSO_UNITS:
        return frozenset(letters)
    bare = sum(not n.tail or n.mark for n in numbers)
    units = any(n.tail and not n.mark and not n.letter for n in numbers)
    return (
        frozenset(letters)
        if set(letters) == {"L"} and letters["L"] <= bare and not units
        else (frozenset())
    )
