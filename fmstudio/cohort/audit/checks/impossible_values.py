"""Values that no living person can have, and codes for "not known" among numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np

from fmstudio.cohort.audit.evidence import Evidence
from fmstudio.cohort.audit.finding import Check, counted, some
from fmstudio.cohort.audit.units import Told, in_other_units, main_unit, measured_columns
from fmstudio.cohort.cleaning import accept, empty
from fmstudio.cohort.dates import EXCEL_DAYS
from fmstudio.contracts import Measured, pipelines
from fmstudio.results.finding import Finding, Mend

# Numbers that stand for "not known", "refused", "not done" in exports of statistics packages and
# hospital systems: a digit again and again, or below zero.
CODES = frozenset(
    float(sign * int(str(digit) * length))
    for digit in (6, 7, 8, 9)
    for length in (2, 3, 4, 5, 6)
    for sign in (1, -1)
) | frozenset(float(-digit) for digit in range(1, 10))
LONE = frozenset((-1.0, -9.0, -99.0, -999.0, -9999.0))  # below zero, and codes even if there once
FAR = 4.0  # lengths of the range of the other values by which a code lies outside of it
APART = 1.0  # the same for a code that is there several times
REPEATED = 2
OFTEN = 3  # times that a number of any kind is there before it can be a code
RARE = 0.2  # and the share of the values that may be as far
FEWEST_VALUES = 20
FEWEST_CASES = 3  # a slip in one file of many is the monitor's, not the cohort's


def find(evidence: Evidence) -> Iterator[Finding]:
    """By column, then by channel of the files."""
    known = measured_columns(evidence)
    for column in evidence.of_kind("table"):
        numbers = evidence.numbers(column)
        if numbers is None:
            continue
        yield from _infinite(evidence, column)
        rows = _codes(dict(zip(evidence.rows, numbers, strict=True)))
        why = "a code for 'not known'"
        if column in known:
            beyond = impossible(known[column])
            why = f"no possible {known[column].quantity.name}" if beyond else why
            rows |= beyond
        if rows:
            days = [row for row, value in rows.items() if _is_day_number(value)]
            if column in known and len(days) > len(rows) / 2:
                why += " (dates that a spreadsheet stored as numbers of days?)"
            shown = some([f"{value:g}" for value in dict.fromkeys(rows.values())])
            yield Finding(
                "impossible_values",
                "warning",
                f"'{column}' holds {counted(len(rows), 'value')} that can be {why}: {shown}.",
                "Correct them, or take them for missing.",
                (column,),
                tuple(sorted(rows)),
                (
                    Mend("Take them for missing", (empty(column, list(rows)),)),
                    Mend("The values are right", (accept("impossible_values", [column]),)),
                ),
            )
    yield from _in_files(evidence)


def _infinite(evidence: Evidence, column: str) -> Iterator[Finding]:
    """Words for infinity, and numbers that are larger than any measurement."""
    infinite = np.isinf(evidence.values(column))
    rows = [row for row, is_so in zip(evidence.rows, infinite, strict=True) if is_so]
    if rows:
        yield Finding(
            "impossible_values",
            "warning",
            f"'{column}' holds {counted(len(rows), 'value')} that are infinite or larger than any "
            "measurement; they count as missing.",
            "Correct them, or take them for missing.",
            (column,),
            tuple(rows),
            (Mend("Take them for missing", (empty(column, rows),)),),
        )


def _is_day_number(value: float) -> bool:
    return value == int(value) and EXCEL_DAYS[0] <= value < EXCEL_DAYS[1]


def impossible(told: Told) -> dict[int, float]:
    """The values outside what is possible in the column's unit, but for those in another unit."""
    main, others = main_unit(told), in_other_units(told)
    low, high = told.quantity.within(told.quantity.possible, main)
    return {
        row: value
        for row, value in told.values.items()
        if row not in others and not low - 1e-9 <= value <= high + 1e-9
    }


def _codes(values: Mapping[int, float]) -> dict[int, float]:
    """Values that are usual codes, or there again and again, and far from all others."""
    known = {row: value for row, value in values.items() if np.isfinite(value)}
    times = Counter(known.values())
    body = np.array([value for value in known.values() if value not in CODES])
    if len(body) < FEWEST_VALUES or len(body) < len(known) / 2:
        return {}
    never_negative = bool(body.min() >= 0)

    def is_code(value: float) -> bool:
        if value in CODES:
            # A negative code among values that are never negative needs no distance.
            several = times[value] >= REPEATED
            below = never_negative and value < 0 and (several or value in LONE)
            return below or _distance(value, body) > (APART if several else FAR)
        repeated = times[value] >= OFTEN and value == int(value)
        return repeated and any(
            len(rest) >= (1 - RARE) * len(body) and _distance(value, rest) > FAR
            for rest in (body[body < value], body[body > value])
        )

    return {row: value for row, value in known.items() if is_code(value)}


def _distance(value: float, others: np.ndarray) -> float:
    """How far a value lies outside of others, in lengths of their range."""
    low, high = np.percentile(others, [1, 99])
    return float(max(value - high, low - value) / max(high - low, 1e-9))


def _in_files(evidence: Evidence) -> Iterator[Finding]:
    for name in evidence.cohort.modalities:
        pipeline = pipelines()[name]
        if not isinstance(pipeline, Measured):
            continue
        found: dict[str, set[int]] = {}
        for row, digest in evidence.read(name):
            for feature, (unit, low, high, _, _) in digest.numbers.items():
                quantity = pipeline.quantity(feature, unit)
                if quantity is None:
                    continue
                ends = Told(*quantity, {0: low, 1: high})
                if impossible(ends) and not in_other_units(ends):
                    found.setdefault(feature, set()).add(row)
        rows = sorted(set().union(*found.values()))
        if rows:
            named = [f"{feature} ({len(own)})" for feature, own in found.items()]
            yield Finding(
                "impossible_values",
                "warning" if len(rows) >= FEWEST_CASES else "note",
                f"{pipeline.label}: {counted(len(rows), 'case')} with readings that no person can "
                f"have, by channel: {some(named, 8)}.",
                "Look at these files: a probe that fell off, a code for 'not known', or another "
                "unit. Correct the export where it is not the monitor's own doing.",
                tuple(evidence.columns_of(name)),
                tuple(rows),
                (
                    Mend(
                        "Use them as they are",
                        (accept("impossible_values", evidence.columns_of(name)),),
                    ),
                ),
            )


CHECK = Check("impossible_values", find)
