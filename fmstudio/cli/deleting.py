"""The commands that delete: projects, cohorts and adapters, each with all that is known of it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from fmstudio.errors import InputError

if TYPE_CHECKING:
    from fmstudio.studio import Studio
    from fmstudio.studio.deletion import Deleted

Answer = tuple[Any, str]


def project(studio: Studio, args: argparse.Namespace) -> Answer:
    found = studio.projects.get(args.name)
    _check_sure(args, f"The project '{found.name}'", "its runs and adapters would go too")
    studio.projects.delete(found.id)
    return {"deleted": found.name}, f"Deleted the project '{found.name}'."


def cohort(studio: Studio, args: argparse.Namespace) -> Answer:
    found = studio.cohorts.get(args.cohort)
    _check_sure(args, f"The cohort '{found.name}'", "its copied files would go too")
    deleted = studio.cohorts.delete(found.id)
    return deleted, told(f"Deleted the cohort '{deleted.what}'.", deleted)


def patient(studio: Studio, args: argparse.Namespace) -> Answer:
    found = studio.cohorts.get(args.cohort)
    _check_sure(args, f"The patient of '{found.name}'", "rows and files would go for good")
    removed = studio.cohorts.remove_patient(found.id, args.patient)
    return removed, told(f"Removed the patient '{removed.what}' from '{found.name}'.", removed)


def adapter(studio: Studio, args: argparse.Namespace) -> Answer:
    found = studio.adapters.get(args.adapter)
    _check_sure(args, f"The adapter {found.id}", "its stored predictions would go too")
    studio.adapters.delete(found.id)
    return {"deleted": found.id}, f"Deleted the adapter {found.id}."


def _check_sure(args: argparse.Namespace, what: str, why: str) -> None:
    if not args.yes:
        raise InputError(
            f"{what} was not deleted: {why}.", hint="Add --yes if that is what you want."
        )


def told(first: str, deleted: Deleted) -> str:
    """What was deleted, and what is left that learned from it."""
    from fmstudio.studio.deletion import KEEPS

    lines = [first, *deleted.remarks]
    if deleted.adapters:
        lines.append(f"Still there, trained with it: {', '.join(deleted.adapters)}. {KEEPS}")
    if deleted.runs:
        lines.append(f"Runs that used it: {', '.join(deleted.runs)}.")
    return "\n".join(lines)
