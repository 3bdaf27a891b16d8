"""Values as people read them: numbers, and metrics with their 95 % intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from fmstudio.types import Interval

NOTHING = "–"


def printable(text: object) -> str:
    """Text on one line; what cannot be printed, such as a terminal's commands, as '\ufffd'."""
    signs = (sign if sign.isprintable() or sign.isspace() else "\ufffd" for sign in str(text))
    return " ".join("".join(signs).split())


def number(value: Any, digits: int = 3) -> str:
    """A number to `digits` places, integers whole; '–' for nothing."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return NOTHING
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.{digits}f}"


def interval(figure: Any, digits: int = 3) -> str:
    """'0.870 (0.810 to 0.920)' of an interval or its JSON; plain numbers as they are.

    With the prevalence where that is what guessing reaches, and how large an error is by chance.
    """
    if isinstance(figure, Interval):
        figure = figure.as_dict()
    if not isinstance(figure, Mapping):
        return number(figure, digits)
    value = number(figure.get("value"), digits)
    beyond = bounds(figure, digits)
    return " ".join([value, *(f"({part})" for part in (beyond, *beside(figure)) if part)])


def bounds(figure: Any, digits: int = 3) -> str:
    """'0.810 to 0.920', the 95 % interval of a metric or its JSON; "" where it has none."""
    if isinstance(figure, Interval):
        figure = figure.as_dict()
    if not isinstance(figure, Mapping):
        return ""
    low, high = figure.get("low"), figure.get("high")
    if low is None or high is None:
        return ""
    return f"{number(low, digits)} to {number(high, digits)}"


def beside(figure: Interval | Mapping[str, Any]) -> list[str]:
    """What a metric has to be held against: 'prevalence 0.340', 'by chance up to 0.120'."""
    if isinstance(figure, Interval):
        figure = figure.as_dict()
    known = {"prevalence": "prevalence", "by_chance": "by chance up to"}
    return [
        f"{words} {number(figure[key])}"
        for key, words in known.items()
        if figure.get(key) is not None
    ]


def percent(share: float) -> str:
    """'7.3 %'; never 0 % or 100 % where it is not so."""
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{100 * share:.1f} %"
