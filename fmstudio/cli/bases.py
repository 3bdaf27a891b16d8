"""The commands on bases and encoders, one function each."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fmstudio.checkpoints.importing import FETCHING
from fmstudio.cli import plain, text
from fmstudio.cli.progress import show_progress
from fmstudio.errors import InputError
from fmstudio.studio import Studio
from fmstudio.studio.bases import NAMED_USERS

if TYPE_CHECKING:
    from fmstudio.cli.commands import Answer
    from fmstudio.runs.additions import Addition
    from fmstudio.studio.bases import Entry


def base_list(studio: Studio, args: argparse.Namespace) -> Answer:
    known = studio.bases.catalogue()
    if args.json:
        return [_with_uses(studio, entry) for entry in known], ""
    return None, text.catalogue_text(known)


def _with_uses(studio: Studio, entry: Entry, limit: int | None = None) -> dict[str, Any]:
    """A base or encoder as JSON has it, with the newest adapters that were made with it."""
    return asdict(entry) | {"used_by": studio.bases.uses(entry, limit)}


def base_show(studio: Studio, args: argparse.Namespace) -> Answer:
    entry = studio.bases.entry(args.name)
    if args.json:
        return _with_uses(studio, entry), ""
    return None, plain.record_text(_with_uses(studio, entry, NAMED_USERS))


def base_add(studio: Studio, args: argparse.Namespace) -> Answer:
    if args.check:
        verdict = studio.bases.check(args.source, args.kind, args.revision)
        verdict.raise_fault()
        return verdict, text.verdict_text(verdict)
    attempt = studio.bases.add(args.source, args.kind, args.name, args.revision)
    watch = show_progress(text.addition_line, _addition_step)
    try:
        kept = studio.bases.wait_for(attempt.id, watch)
    except KeyboardInterrupt:
        studio.bases.stop(attempt.id)
        raise
    finally:
        sys.stderr.write("\n" if sys.stderr.isatty() else "")
    added = _with_uses(studio, studio.bases.entry(kept.name))
    return added, f"Added the encoder '{kept.name}', which reads {kept.kind}."


def base_remove(studio: Studio, args: argparse.Namespace) -> Answer:
    entry = studio.bases.entry(args.name)
    if not args.yes:
        raise InputError(
            f"'{entry.name}' was not removed.", hint="Add --yes if that is what you want."
        )
    return {"removed": studio.bases.remove(entry.name)}, f"Removed '{entry.name}'."


def _addition_step(attempt: Addition) -> tuple[str, float]:
    """Only the download takes long enough to tell of; a refusal comes before it."""
    if attempt.state != FETCHING or not attempt.total_mb:
        return "", 0.0
    return attempt.state, attempt.done_mb / attempt.total_mb
