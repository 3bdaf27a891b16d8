"""Values that no living person can have, and codes for "not known" among numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from fmstudio.cohort.mending import accept, empty
from fmstudio.contracts import Measured, pipelines
from fmstudio.report.evidence import Evidence
from fmstudio.report.finding import Check, Finding, Mend, counted, some
from fmstudio.report.units import Told, in_other_units, main_unit, measured_columns

# Numbers that stand for "not known" in exports of statistics packages and hospital systems.
CODES = frozenset((-1.0, -9.0, -99.0, -999.0, -9999.0, 99.0, 999.0, 9999.0, 99999.0, 888.0, 8888.0))
FAR = 4.0  # lengths of the range of the other values by which a code lies outside of it
FEWEST = 20
FEWEST_CASES = 3  # a slip in one file of many is the monitor's, not the cohort's


def find(evidence: Evidence) -> Iterator[Finding]:
    """By column, then by channel of the files."""
    known = measured_columns(evidence)
    for column in evidence.of_kind("table"):
        numbers = evidence.numbers(column)
        if numbers is None:
            continue
        rows = _codes(dict(zip(evidence.rows, numbers, strict=True)))
        why = "a code for 'not known'"
        if column in known:
            beyond = impossible(known[column])
            why = f"no possible {known[column].quantity.name}" if beyond else why
            rows |= beyond
        if rows:
            shown = some([f"{value:g}" for value in dict.fromkeys(rows.values())])
            yield Finding(
                "impossible_values", "warning",
                f"'{column}' holds {counted(len(rows), 'value')} that can be {why}: {shown}.",
                "Correct them, or take them for missing.", (column,), tuple(sorted(rows)),
                (
                    Mend("Take them for missing", (empty(column, list(rows)),)),
                    Mend("The values are right", (accept("impossible_values", [column]),)),
                ),
            )  # fmt: skip
    yield from _in_files(evidence)


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
    """Values that are usual codes and far from all others."""
    known = {row: value for row, value in values.items() if np.isfinite(value)}
    suspects = {row: value for row, value in known.items() if value in CODES}
    rest = np.array([value for row, value in known.items() if row not in suspects])
    if len(rest) < FEWEST or not suspects or len(suspects) > len(rest):
        return {}
    low, high = np.percentile(rest, [1, 99])
    reach = FAR * max(float(high - low), 1e-9)
    below = low >= 0  # a negative code among values that are never negative needs no distance
    return {
        row: value
        for row, value in suspects.items()
        if value > high + reach or value < low - reach or (below and value < 0)
    }


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
                "impossible_values", "warning" if len(rows) >= FEWEST_CASES else "note",
                f"{pipeline.label}: {counted(len(rows), 'case')} with readings that no person can "
                f"have, by channel: {some(named, 8)}.",
                "Look at these files: a probe that fell off, a code for 'not known', or another "
                "unit. Correct the export where it is not the monitor's own doing.",
                tuple(evidence.columns_of(name)), tuple(rows),
                (Mend("Use them as they are",
                      (accept("impossible_values", evidence.columns_of(name)),)),),
            )  # fmt: skip


CHECK = Check("impossible_values", find)
