"""Tasks as people ask for them, and as an adapter's card tells them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fmstudio.errors import BundleError, InputError
from fmstudio.types import TASK_KINDS, TaskSpec

LONGEST_NAME = 120  # of an outcome, in letters


def new_task(
    kind: str,
    label: str | Sequence[str] | None,
    positive: str | None,
    description: str,
    moment: float | None = None,
    positive_name: str = "",
    negative_name: str = "",
) -> TaskSpec:
    """A task whose labels are not known yet. Raises InputError if its parts do not fit."""
    if kind not in TASK_KINDS:
        raise InputError(
            f"There is no task '{kind}'.", hint=f"Use one of: {', '.join(TASK_KINDS)}."
        )
    columns = (label,) if isinstance(label, str) else tuple(label or ())
    if len(columns) > 1 and kind != "multilabel":
        raise InputError(
            f"A {kind} task has one label column, but {len(columns)} were given: "
            f"{', '.join(columns)}.",
            hint="Give one label column, or choose multilabel.",
        )
    if positive is not None and kind != "binary":
        raise InputError(
            f"A positive value ('{positive}') was given for a {kind} task.",
            hint="Only a binary task has one: leave it out.",
        )
    names = positive_name.strip(), negative_name.strip()
    if any(names) and kind != "binary":
        raise InputError(
            f"A name for an outcome ('{names[0] or names[1]}') was given for a {kind} task.",
            hint="Only a binary task takes names for its two outcomes: leave them out.",
        )
    for name in names:
        if len(name) > LONGEST_NAME or not name.isprintable():
            raise InputError(
                f"The name of an outcome cannot be '{name[:40]}'.",
                hint=f"Give up to {LONGEST_NAME} letters on one line, such as Deterioration "
                "within 48 h.",
            )
    if names[0] and names[0] == names[1]:
        raise InputError(
            f"Both outcomes are called '{names[0]}'.", hint="Give two different names."
        )
    if moment is not None and not 0 < moment < float("inf"):
        raise InputError(
            f"The time of prediction is {moment:g} h.",
            hint="Give hours after the beginning of a case, such as 48.",
        )
    return TaskSpec(kind, columns, (), positive, description, moment, *names)


def task_of(card: Mapping[str, Any]) -> TaskSpec:
    """The task in an adapter's card, which may come from elsewhere. Raises BundleError."""
    known = card["task"]
    names = (known.get("positive_name") or "", known.get("negative_name") or "")
    texts = (
        *known["columns"],
        *known["labels"],
        known["positive"] or "",
        known["description"],
        *names,
    )
    moment = known.get("moment")
    timed = moment is None or (isinstance(moment, int | float) and moment > 0)
    written = all(isinstance(text, str) for text in texts)
    if not (timed and written and known["kind"] in TASK_KINDS):
        raise BundleError(
            "The bundle's card.json does not say in a known way what the adapter predicts.",
            hint="Export the adapter again.",
        )
    return TaskSpec.from_dict(known)
