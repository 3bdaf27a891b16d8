"""What people may call things: names that fit a command line, a file and PROJECT/ALIAS."""

from __future__ import annotations

import re

from fmstudio.errors import InputError

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
