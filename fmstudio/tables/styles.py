"""A number as a workbook stores it -> the text that its cell shows.

Only the style tells a date from a number (ECMA-376, 18.8.30): formats with days or hours are dates
of the workbook's calendar, which begins in 1900 or in 1904.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from xml.etree.ElementTree import Element

from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format, is_timedelta_format
from openpyxl.utils.datetime import MAC_EPOCH, WINDOWS_EPOCH, from_excel

_WHOLE = re.compile(r"0|[1-9][0-9]{0,13}")
_ZEROS = re.compile(r"0{2,30}")
_PERCENT = re.compile(r'(?:"[^"]*"|\\.|[^%"\\])*%')


@dataclass(frozen=True)
class Styles:
    """The number format of each cell style, and the day on which dates begin."""

    formats: Sequence[str] = ()
    since_1904: bool = False

    def shown(self, stored: str, style: int) -> str:
        """The text of a stored number. Raises ValueError if it is none."""
        code = self.formats[style] if 0 <= style < len(self.formats) else "General"
        if code == "General":
            return stored if _WHOLE.fullmatch(stored) else plain(float(stored))
        number = float(stored)
        if is_timedelta_format(code):
            return _duration(number)
        if is_date_format(code):
            return self._date(number)
        if _ZEROS.fullmatch(code) and number == int(number) and number >= 0:
            return f"{int(number):0{len(code)}d}"
        if _PERCENT.match(code.split(";")[0]):
            return f"{plain(number * 100)}%"
        return plain(number)

    def _date(self, number: float) -> str:
        try:
            moment = from_excel(number, MAC_EPOCH if self.since_1904 else WINDOWS_EPOCH)
        except (OverflowError, ValueError):
            return plain(number)
        return moment_text(moment)


def moment_text(moment: datetime | date | time | timedelta) -> str:
    """A day as 2021-04-03, with a time of day where it has one."""
    if isinstance(moment, datetime):
        return moment.isoformat(sep=" ").removesuffix(" 00:00:00")
    if isinstance(moment, timedelta):
        return _duration(moment.total_seconds() / 86400)
    return moment.isoformat()


def plain(number: float) -> str:
    """A number in the 15 digits that a workbook keeps: 0.1 + 0.2 is 0.3."""
    if number == int(number) and abs(number) < 1e15:
        return str(int(number))
    return f"{number:.15g}"


def _duration(days: float) -> str:
    seconds = round(abs(days) * 86400, 3)
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    shown = f"{int(left):02d}" if left == int(left) else f"{left:06.3f}"
    return f"{'-' if days < 0 else ''}{int(hours):02d}:{int(minutes):02d}:{shown}"


def read_styles(root: Element | None, since_1904: bool) -> Styles:
    """From `styles.xml`."""
    if root is None:
        return Styles((), since_1904)
    named: dict[int, str] = dict(BUILTIN_FORMATS)
    cells: list[str] = []
    for part in root:
        kind = local(part.tag)
        if kind == "numFmts":
            for one in part:
                named[int(one.get("numFmtId", 0))] = one.get("formatCode", "General")
        elif kind == "cellXfs":
            cells = [one.get("numFmtId", "0") for one in part]
    return Styles([named.get(int(number), "General") for number in cells], since_1904)


def local(tag: str) -> str:
    """An element's name without its namespace, which the strict form of the standard changes."""
    return tag.rpartition("}")[2]
