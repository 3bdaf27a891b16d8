"""Columns that look made after the outcome: by their name, or because whether they are filled
tells it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from fmstudio.cohort.audit.discrimination import NOTE_LEVEL, Separation, of_categories, significant
from fmstudio.cohort.audit.evidence import Evidence, strongest
from fmstudio.cohort.audit.finding import Check, some
from fmstudio.cohort.cells import is_missing
from fmstudio.cohort.cleaning import accept, give_role
from fmstudio.cohort.roles import known_afterwards
from fmstudio.results.finding import Finding, Mend

NOTEWORTHY = 0.6
TOO_GOOD = 0.85
FEWEST_GAPS = 5


def find(evidence: Evidence) -> Iterator[Finding]:
    """Names first, then gaps."""
    inputs, labels = evidence.inputs(), set(evidence.cohort.task.columns)
    named = [c for c in evidence.manifest.columns if known_afterwards(c) and c not in labels]
    for column in (c for c in named if c in inputs):
        yield Finding(
            "after_outcome",
            "warning",
            f"'{column}' is an input, and its name says that it was known only after the outcome.",
            "Leave it out, unless it was known at the time of prediction.",
            (column,),
            (),
            _mends(column),
        )
    aside = [column for column in named if column not in inputs]
    if aside:
        known = {column: strongest(evidence.separations(column)) for column in aside}
        told = [f"{c} ({best.auroc:.2f})" if best else c for c, best in known.items()]
        yield Finding(
            "after_outcome",
            "note",
            f"Left out already, known only after the outcome by their names (and the AUROC that "
            f"each would reach alone): {some(told, 8)}.",
            "Nothing to do. Give a column the role of an input if it was known before.",
            tuple(aside),
        )
    yield from _gaps(evidence, inputs)


def _gaps(evidence: Evidence, inputs: set[str]) -> Iterator[Finding]:
    """Columns whose being filled tells the outcome: recorded only once it was known."""
    there = {
        c: np.array([not is_missing(cell) for cell in evidence.cells(c)], float)
        for c in evidence.manifest.columns
        if c in inputs
    }
    there = {c: v for c, v in there.items() if FEWEST_GAPS <= v.sum() <= len(v) - FEWEST_GAPS}
    patterns = {filled.tobytes() for filled in there.values()}  # asked together, missing together
    tests = len(patterns) * len(evidence.questions)
    found: dict[str, Separation] = {}
    for column, filled in there.items():
        best = strongest([s for s in evidence.separations_of(filled) if significant(s, tests)])
        if best is not None and best.auroc >= NOTEWORTHY:
            found[column] = best
    for column in (c for c, best in found.items() if best.auroc >= TOO_GOOD):
        yield Finding(
            "after_outcome",
            "warning",
            f"Whether '{column}' is filled tells '{found[column].question}' with an AUROC of "
            f"{found[column].auroc:.2f}: it looks recorded once the outcome was known.",
            "Leave it out, unless it is missing for the same reason at prediction.",
            (column,),
            (),
            _mends(column),
        )
    rest = {c: best for c, best in found.items() if best.auroc < TOO_GOOD}
    pattern = _pattern(evidence, there)
    if rest or pattern is not None:
        columns = tuple(rest or there)
        best = max([*rest.values(), *([pattern] if pattern else [])], key=lambda one: one.auroc)
        sure = bool(rest) or significant(best, 1)
        yield Finding(
            "after_outcome",
            "warning" if sure else "note",
            f"Which values are missing tells '{best.question}' with an AUROC of {best.auroc:.2f}: "
            f"{some(columns, 8)}.",
            "Find out why these values are missing. Where the reason came after the outcome, leave "
            "the columns out.",
            columns,
            (),
            (
                Mend("Leave these columns out", tuple(give_role(c, "ignore") for c in columns)),
                Mend("The gaps are fair", (accept("after_outcome", columns),)),
            )
            if sure
            else (),
        )


def _pattern(evidence: Evidence, there: Mapping[str, np.ndarray]) -> Separation | None:
    """What all gaps of a case together tell."""
    if len(there) < 2:
        return None
    patterns = [
        "".join("x" if f else "-" for f in row) for row in zip(*there.values(), strict=True)
    ]
    found = [
        of_categories(patterns, question, evidence.patients) for question in evidence.questions
    ]
    tests = len(evidence.questions)
    told = [one for one in found if one is not None and significant(one, tests, NOTE_LEVEL)]
    best = strongest(told)
    return best if best is not None and best.auroc >= NOTEWORTHY else None


def _mends(column: str) -> tuple[Mend, ...]:
    return (
        Mend(f"Leave out '{column}'", (give_role(column, "ignore"),)),
        Mend("It was known before", (accept("after_outcome", [column]),)),
    )


CHECK = Check("after_outcome", find)
