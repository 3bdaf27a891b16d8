"""Tasks as people ask for them, and as an adapter's card tells them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fmstudio.errors import BundleError, InputError
from fmstudio.types import TASK_KINDS, TaskSpec


def new_task(
    kind: str,
    label: str | Sequence[str] | None,
    positive: str | None,
    description: str,
    moment: float | None = None,
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
    if moment is not None and not 0 < moment < float("inf"):
        raise InputError(
            f"The time of prediction is {moment:g} h.",
            hint="Give hours after the beginning of a case, such as 48.",
        )
    return TaskSpec(kind, columns, positive=positive, description=description, moment=moment)


def task_of(card: Mapping[str, Any]) -> TaskSpec:
    """The task in an adapter's card, which may come from elsewhere. Raises BundleError."""
    known = card["task"]
    texts = (*known["columns"], *known["labels"], known["positive"] or "", known["description"])
    moment = known.get("moment")
    timed = moment is None or (isinstance(moment, int | float) and moment > 0)
    written = all(isinstance(text, str) for text in texts)
    if not (timed and written and known["kind"] in TASK_KINDS):
        raise BundleError(
            "The bundle's card.json does not say in a known way what the adapter predicts.",
            hint="Export the adapter again.",
        )
    return TaskSpec.from_dict(known)
