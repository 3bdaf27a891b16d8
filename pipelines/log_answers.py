"""What a person says of the times of logs where the files do not: a column, its unit, a rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fmstudio.errors import InputError
from fmstudio.types import OpenQuestion, Question, Source
from pipelines.times import is_count_unit

TIME, RATE, ZONE = "log_time", "log_rate", "log_zone"
SAMPLES = ("sample", "samples", "row", "rows")  # units of a column that numbers the samples
ORDERS = {"dmy": "day", "mdy": "month"}  # what comes first in dates such as 03/04/2021
MAX_RATE = 1e6  # Hz

QUESTIONS = (
    Question(
        TIME,
        "Which column of the logs says when?",
        "COLUMN[:UNIT]",
        "The column of times in every log, with the unit of plain numbers behind a colon: s, ms, "
        "us, min, h, d, or 'samples' together with the sampling rate; dmy or mdy for dates.",
    ),
    Question(
        RATE,
        "How many rows a second do the logs have?",
        "HZ",
        "For logs without a column of times, or with one that only numbers the samples.",
    ),
    Question(
        ZONE,
        "In which time zone do the clocks of the logs stand?",
        "ZONE",
        "For dates and times without a zone, where others have one or summer time ends: "
        "Europe/Berlin, America/New_York, UTC.",
    ),
)


@dataclass(frozen=True)
class Said:
    """The answers: the `column` of times and its `unit`, "" where not said; the `rate` in Hz; the
    name of the `zone` of times that have none, "" where not said."""

    column: str = ""
    unit: str = ""
    rate: float | None = None
    zone: str = ""

    def place(self, names: Sequence[str]) -> int | None:
        """Which of a table's columns is meant; None if nothing was said or it has no such."""
        wanted = _plain(self.column)
        exact = [i for i, name in enumerate(names) if name == self.column]
        alike = [i for i, name in enumerate(names) if _plain(name) == wanted]
        return next(iter(exact or alike), None) if wanted else None


def said_of(sources: Sequence[Source]) -> Said:
    """The answers that travel with the sources. Raises InputError if one cannot be."""
    answers: Mapping[str, str] = {k: v for source in sources for k, v in source.answers}
    column, unit = _column_and_unit(answers.get(TIME, ""))
    rate = answers.get(RATE, "")
    zone = answers.get(ZONE, "")
    return Said(column, unit, checked_rate(rate) if rate else None, zone and checked_zone(zone))


def checked_answer(key: str, answer: str) -> str:
    """An answer as it is kept. Raises InputError if it cannot be one."""
    answer = answer.strip()
    if key == RATE:
        return f"{checked_rate(answer):.12g}"
    if key == ZONE:
        return checked_zone(answer)
    column, _ = _column_and_unit(answer)
    if not column:
        raise InputError(
            f"'{answer}' names no column.", hint="Write the column's name, as in elapsed:ms."
        )
    return answer


def checked_rate(text: str) -> float:
    """A sampling rate in Hz. Raises InputError if it is none."""
    try:
        rate = float(text.lower().removesuffix("hz").strip().replace(",", "."))
    except ValueError:
        rate = float("nan")
    if not 0 < rate <= MAX_RATE:
        raise InputError(
            f"'{text}' is no sampling rate.", hint="Write a number of rows a second, such as 250."
        )
    return rate


def checked_zone(text: str) -> str:
    """The name of a time zone. Raises InputError if there is none of that name."""
    try:
        return ZoneInfo(text.strip()).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(
            f"There is no time zone '{text}'.",
            hint="Write it as in Europe/Berlin, America/New_York or UTC.",
        ) from None


def ask_for_zone(message: str) -> OpenQuestion:
    """The question in which zone clocks stand; until it is answered they count as UTC."""
    return OpenQuestion((ZONE,), message, ("UTC",), needed=False)


def ask_for_time(name: str, names: Sequence[str], candidates: Sequence[str]) -> OpenQuestion:
    """The question that a log leaves open which does not tell when its rows were recorded."""
    shown = ", ".join(f"'{name}'" for name in names[:6])
    return OpenQuestion(
        (TIME, RATE), f"{name} has no time column (columns: {shown}).", tuple(candidates)
    )


def ask_for_order(name: str, column: str, date: str) -> OpenQuestion:
    """The question whether day or month comes first in dates that fit both."""
    return OpenQuestion(
        (TIME,),
        f"{name}: the times in column '{column}' cannot be read: '{date}' may have the"
        " day or the month first.",
        (f"{column}:dmy", f"{column}:mdy"),
    )


def _column_and_unit(answer: str) -> tuple[str, str]:
    column, _, unit = answer.rpartition(":")
    known = is_count_unit(unit.strip()) or unit.strip().lower() in (*SAMPLES, *ORDERS)
    if column and known:
        return column.strip(), unit.strip().lower()
    return answer.strip(), ""


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()
