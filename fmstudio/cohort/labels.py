"""Which columns hold the outcome, and which give it away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fmstudio.cohort.cells import is_missing, same_value
from fmstudio.cohort.columns import Column

CELLS_PER_VALUE = 5  # fewer, and a column separates the classes by chance


def is_label_name(column: Column) -> bool:
    """True for `label`, `label_…`, `outcome` and `target`, unless its name says it is leaky."""
    words = column.words
    named = words[:1] in (("label",), ("target",)) or words == ("outcome",)
    return named and "leaky" not in words


def choose_labels(columns: Sequence[Column], kind: str | None) -> Mapping[str, str]:
    """The outcome's column by name, and why; {} if no name fits.

    For multilabel all candidates, else the first whose values fit the task's kind.
    """
    candidates = [column for column in columns if is_label_name(column) and column.filled]
    if kind == "multilabel":
        return {column.name: "its name" for column in candidates}
    fitting = [column for column in candidates if _fits(column, kind)] or candidates
    if not fitting:
        return {}
    others = [column.name for column in candidates if column is not fitting[0]]
    more = f", the first of several (also: {', '.join(others)})" if others else ""
    return {fitting[0].name: f"its name{more}"}


def _fits(column: Column, kind: str | None) -> bool:
    answers = len({same_value(value) for value in column.values if not is_missing(value)})
    if kind == "binary":
        return answers == 2
    if kind == "multiclass":
        return answers > 2
    return kind != "regression" or (column.numbers and answers > 2)


def gives_away(column: Column, label: Column) -> bool:
    """True if each value of a column goes with one outcome only, in most rows of a real table."""
    too_many = column.distinct * CELLS_PER_VALUE > column.filled
    if column.name == label.name or column.distinct < 2 or too_many:
        return False
    found: dict[str, str] = {}
    answered = 0
    for value, outcome in zip(column.values, label.values, strict=True):
        if is_missing(value) or is_missing(outcome):
            continue
        answered += 1
        key, answer = same_value(value), same_value(outcome)
        if found.setdefault(key, answer) != answer:
            return False
    labelled = sum(not is_missing(outcome) for outcome in label.values)
    enough = answered >= max(0.5 * labelled, CELLS_PER_VALUE * len(found))
    return enough and len(set(found.values())) > 1
