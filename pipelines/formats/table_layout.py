"""The first rows of a table -> which one is its header, and where its values begin.

Sensors and laboratories write lines above the header (device, patient, settings) and rows of units
below it. What a column is, its values tell: the header is the last row of words above rows whose
cells agree with those further down.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.cells import MISSING, read_cell, split_unit
from pipelines.times import is_time_name, read_clock

SAMPLE_ROWS = 120  # looked at: enough for any preamble that was met
_SAMPLE_COLUMNS = 60
_DELIMITERS = (",", ";", "\t", "|")
_BOUND_WORDS = frozenset(("low", "high", "lo", "hi"))
_UNIT_LIKE = frozenset(
    (
        "s",
        "sec",
        "ms",
        "us",
        "µs",
        "ns",
        "min",
        "h",
        "hz",
        "mv",
        "uv",
        "µv",
        "v",
        "mmhg",
        "bpm",
        "%",
        "°c",
        "degc",
        "c",
        "g",
        "m/s2",
        "m/s^2",
        "m/s²",
        "deg/s",
        "a.u.",
        "au",
        "nu",
        "adu",
        "mg/dl",
        "mmol/l",
        "ml",
        "l/min",
        "cmh2o",
        "hh:mm:ss",
        "hh:mm:ss.mmm",
        "mm:ss",
        "yyyy-mm-dd",
        "count",
        "counts",
        "steps",
        "bool",
        "no units",
        "no unit",
        "unitless",
        "cal",
        "raw",
    )
)


@dataclass(frozen=True)
class Layout:
    """`header` is the row of names, None where the values begin at once; `shifted` is True where
    rows have one cell more than the header, in front: the row names that R writes."""

    header: int | None
    shifted: bool = False


def find_delimiter(lines: Sequence[str]) -> str:
    """The delimiter that splits the lines most evenly, those far down above all."""

    def fit(delimiter: str) -> tuple[float, float, int]:
        counts = [len(row) for row in csv.reader(lines, delimiter=delimiter)]
        below = counts[len(counts) // 2 :]
        usual = Counter(below).most_common(1)[0][0] if below else 1
        if usual < 2:
            return 0.0, 0.0, 0
        shares = (part.count(usual) / len(part) for part in (below, counts))
        return *shares, usual  # type: ignore[return-value]

    return max(_DELIMITERS, key=fit)


def find_layout(rows: Sequence[Sequence[str]], decimal: str = ".") -> Layout:
    """Where the header is among the first rows of a table, blank ones not counted.

    The first row is the header unless it is too narrow for the rows below or holds values itself,
    or a later row is clearly one: it names a time above times, or it stands above nothing but
    numbers.
    """
    kinds = [[_kind(cell, decimal) for cell in row[:_SAMPLE_COLUMNS]] for row in rows]
    usual = _usual(kinds)
    first = _first_values(kinds, usual)
    if first == 0:
        return Layout(0 if _counts_columns(rows[0]) else None)
    width = _width(rows, first or 1)
    above = [
        i
        for i in range(first or 1)
        if _names_columns(rows[i], kinds[i])
        and len(trimmed(rows[i])) >= width
        and not is_units_row(rows[i])
    ]
    clear = [i for i in above if _is_clear(rows[i], usual)]
    header = clear[-1] if clear else above[0] if above else 0
    below = rows[header + 1 :]
    longer = sum(len(row) == len(rows[header]) + 1 and row[-1].strip() != "" for row in below)
    return Layout(header, bool(below) and longer == len(below) and rows[header][0].strip() != "")


def _is_clear(row: Sequence[str], usual: Sequence[str]) -> bool:
    """True if a row of names stands above what it names: a time above times, or all numbers."""
    below = usual[: len(row)]
    timed = any(kind == "n" and is_time_name(cell) for cell, kind in zip(row, below, strict=False))
    return timed or ("n" in below and "w" not in below)


def is_units_row(row: Sequence[str]) -> bool:
    """True if every filled cell of a row is a unit or stands in brackets, as below many headers."""
    filled = [cell.strip().strip("'\"").lower() for cell in row if cell.strip()]
    return bool(filled) and all(
        cell in _UNIT_LIKE
        or (split_unit(f"x ({cell})")[1] == cell and (cell[:1] + cell[-1:]) in ("()", "[]"))
        or split_unit(f"x_{cell.replace('/', '_')}")[1] != ""
        for cell in filled
    )


def _kind(cell: str, decimal: str) -> str:
    """n for a number, date or time, w for words, "" for nothing."""
    text = cell.strip().strip("'\"")
    if text.lower() in MISSING:
        return ""
    read = read_cell(text, decimal)
    if read.number is not None or read.remark or read_clock(text) is not None:
        return "n"
    return "n" if text.lower() in _BOUND_WORDS else "w"


def _usual(kinds: Sequence[Sequence[str]]) -> list[str]:
    """What the cells of each column mostly are in the second half of the rows."""
    below = kinds[len(kinds) // 2 :]
    usual = []
    for column in range(max(map(len, below), default=0)):
        counts = Counter(row[column] for row in below if column < len(row) and row[column])
        usual.append(counts.most_common(1)[0][0] if counts else "")
    return usual


def _first_values(kinds: Sequence[Sequence[str]], usual: Sequence[str]) -> int | None:
    """The first row that agrees with the rows further down; None where nothing is a number."""
    for i, row in enumerate(kinds):
        pairs = [pair for pair in zip(row, usual, strict=False) if pair[0]]
        agrees = any(kind == "n" == want for kind, want in pairs)
        if agrees and not any(kind == "w" and want == "n" for kind, want in pairs):
            return i
    return None


def _names_columns(row: Sequence[str], kinds: Sequence[str]) -> bool:
    """True if a row could name columns: words, none of them twice, and no number."""
    filled = [cell.strip() for cell in row if cell.strip()]
    return "n" not in kinds and "w" in kinds and len(set(filled)) == len(filled)


def _counts_columns(row: Sequence[str]) -> bool:
    """True for the numbers that pandas and spreadsheets give to columns without a name."""
    filled = [cell.strip() for cell in row if cell.strip()]
    counts = [[str(i + first) for i in range(len(filled))] for first in (0, 1)]
    return filled in counts and (len(filled) > 2 or (len(filled) > 1 and not row[0].strip()))


def trimmed(row: Sequence[str]) -> Sequence[str]:
    """A row without the empty cells at its end."""
    end = len(row)
    while end and not row[end - 1].strip():
        end -= 1
    return row[:end]


def _width(rows: Sequence[Sequence[str]], first: int) -> int:
    """How many cells rows of values usually have."""
    counts = Counter(len(trimmed(row)) for row in rows[first:])
    return counts.most_common(1)[0][0] if counts else 1
