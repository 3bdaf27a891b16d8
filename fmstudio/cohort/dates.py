"""Dates as people write them -> ISO 8601; the order of day and month the column decides."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

ORDERS: Mapping[str, str] = {
    "dmy": "day/month/year",
    "mdy": "month/day/year",
    "ymd": "year/month/day",
}
EXCEL_START = date(1899, 12, 30)
EXCEL_DAYS = (20_000, 80_000)  # the years 1954 to 2119
_TIME = r"(?P<time>(?:,?[T ]\s*\d{1,2}:\d{2}.*)?)"
_ISO = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})" + _TIME)
_NUMERIC = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})" + _TIME)
_NAMED = re.compile(
    r"(?:(\d{1,2})[-\s./]*(?:de\s+)?([^\W\d_]{3,10})|([^\W\d_]{3,10})\s+(\d{1,2}))"
    r"[-\s.,/]+(?:de\s+)?(\d{4})" + _TIME
)
_COMPACT = re.compile(r"(19|20)(\d{2})(\d{2})(\d{2})")
# The first letters of the months in English, German, French, Spanish, Italian, Dutch, Portuguese.
_MONTHS = (
    ("jan", "jän", "ene", "gen"),
    ("feb", "fév", "fev"),
    ("mar", "mär", "mrz", "maa"),
    ("apr", "avr", "abr"),
    ("may", "mai", "mei", "mag"),
    ("jun", "juin", "giu"),
    ("jul", "juil", "lug"),
    ("aug", "aoû", "aou", "ago"),
    ("sep", "set"),
    ("oct", "okt", "ott", "out"),
    ("nov",),
    ("dec", "dez", "déc", "dic"),
)


@dataclass(frozen=True)
class WrittenDate:
    """What a cell can mean by order; the same under "" where the order does not matter.

    `days` is empty for a day that the calendar does not have, in any order.
    """

    days: Mapping[str, date]
    time: str = ""

    def day(self, order: str) -> date | None:
        """The day in this order; None if it has none."""
        return self.days.get("", self.days.get(order))

    @property
    def sure(self) -> date | None:
        """The only day that it can be; None if there are several, or none."""
        found = set(self.days.values())
        return next(iter(found)) if len(found) == 1 else None

    def iso(self, order: str = "") -> str | None:
        """As 2016-09-03, with its time of day."""
        day = self.sure or self.day(order)
        return None if day is None else f"{day.isoformat()}{self.time}"


def written_date(text: str) -> WrittenDate | None:
    """A cell as a date; None if it says anything else."""
    text = text.strip()
    if found := _ISO.fullmatch(text):
        return _one(found, int(found[1]), int(found[3]), int(found[4]))
    if found := _NUMERIC.fullmatch(text):
        return WrittenDate(dict(_numeric(found)), _time(found))
    if found := _NAMED.fullmatch(text):
        month = _month(found[2] or found[3])
        if month:
            return _one(found, int(found[5]), month, int(found[1] or found[4]))
    return None


def counted_date(text: str) -> WrittenDate | None:
    """A number that is a date in a column of dates: 20160903, or a day number of a spreadsheet."""
    text = text.strip()
    if found := _COMPACT.fullmatch(text):
        day = _day(int(found[1] + found[2]), int(found[3]), int(found[4]))
        return None if day is None else WrittenDate({"": day})
    plain = text.removesuffix(".0")
    if plain.isdecimal() and EXCEL_DAYS[0] <= int(plain) < EXCEL_DAYS[1]:
        return WrittenDate({"": EXCEL_START + timedelta(days=int(plain))})
    return None


def _one(found: re.Match[str], year: int, month: int, day: int) -> WrittenDate:
    there = _day(year, month, day)
    return WrittenDate({} if there is None else {"": there}, _time(found))


def _numeric(found: re.Match[str]) -> Iterator[tuple[str, date]]:
    """Points put the day first, as everywhere that they are in use."""
    first, second, third = int(found[1]), int(found[3]), int(found[4])
    short = len(found[4]) == 2
    years = {"dmy": (third, second, first), "mdy": (third, first, second)}
    if found[2] == ".":
        del years["mdy"]
    elif short:
        years["ymd"] = (first, second, third)
    for order, (year, month, day) in years.items():
        there = _day(_century(year) if short else year, month, day)
        if there is not None:
            yield order, there


def _century(year: int) -> int:
    """Two digits of a year: no later than this one."""
    return year + (2000 if year <= date.today().year % 100 else 1900)


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _time(found: re.Match[str]) -> str:
    time = (found["time"] or "").lstrip(",T ").strip()
    return f" {time}" if time else ""


def _month(word: str) -> int:
    lower = word.lower()
    fits = [
        (len(start), number)
        for number, starts in enumerate(_MONTHS, 1)
        for start in starts
        if lower.startswith(start)
    ]
    return max(fits, default=(0, 0))[1]


def possible_orders(dates: Sequence[WrittenDate]) -> list[str]:
    """The orders in which every date is a day of the calendar."""
    return [order for order in ORDERS if all(one.day(order) is not None for one in dates)]
