"""Nothing is learned before a person has answered what may tell who the patients are."""

from __future__ import annotations

import getpass

from fmstudio.errors import InputError
from fmstudio.records import CohortRecord


def account() -> str:
    """The name of the account that the studio runs under, for what a person has confirmed."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # no account of that number, as in some containers
        return "unknown account"


def check_answered(record: CohortRecord) -> None:
    """Raises InputError while a finding on who the patients are waits for its answer."""
    waiting = record.audit.unanswered
    if waiting:
        more = f" ({len(waiting) - 1} more like it)" if len(waiting) > 1 else ""
        raise InputError(
            f"Cohort '{record.name}' may identify its patients, and nobody has answered that yet: "
            f"{waiting[0].message}{more}",
            hint=f"{waiting[0].fix} Answer on the page Data, with `cohort clean PROJECT "
            f"{waiting[0].id}`, or for all at once with --identifiers-confirmed-by NAME.",
        )
