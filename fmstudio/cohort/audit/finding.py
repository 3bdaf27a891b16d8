"""What a check finds, and what a person can do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fmstudio.results.finding import Finding

if TYPE_CHECKING:
    from fmstudio.cohort.audit.evidence import Evidence


@dataclass(frozen=True)
class Check:
    """One file of checks/: a pure function, and whether it needs the frozen base's opinion."""

    name: str
    find: Callable[[Evidence], Iterable[Finding]]
    probes: bool = False


def some(words: Sequence[object], most: int = 3) -> str:
    """The first few, and how many more there are."""
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(map(str, words[:most])) + more


def counted(number: int, thing: str) -> str:
    """'1 case', '2 cases'."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
