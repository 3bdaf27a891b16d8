"""What a check finds, and what a person can do about it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from fmstudio.types import Question, to_json

if TYPE_CHECKING:
    from fmstudio.cohort.audit.evidence import Evidence

SEVERITIES = ("stop", "warning", "note")

Step = Mapping[str, Any]


@dataclass(frozen=True)
class Mend:
    """A way to mend a finding: words for a button, and the steps (see cohort/mending.py)."""

    label: str
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Finding:
    """Something to look at. `rows` count from 0 in the manifest's order.

    One with `gate` must be answered by a person before anything is learned: mended, or accepted.
    `about` tells findings of one kind and the same columns apart where they are answered one by
    one; `places` are where in a file's picture it is: (row, "top left bottom right file"); `asks`
    are questions whose answer settles it, each with likely answers.
    Messages name columns, files and words of a vocabulary, never what identifies a patient.
    """

    kind: str
    severity: str
    message: str
    fix: str
    columns: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()
    mends: tuple[Mend, ...] = ()
    gate: bool = False
    about: str = ""
    places: tuple[tuple[int, str], ...] = ()
    asks: tuple[tuple[Question, tuple[str, ...]], ...] = ()

    def as_dict(self, number: int) -> dict[str, Any]:
        """As JSON; `number` tells findings of one kind and the same columns apart."""
        mark = hashlib.sha256(to_json([self.kind, self.columns, number]).encode()).hexdigest()[:6]
        more: dict[str, Any] = {"must_answer": True} if self.gate else {}
        more |= {"places": [list(place) for place in self.places]} if self.places else {}
        if self.asks:
            more["asks"] = [{**asdict(one), "choices": list(likely)} for one, likely in self.asks]
        return {
            "id": mark,
            "kind": self.kind,
            "severity": self.severity,
            "columns": list(self.columns),
            "rows": list(self.rows),
            "message": self.message,
            "fix": self.fix,
            "mends": [{"label": m.label, "steps": [dict(s) for s in m.steps]} for m in self.mends],
            **more,
        }


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
