"""Texts and numbers that say when -> seconds: dates, clock times, epochs, plain counts.

Dates without a zone are taken as they stand (as if UTC), so that differences within one file are
right whatever the hospital's zone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Final

import numpy as np


class Ambiguous(Enum):
    """A date such as 03/04/2021, which may be March or April."""

    DATE = "ambiguous"


AMBIGUOUS: Final = Ambiguous.DATE

_ISO = re.compile(
    r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ]+(\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?.*))?"
)
_NUMERIC = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})(?:,?[T ]+(\d{1,2}:\d{2}.*))?")
_NAMED = re.compile(
    r"(?:(\d{1,2})[-\s.]*([A-Za-z]{3,9})|([A-Za-z]{3,9})\s+(\d{1,2}))[-\s.,]+(\d{4})"
    r"(?:,?[T ]+(\d{1,2}:\d{2}.*))?"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK = re.compile(r"(-?)(\d{1,4}):(\d{2})(?::(\d{2}(?:[.,]\d+)?))?\s*([AaPp][Mm])?")
_ZONE = re.compile(r"(.*?)\s*(Z|UTC|[+-]\d{2}:?\d{2})?")


def read_moment(text: str) -> float | Ambiguous | None:
    """Seconds since 1970-01-01 of a date, with a time of day or without.

    AMBIGUOUS where day and month could be swapped; None where the text is no date.
    Points (31.12.2021) put the day first, as everywhere they are in use.
    """
    text = text.strip()
    if match := _ISO.fullmatch(text):
        return _moment(int(match[1]), int(match[2]), int(match[3]), match[4])
    if match := _NUMERIC.fullmatch(text):
        first, second, year = int(match[1]), int(match[3]), int(match[4])
        if match[2] != "." and first <= 12 and second <= 12 and first != second:
            return AMBIGUOUS
        day, month = (first, second) if match[2] == "." or first > 12 else (second, first)
        return _moment(year, month, day, match[5])
    if match := _NAMED.fullmatch(text):
        month_name = (match[2] or match[3])[:3].lower()
        if month_name in _MONTHS:
            day = int(match[1] or match[4])
            return _moment(int(match[5]), _MONTHS.index(month_name) + 1, day, match[6])
    return None


def _moment(year: int, month: int, day: int, clock: str | None) -> float | None:
    try:
        start = datetime(year, month, day, tzinfo=UTC).timestamp()
    except ValueError:
        return None
    if clock is None:
        return start
    parts = _ZONE.fullmatch(clock)
    of_day = read_clock(parts[1]) if parts else None
    if parts is None or of_day is None or of_day > 86400:
        return None
    return start + of_day - _zone_seconds(parts[2])


def _zone_seconds(zone: str | None) -> float:
    if zone in (None, "Z", "UTC"):
        return 0.0
    digits = zone[1:].replace(":", "")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -seconds if zone[0] == "-" else seconds


def read_clock(text: str) -> float | None:
    """Seconds of "02:18", "26:05:30.5" (hours since a start may pass 24) or "2:18 PM"."""
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        return None
    hours, minutes = int(match[2]), int(match[3])
    seconds = float((match[4] or "0").replace(",", "."))
    if minutes > 59 or seconds >= 61 or (match[5] and not 1 <= hours <= 12):
        return None
    if match[5]:
        hours = hours % 12 + (12 if match[5].lower() == "pm" else 0)
    total = hours * 3600.0 + minutes * 60.0 + seconds
    return -total if match[1] else total


_COUNT_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "msec": 1e-3,
    "milliseconds": 1e-3,
    "s": 1.0,
    "sec": 1.0,
    "secs": 1.0,
    "second": 1.0,
    "seconds": 1.0,
    "min": 60.0,
    "mins": 60.0,
    "minute": 60.0,
    "minutes": 60.0,
    "h": 3600.0,
    "hr": 3600.0,
    "hrs": 3600.0,
    "hour": 3600.0,
    "hours": 3600.0,
    "d": 86400.0,
    "day": 86400.0,
    "days": 86400.0,
    "nanoseconds": 1e-9,
    "usec": 1e-6,
    "micros": 1e-6,
    "microseconds": 1e-6,
    "msecs": 1e-3,
    "millis": 1e-3,
    "millisecond": 1e-3,
    "millisekunden": 1e-3,
    "sekunden": 1.0,
    "secondes": 1.0,
    "segundos": 1.0,
    "minuten": 60.0,
    "minutos": 60.0,
    "stunden": 3600.0,
    "heures": 3600.0,
    "horas": 3600.0,
}
# Magnitudes of an epoch in s, ms, µs and ns: the years 1973 to 2286.
_EPOCHS = ((1e8, 1e10, 1.0), (1e11, 1e13, 1e-3), (1e14, 1e16, 1e-6), (1e17, 1e19, 1e-9))
# Dates written as one number: 20210304, 202103041030, 20210304103015.
_COMPACT = ((19000101, 21001231, 1e6), (190001010000, 210012312359, 1e2), (19e12, 21.1e12, 1.0))
EXCEL_EPOCH_DAYS = 25569.0  # 1970-01-01 in Excel's 1900 date system
_TIME_WORDS = frozenset(
    tuple(
        (
            "timestamp datetime time times date charttime clock elapsed zeit datum uhrzeit "
            "zeitpunkt temps heure fecha hora tiempo"
        ).split()
    )
) | {word for word in _COUNT_UNITS if len(word) > 2}
# Words that may stand beside them; "prothrombin time" is a laboratory value.
_BESIDE = frozenset(
    (
        "chart",
        "measurement",
        "measured",
        "sample",
        "sampling",
        "recording",
        "record",
        "recorded",
        "observation",
        "observed",
        "event",
        "local",
        "utc",
        "gmt",
        "relative",
        "since",
        "start",
        "from",
        "of",
        "in",
        "at",
        "the",
        "admission",
        "collection",
        "log",
        "device",
        "stamp",
        "unix",
        "epoch",
        "iso",
        "day",
        "result",
        "lab",
        "and",
        *_COUNT_UNITS,
    )
)


def is_time_name(name: str) -> bool:
    """True if a column's name says that it holds times: "Time", "time (s)", "chart_time"."""
    words = {word for word in re.split(r"[^a-zµ]+", name.lower()) if word}
    spelled = (
        bool(words & _TIME_WORDS) or words == {"measured", "at"} or words == {"recorded", "at"}
    )
    return spelled and words <= _TIME_WORDS | _BESIDE


@dataclass(frozen=True)
class Times:
    """`seconds` of each row (float64, NaN where it cannot be read).

    `absolute` is True for calendar dates (seconds since 1970), False for counts from some start.
    """

    seconds: np.ndarray
    absolute: bool
    remarks: tuple[str, ...] = ()


def count_unit(name: str) -> str:
    """The unit of counts that a name carries: "Time [ms]" -> ms; "" if none."""
    words = [word for word in re.split(r"[^a-zµ]+", name.lower()) if word]
    return next((word for word in reversed(words) if word in _COUNT_UNITS), "")


def is_count_unit(word: str) -> bool:
    """True for a unit of time such as "ms" or "hours"."""
    return word.lower() in _COUNT_UNITS


def order_of_dates(cells: Iterable[str]) -> str:
    """ "day" or "month", whichever comes first in dates such as 03/04/2021 of one column, or "".

    A number above 12 decides; else that one order runs forward in time and the other does not, or
    that it leaps far less; dates that are all the same have no order to find and are taken as day
    first.
    """
    found = (_NUMERIC.fullmatch(cell.strip()) for cell in cells)
    dates = list(dict.fromkeys((int(m[1]), int(m[3]), int(m[4])) for m in found if m))
    day_first, month_first = (all(d[i] <= 12 for d in dates) for i in (1, 0))
    if day_first != month_first:
        return "day" if day_first else "month"
    if not dates or not day_first:
        return ""
    if len(dates) == 1:
        return "day"
    by_day = np.array([_moment(y, b, a, None) for a, b, y in dates], np.float64)
    by_month = np.array([_moment(y, a, b, None) for a, b, y in dates], np.float64)
    forward = [(np.diff(seconds) > 0).all() for seconds in (by_day, by_month)]
    if forward[0] != forward[1]:
        return "day" if forward[0] else "month"
    leaps = [np.abs(np.diff(seconds)).max() for seconds in (by_day, by_month)]
    if len(dates) < 3 or max(leaps) < 5 * min(leaps):
        return ""
    return "day" if leaps[0] < leaps[1] else "month"


def read_times(
    cells: list[str] | np.ndarray, name: str, absolute: bool | None = None, order: str = ""
) -> Times | None:
    """The times of one column; None if most of its cells say no time.

    `cells` are texts, or numbers, or datetime64; `name` may carry the unit of plain counts;
    `absolute` is what an earlier part of the same column was seen to be, `order` what comes first
    in its dates (see `order_of_dates`).
    """
    if isinstance(cells, np.ndarray) and cells.dtype.kind == "M":
        whole = cells.astype("datetime64[ns]").astype(np.int64).astype(np.float64) / 1e9
        return Times(np.where(np.isnat(cells), np.nan, whole), True)
    if isinstance(cells, np.ndarray):
        return _counts(cells.astype(np.float64), name, absolute)
    sample = [cell for cell in cells[:200] if cell.strip()]
    if not sample:
        return None
    if sum(map(_is_float, sample)) > len(sample) / 2:
        return _counts(np.array([_float(cell) for cell in cells]), name, absolute)
    if sum(_elapsed(cell) is not None for cell in sample) > len(sample) / 2:
        read = (_elapsed(cell) for cell in cells)
        whole = np.array([np.nan if s is None else s for s in read], np.float64)
        words = set(re.split(r"[^a-z]+", name.lower()))
        minutes = {"mm", "ss"} <= words and not {"hh", "h"} & words  # "mm:ss" says what leads
        short = minutes and all(cell.count(":") == 1 for cell in sample)
        return Times(whole / 60 if short else whole, False)
    return _dates(cells, sample, order)


def _elapsed(text: str) -> float | None:
    """A clock time; also with milliseconds behind a colon, and minutes with a decimal part."""
    text = text.strip()
    if match := re.fullmatch(r"(\d{1,4}:\d{2}:\d{2}):(\d{1,6})", text):
        text = f"{match[1]}.{match[2]}"
    elif match := re.fullmatch(r"(\d{1,4}:\d{2}[.,]\d+)", text):
        text = f"00:{match[1]}" if match[1].find(":") < 3 else text
    return read_clock(text)


def _dates(cells: list[str], sample: list[str], order: str) -> Times | None:
    try:  # numpy reads plain ISO texts a hundred times faster than we do
        if not _ISO.fullmatch(sample[0].strip()) or any("+" in c or "Z" in c for c in sample):
            raise ValueError
        stamps = np.array([cell.strip() or "NaT" for cell in cells], "datetime64[us]")
        whole = stamps.astype(np.int64).astype(np.float64) / 1e6
        return Times(np.where(np.isnat(stamps), np.nan, whole), True)
    except (ValueError, UserWarning, DeprecationWarning):
        pass
    moments = [read_moment(cell) for cell in cells]
    if any(moment is AMBIGUOUS for moment in moments):
        return _month_or_day(cells, order or order_of_dates(cells))
    seconds = np.array([m if isinstance(m, float) else np.nan for m in moments], np.float64)
    return Times(seconds, True) if np.isfinite(seconds).mean() > 0.5 else None


def _month_or_day(cells: list[str], order: str) -> Times | None:
    """Dates such as 03/04/2021 in the order that fits the whole column; None if both fit."""
    if not order:
        return None
    matches = [_NUMERIC.fullmatch(cell.strip()) for cell in cells]
    day, month = (1, 3) if order == "day" else (3, 1)
    read = [_moment(int(m[4]), int(m[month]), int(m[day]), m[5]) if m else None for m in matches]
    said = "day/month/year" if order == "day" else "month/day/year"
    values = np.array([np.nan if value is None else value for value in read], np.float64)
    dates = {m.group(1, 3, 4) for m in matches if m}
    why = "the only order that fits them all" if len(dates) > 1 else "all of them the same date"
    return Times(values, True, (f"dates were read as {said}, {why}",))


def _compact(numbers: np.ndarray) -> np.ndarray | None:
    """Seconds since 1970 of dates written as one number; None if one of them is no date."""
    known = numbers[np.isfinite(numbers)]
    for low, high, factor in _COMPACT:
        if not ((known >= low) & (known <= high) & (known == np.floor(known))).all():
            continue
        whole = np.where(np.isfinite(numbers), numbers, 19700101 * 1e6 / factor) * factor
        parts = whole.astype(np.int64)
        year, month, day = parts // 10**10, parts // 10**8 % 100, parts // 10**6 % 100
        hour, minute, second = parts // 10**4 % 100, parts // 100 % 100, parts % 100
        if not (
            (month >= 1)
            & (month <= 12)
            & (day >= 1)
            & (day <= 31)
            & (hour <= 23)
            & (minute <= 59)
            & (second <= 60)
        ).all():
            return None
        months = (year - 1970).astype("datetime64[Y]").astype("datetime64[M]") + (month - 1)
        days = months.astype("datetime64[D]") + (day - 1)
        seconds = days.astype(np.int64) * 86400.0 + hour * 3600.0 + minute * 60.0 + second
        return np.where(np.isfinite(numbers), seconds, np.nan)
    return None


def _counts(numbers: np.ndarray, name: str, absolute: bool | None) -> Times | None:
    known = numbers[np.isfinite(numbers)]
    if not len(known):
        return None
    low, middle, high = np.percentile(known, (5, 50, 95))
    # An epoch lies far from its zero; a count, however long, starts near it.
    if absolute or (absolute is None and high - low < 0.5 * middle):
        written = _compact(numbers)
        if written is not None:
            return Times(written, True, ("dates were written as one number, such as 20210304",))
        for start, stop, factor in _EPOCHS:
            if start <= middle < stop:
                return Times(numbers * factor, True)
    words = re.split(r"[^a-zµ]+", name.lower())
    if {"date", "datum"} & set(words) and 20_000 < middle < 80_000:
        return Times(
            (numbers - EXCEL_EPOCH_DAYS) * 86400.0, True, ("dates were Excel day numbers",)
        )
    unit = count_unit(name)
    if unit:
        return Times(numbers * _COUNT_UNITS[unit], False)
    return Times(numbers, False, (f"the numbers in '{name}' were taken as seconds",))


def _float(text: str) -> float:
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        return float("nan")


def _is_float(text: str) -> bool:
    return _float(text) == _float(text)
