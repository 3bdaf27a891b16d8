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
    if column.name == label.name or column.distinct < 2:
        return False
    answered = [
        (same_value(value), same_value(outcome))
        for value, outcome in zip(column.values, label.values, strict=True)
        if not is_missing(value) and not is_missing(outcome)
    ]
    pairs = set(answered)
    values, outcomes = {value for value, _ in pairs}, {outcome for _, outcome in pairs}
    labelled = sum(not is_missing(outcome) for outcome in label.values)
    return (
        len(outcomes) > 1
        and len(pairs) == len(values)
        and len(answered) >= 0.5 * labelled
        and len(answered) >= CELLS_PER_VALUE * len(values)
    )
