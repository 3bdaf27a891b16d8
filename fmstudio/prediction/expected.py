"""What an adapter expects of each named value: what training had of it, in which unit.

Made from what was learned of the features of a table or the channels of a series, as a card and a
processor hold it. Nothing here needs a model.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fmstudio.contracts import Measured, Pipeline
from fmstudio.types import Quantity

DATE = "date"  # the unit of days since 1970-01-01
_POWER = re.compile(r"10\^(\d+)")
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_LITRE = re.compile(r"(?<=/)(d|m|µ)?l$")


@dataclass(frozen=True)
class Expected:
    """One feature or channel. Numbers lay from `low` to `high` in `unit`, words were `categories`.

    `quantity` is what it measures, where that is known and training's own values agree, and
    `measured_in` which of its units they were in; `named` is the unit that training's files or the
    name itself told, right or not. `label` is what people call it.
    """

    name: str
    label: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    categories: tuple[str, ...] = ()
    quantity: Quantity | None = None
    measured_in: str = ""
    named: str = ""

    @classmethod
    def of(cls, pipeline: Pipeline, name: str, learned: Mapping[str, Any]) -> Expected:
        """From what was learned of a feature {quantiles, unit} or {categories}, or of a channel
        {low, high, unit}."""
        label, named = name, ""
        if isinstance(pipeline, Measured):
            label, named = pipeline.called(name)
        categories = tuple(str(one) for one in learned.get("categories") or ())
        ends = learned.get("quantiles") or [
            learned[end] for end in ("low", "high") if end in learned
        ]
        if categories or not ends:
            return cls(name, label, categories=categories)
        unit = str(learned.get("unit") or named)
        known = None if unit == DATE else _measured(pipeline, name, unit, np.array(ends, float))
        quantity, own = known or (None, "")
        shown = unit or own
        if own and isinstance(pipeline, Measured) and quantity is not None:
            # What the column is called may be wrong: its values say more.
            shown = shown if pipeline.unit(quantity, unit) == own else own
        low, high, shown = float(ends[0]), float(ends[-1]), written(shown)
        return cls(name, label, shown, low, high, (), quantity, own, unit)

    @property
    def is_date(self) -> bool:
        """Whether it is a moment."""
        return self.unit == DATE

    @property
    def seen(self) -> str:
        """'28 to 96', 'F or M', '2019-03-01 to 2021-12-24'; empty where nothing was learned."""
        if self.categories:
            most = 6
            shown = ", ".join(self.categories[:most])
            if len(self.categories) > most:
                return f"{shown} and {len(self.categories) - most} others"
            return " or ".join(
                [*filter(None, [", ".join(self.categories[:-1])]), self.categories[-1]]
            )
        if self.low is None or self.high is None:
            return ""
        return f"{self.said(self.low)} to {self.said(self.high)}"

    @property
    def possible(self) -> tuple[float, float] | None:
        """Between what a living person's value lies, in the unit of training; None if unknown."""
        if self.quantity is None:
            return None
        return self.quantity.within(self.quantity.possible, self.measured_in)

    def said(self, value: float) -> str:
        """A value as people write it."""
        if self.is_date:
            return moment(value)
        return plain(value)

    def inside(self, value: float) -> bool:
        """Whether training had values on both sides of it."""
        if self.low is None or self.high is None:
            return True
        slack = 1e-6 * max(abs(self.low), abs(self.high))
        return self.low - slack <= value <= self.high + slack

    def excess(self, value: float) -> float:
        """How far a number is from the middle of training's range, in halves of the range."""
        if self.low is None or self.high is None:
            return 0.0
        half = (self.high - self.low) / 2
        away = abs(value - (self.high + self.low) / 2)
        if away <= half:
            return away / half if half else 0.0
        return min(away / max(half, 1e-6 * abs(self.high), 1e-9), 1e6)


def expectations(
    pipeline: Pipeline, learned: Mapping[str, Mapping[str, Any]]
) -> dict[str, Expected]:
    """What is expected of each feature of a table, or each channel of a series."""
    return {name: Expected.of(pipeline, name, one) for name, one in learned.items()}


def _measured(
    pipeline: Pipeline, name: str, unit: str, values: np.ndarray
) -> tuple[Quantity, str] | None:
    """The quantity and the unit that the values of training are in; None where they fit none.

    A column that is called "age" and holds months is no age in years: its values decide.
    """
    known = pipeline.quantity(name, unit) if isinstance(pipeline, Measured) else None
    if known is None:
        return None
    quantity, named = known
    own = quantity.unit_of(values, named)
    return (quantity, own) if quantity.fitting(values, own) >= len(values) / 2 else None


def plain(value: float) -> str:
    """A number as people write it: 70, 9.7, 0.0042, 1200000."""
    if float(value).is_integer() and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.6g}" if abs(value) < 1e6 else f"{value:.0f}"


def short(value: float) -> str:
    """A converted number to four figures."""
    return plain(float(f"{value:.4g}"))


def moment(days: float) -> str:
    """A date, with the time of day where there is one, from days since 1970-01-01."""
    whole = math.floor(days + 1e-6)
    try:
        day = str(np.datetime64(whole, "D"))
    except (OverflowError, ValueError):
        return plain(days)
    minutes = round((days - whole) * 1440)
    return f"{day} {minutes // 60:02d}:{minutes % 60:02d}" if 0 < minutes < 1440 else day


def written(unit: str) -> str:
    """A unit as it is printed: mg/dL, 10⁹/L."""
    raised = _POWER.sub(lambda match: "10" + match[1].translate(_RAISED), unit)
    return _LITRE.sub(lambda match: f"{match[1] or ''}L", raised)
