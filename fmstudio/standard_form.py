"""Whether an input has the standard form of its kind: what `types.ModalityInput` promises."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from fmstudio.types import ModalityInput


def deviation(given: ModalityInput) -> str:
    """The first promise of its kind that an input breaks; empty if it keeps them all.

    Checked where foreign files are read, so that no model ever sees a value that is not a number,
    or a picture whose intensities are out of range.
    """
    checks: Mapping[str, Callable[[ModalityInput], str]] = {
        "frames": _frames,
        "waveform": _waveform,
        "series": _series,
        "table": _table,
        "text": _text,
    }
    if given.kind not in checks:
        return f"there is no kind '{given.kind}'"
    if np.asarray(given.mask).dtype != bool:
        return "the mask is not of bool"
    return checks[given.kind](given)


def _numbers(given: ModalityInput, dimensions: int, masked: int) -> str:
    """Shape, type and finite values; the mask covers the first `masked` axes."""
    values, mask = given.values, np.asarray(given.mask)
    if not isinstance(values, np.ndarray) or values.dtype != np.float32:
        return "the values are not of float32"
    if values.ndim != dimensions:
        return f"the values have {values.ndim} axes in place of {dimensions}"
    if mask.shape != values.shape[:masked]:
        return f"the mask has the shape {mask.shape} beside values of {values.shape}"
    if not np.isfinite(values).all():
        return "some values are not finite"
    if values[~mask].any():
        return "values that are masked are not 0"
    return ""


def _within(values: np.ndarray, low: float, high: float) -> str:
    out = values.size and (values.min() < low or values.max() > high)
    return f"values are outside {low:g} to {high:g}" if out else ""


def _lengths(given: ModalityInput, count: int, *names: str) -> str:
    for name in names:
        if len(given.facts[name]) != count:
            return f"there are {len(given.facts[name])} {name} for {count}"
    return ""


def _frames(given: ModalityInput) -> str:
    wrong = _numbers(given, 4, 1)
    if wrong:
        return wrong
    values = np.asarray(given.values)
    if len(values) and values.shape[1] not in (1, 3):
        return f"a frame has {values.shape[1]} channels"
    seconds = given.facts["seconds_per_frame"]
    if seconds is not None and not 0 < seconds < math.inf:
        return "the time of a frame is not positive"
    return _within(values, 0.0, 1.0) or _lengths(given, len(values), "names")


def _waveform(given: ModalityInput) -> str:
    wrong = _numbers(given, 1, 1)
    if wrong:
        return wrong
    if not 0 < given.facts["rate"] < math.inf:
        return "the rate is not positive"
    return _within(np.asarray(given.values), -1.0, 1.0)


def _series(given: ModalityInput) -> str:
    wrong = _numbers(given, 2, 2)
    if wrong:
        return wrong
    steps, channels = np.asarray(given.values).shape
    seconds: list[Any] = list(given.facts["seconds"])
    if any(not math.isfinite(second) for second in seconds):
        return "some times are not finite"
    if any(later < earlier for earlier, later in pairwise(seconds)):
        return "the times do not ascend"
    return _lengths(given, steps, "seconds") or _lengths(given, channels, "channels", "units")


def _table(given: ModalityInput) -> str:
    return _numbers(given, 1, 1) or _lengths(
        given, len(given.values), "names", "units", "categories"
    )


def _text(given: ModalityInput) -> str:
    if not isinstance(given.values, str):
        return "the value is no text"
    return "" if np.asarray(given.mask).shape == (1,) else "the mask of a text has one value"
