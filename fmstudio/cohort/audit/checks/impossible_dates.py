"""Dates that the calendar does not have, that are still to come, or that lie before birth."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from fmstudio.cohort.audit.evidence import Evidence
from fmstudio.cohort.audit.finding import Check, counted
from fmstudio.cohort.cells import is_missing, name_words
from fmstudio.cohort.cleaning import accept, empty
from fmstudio.cohort.readings import DATES
from fmstudio.results.finding import Finding, Mend

EARLIEST = date(1880, 1, 1)  # nobody who was born before is alive
BIRTH = frozenset(("birth", "born", "dob", "geburtsdatum", "geburt", "naissance", "nacimiento"))


def find(evidence: Evidence) -> Iterator[Finding]:
    """By column of dates that is an input or the time of the case, or says when a patient was
    born."""
    columns = dated_columns(evidence)
    births = {column for column in columns if set(name_words(column)) & BIRTH}
    tomorrow = date.today() + timedelta(days=1)
    for column in columns:
        reading = evidence.reading(column)
        rows: dict[str, list[int]] = {}
        for row, cell in zip(evidence.rows, evidence.cells(column), strict=True):
            written = None if is_missing(cell) else reading.date(cell)
            day = None if written is None else reading.day(cell)
            if written is not None and not written.days:
                rows.setdefault("that the calendar does not have", []).append(row)
            elif day is not None and day > tomorrow:
                rows.setdefault("that are still to come", []).append(row)
            elif day is not None and day < EARLIEST:
                rows.setdefault(f"before {EARLIEST.year}", []).append(row)
        for why, own in rows.items():
            yield _finding(column, own, f"{counted(len(own), 'date')} {why}")
        yield from _before_birth(evidence, column, births - {column})


def dated_columns(evidence: Evidence) -> list[str]:
    """The columns of dates that the checks look at."""
    looked = {*evidence.of_kind("table"), *evidence.columns_of("time")}
    return [
        column
        for column in evidence.manifest.columns
        if (column in looked or set(name_words(column)) & BIRTH)
        and evidence.reading(column).kind == DATES
    ]


def _before_birth(evidence: Evidence, column: str, births: set[str]) -> Iterator[Finding]:
    for birth in sorted(births):
        born = evidence.reading(birth)
        own = evidence.reading(column)
        cells = zip(evidence.rows, evidence.cells(column), evidence.cells(birth), strict=True)
        rows = [
            row
            for row, cell, begin in cells
            if (day := own.day(cell)) is not None
            and (first := born.day(begin)) is not None
            and day < first
        ]
        if rows:
            yield _finding(column, rows, f"{counted(len(rows), 'date')} before '{birth}'")


def _finding(column: str, rows: list[int], what: str) -> Finding:
    return Finding(
        "impossible_values",
        "warning",
        f"'{column}' holds {what}.",
        "Correct them, or take them for missing.",
        (column,),
        tuple(rows),
        (
            Mend("Take them for missing", (empty(column, rows),)),
            Mend("The dates are right", (accept("impossible_values", [column]),)),
        ),
    )


CHECK = Check("impossible_dates", find)
