"""Which unit the numbers of a column are in, and which of them are in another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fmstudio.cohort.audit.evidence import Evidence
from fmstudio.contracts import Measured, pipelines
from fmstudio.types import Quantity

FEWEST_UNUSUAL = 3  # values that would be unusual, but possible, in the column's own unit
MOST_SHARE = 0.5


@dataclass(frozen=True)
class Told:
    """Values by row of a known quantity, and the unit that the name says, "" for none."""

    quantity: Quantity
    named: str
    values: Mapping[int, float]


def measured_columns(evidence: Evidence) -> dict[str, Told]:
    """The columns of numbers whose quantity is known."""
    knows = [p for p in pipelines().values() if p.kind == "table" and isinstance(p, Measured)]
    found: dict[str, Told] = {}
    for column in evidence.of_kind("table"):
        numbers = evidence.numbers(column)
        known = next((k for p in knows if (k := p.quantity(column))), None)
        if numbers is not None and known is not None:
            values = dict(zip(evidence.rows, map(float, numbers), strict=True))
            found[column] = Told(*known, {r: v for r, v in values.items() if np.isfinite(v)})
    return found


def main_unit(told: Told) -> str:
    """The unit that the name says, unless most values are unusual in it, else where most fit."""
    return told.quantity.unit_of(np.array(list(told.values.values())), told.named)


def in_other_units(told: Told) -> dict[int, str]:
    """Row -> unit of the values that are not usual in the main unit but are in another one.

    Values that are possible in the main unit too are told only if several are alike.
    """
    main, found, sure = main_unit(told), dict[int, str](), 0
    own = told.quantity.within(told.quantity.usual, main)
    can = told.quantity.within(told.quantity.possible, main)
    for row, value in told.values.items():
        if own[0] <= value <= own[1]:
            continue
        for unit in told.quantity.units:
            low, high = told.quantity.within(told.quantity.usual, unit)
            if unit != main and low <= value <= high:
                found[row] = unit
                sure += not can[0] <= value <= can[1]
                break
    if len(found) > MOST_SHARE * len(told.values) or (not sure and len(found) < FEWEST_UNUSUAL):
        return {}
    return found
