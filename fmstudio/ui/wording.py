"""Values of the studio as words that people read: times, sizes, figures, names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fmstudio.results.metrics import headline_in

if TYPE_CHECKING:
    from fmstudio.training.estimate import Estimate

TASKS: Mapping[str, str] = {
    "binary": "Yes or no",
    "multiclass": "One of several classes",
    "multilabel": "Several findings, each yes or no",
    "regression": "A number",
}
"""The task kinds as a person would ask for them."""

STATES: Mapping[str, tuple[str, str]] = {
    "waiting": ("Waiting", "plain"),
    "running": ("Running", "accent"),
    "finished": ("Finished", "good"),
    "failed": ("Failed", "stop"),
    "stopped": ("Stopped", "plain"),
    "interrupted": ("Interrupted", "warning"),
}
"""The run states, and the tone of their badge."""


def moment_of(hours: float) -> str:
    """When a project predicts."""
    return f"Predicts {hours:g} h after the beginning of a case."


def duration(seconds: float | None) -> str:
    """'45 s', '3 min 20 s', '2 h 5 min', '2 days 3 h'; '–' where unknown."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    if 0 < seconds < 0.5:
        return "< 1 s"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    if whole < 48 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} days {whole % 86400 // 3600} h"


def estimated(cost: Estimate) -> str:
    """'about 2 min 10 s (1 min 31 s to 3 min 2 s)': the time that work is estimated to take."""
    low, high = cost.range
    return f"about {duration(cost.seconds)} ({duration(low)} to {duration(high)})"


def moment(when: datetime | None) -> str:
    """A time on this computer's clock: '14 Mar 2026, 09:05'."""
    if when is None:
        return "–"
    local = aware(when).astimezone()
    return f"{local.day} {local:%b %Y, %H:%M}"  # '%-d' is not known on Windows


def aware(when: datetime) -> datetime:
    """The same time with its zone; the registry's times are UTC."""
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def lasted(started: datetime | None, ended: datetime | None) -> str:
    """How long something took, or takes so far."""
    if started is None:
        return "–"
    until = aware(ended) if ended else datetime.now(UTC)
    return duration((until - aware(started)).total_seconds())


def headline(metrics: Mapping[str, Any] | None) -> tuple[str, Any] | None:
    """The one metric to show first, as (key, figure); None if there is none."""
    name = headline_in(metrics or {})
    return (name, metrics[name]) if metrics and name else None


def megabytes(size: float) -> str:
    """'0.4 MB', '346 MB', '3.4 GB'; '–' for nothing."""
    if size <= 0:
        return "–"
    if size >= 1000:
        return f"{size / 1000:.1f} GB"
    return f"{size:.0f} MB" if size >= 10 else f"{max(size, 0.1):.1f} MB"


def many(count: int) -> str:
    """'86.0 million', '1.2 billion', '32,384'."""
    if count >= 1e9:
        return f"{count / 1e9:.1f} billion"
    return f"{count / 1e6:.1f} million" if count >= 1e5 else f"{count:,}"


def listed(names: list[str] | tuple[str, ...], last: str = "and") -> str:
    """'a', 'a and b', 'a, b and c'."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"


def plural(count: int, singular: str, several: str | None = None) -> str:
    """'1 case', '12 cases'."""
    return f"{count:,} {singular if count == 1 else several or singular + 's'}"
