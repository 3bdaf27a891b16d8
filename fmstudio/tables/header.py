"""Which of the first records of a table is its header: titles and notes may stand above it.

A header has a name in every cell, no name twice, and spans the columns of the records below. What
stands above it is skipped only if it cannot be a header itself: few cells, or numbers and dates
among them. Where that is not clear the first record counts, and what is wrong with it is named.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

PROBED = 200  # records that are looked at
HIGHEST = 30  # records that may stand above a header
MOSTLY = 0.8

_VALUE = re.compile(
    r"[<>≤≥~]?\s*[+\-\u2212]?[\d.,'\u00a0\u202f]*\d[.,]?\s*(?:[eE][+-]?\d+|%)?"
    r"|(?:.*\D)?\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:\D.*)?|\d{1,2}:\d{2}(?::\d{2})?"
)
_NOTHING = frozenset(("na", "n/a", "nan", "null", "none", "missing", "unknown", "-", "?", "."))


@dataclass(frozen=True)
class Header:
    """The place of the header among the records, and the columns of the table, from 0: `first` to
    before `stop`."""

    place: int
    first: int
    stop: int


def find_header(records: Sequence[Sequence[str]]) -> Header:
    """The header among the first records of a table, each of which has some text."""
    first, stop = _extent(records)
    sure = True  # what was skipped can be nothing else
    for place, record in enumerate(records[:HIGHEST]):
        start, end = _span(record)
        names = [cell.strip() for cell in record[start:end]]
        comment = names[0].startswith("#") and place + 1 < len(records)
        fits = (start, end) == (first, stop) and _are_names(names) and not comment
        if fits and (sure or _stands_out(records, place, first, stop)):
            return Header(place, first, stop)
        few = comment or (len(list(filter(None, names))) <= (stop - first) / 2)
        if not (few or len(record) < stop - first - 1 or any(map(is_value, names))):
            break
        sure &= few and stop - first > 2
    return Header(0, 0, _span(records[0])[1])


def is_missing(records: Sequence[Sequence[str]], header: Header) -> bool:
    """True if what was taken for the header is a case: mostly values, as in the rows below."""
    names = [cell for cell in records[header.place] if cell.strip()]
    return sum(map(is_value, names)) >= len(names) / 2 and not _stands_out(
        records, header.place, header.first, header.stop
    )


def _span(record: Sequence[str]) -> tuple[int, int]:
    """The columns of a record from the first to behind the last that is filled."""
    filled = [i for i, cell in enumerate(record) if cell.strip()]
    return filled[0], filled[-1] + 1


def _extent(records: Sequence[Sequence[str]]) -> tuple[int, int]:
    """The columns of those records that are at least half as full as the fullest."""
    counts = [sum(bool(cell.strip()) for cell in record) for record in records]
    spans = [
        _span(record)
        for record, count in zip(records, counts, strict=True)
        if count > max(counts) / 2
    ]
    return min(start for start, _ in spans), max(end for _, end in spans)


def _are_names(cells: Sequence[str]) -> bool:
    plain = [" ".join(cell.split()) for cell in cells]
    return (
        all(plain)
        and len(set(plain)) == len(plain)
        and not any(is_value(cell) or cell.lower() in _NOTHING for cell in plain)
    )


def is_value(cell: str) -> bool:
    """True for what is a number, a date or a time of day, and so no name."""
    return _VALUE.fullmatch(cell.strip()) is not None


def _stands_out(records: Sequence[Sequence[str]], place: int, first: int, stop: int) -> bool:
    """True if some column holds values below a record and a name in it."""
    for column in range(first, stop):
        own = records[place][column : column + 1]
        if own and is_value(own[0]):
            continue
        cells = [r[column].strip() for r in records[place + 1 :] if len(r) > column]
        cells = [cell for cell in cells if cell]
        if cells and sum(map(is_value, cells)) >= MOSTLY * len(cells):
            return True
    return False
