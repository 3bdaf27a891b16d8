"""What a check of a cohort finds, and what a person can do about it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from fmstudio.types import Question, to_json

SEVERITIES = ("stop", "warning", "note")

Step = Mapping[str, Any]


@dataclass(frozen=True)
class Mend:
    """A way to clean up a finding: words for a button, and the steps (see cohort/cleaning.py)."""

    label: str
    steps: tuple[Step, ...]

    @property
    def accepts(self) -> bool:
        """Whether it only says that what was found is right as it is."""
        return all(step["do"] == "accept" for step in self.steps)


@dataclass(frozen=True)
class LikelyAnswers(Question):
    """A question whose answer settles a finding, with the answers that fit most files first."""

    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """Something to look at. `rows` count from 0 in the manifest's order.

    `must_answer`: a person resolves or accepts it before training. `places` are where in a
    file's picture it is: (row, "top left bottom right file"); the answer to any of `asks` settles
    it. `id` tells the findings of an audit apart. `about` does so for those of one kind and the
    same columns until they have one.
    Messages name columns, files and words of a vocabulary, never what identifies a patient.
    """

    kind: str
    severity: str
    message: str
    fix: str
    columns: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()
    mends: tuple[Mend, ...] = ()
    must_answer: Literal[True] | None = None
    about: str | None = None
    places: tuple[tuple[int, str], ...] | None = None
    asks: tuple[LikelyAnswers, ...] | None = None
    id: str = ""

    @property
    def stops(self) -> bool:
        """Whether nothing may be learned from the cohort until it is cleaned or answered."""
        return self.severity == "stop" or bool(self.must_answer)

    def numbered(self, number: int) -> Finding:
        """The finding with its id, as the `number`th of its kind and columns, from 0."""
        mark = to_json([self.kind, self.columns, number])
        return replace(self, id=hashlib.sha256(mark.encode()).hexdigest()[:6], about=None)
