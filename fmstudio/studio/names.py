"""What people may ask for: names that fit a command line and PROJECT/ALIAS, and tasks."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fmstudio.errors import InputError
from fmstudio.types import TASK_KINDS, TaskSpec

LONGEST = 80


def check_project_name(name: str) -> str:
    """The name without surrounding blanks. Raises InputError if it cannot name a project."""
    name = name.strip()
    if not name or len(name) > LONGEST or "/" in name or not name.isprintable():
        raise InputError(
            f"'{name[:LONGEST]}' cannot be a project's name.",
            hint=f"Use 1 to {LONGEST} printable characters without '/'.",
        )
    return name


def check_alias(alias: str) -> str:
    """The alias. Raises InputError if it is not a short word."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", alias):
        raise InputError(
            f"'{alias[:40]}' cannot be an alias.",
            hint="Use up to 40 lower-case letters, digits, '-' and '_', such as champion.",
        )
    return alias


def new_task(
    kind: str, label: str | Sequence[str] | None, positive: str | None, description: str
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
    return TaskSpec(kind, columns, positive=positive, description=description)
