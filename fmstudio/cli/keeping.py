"""The commands on the whole home: doctor, backup, restore, diagnose."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from fmstudio.cli import text
from fmstudio.errors import StudioError
from fmstudio.settings import Settings
from fmstudio.studio import Studio

Answer = tuple[Any, str]
Alone = tuple[Any, str, StudioError | None]


def doctor(settings: Settings, args: argparse.Namespace) -> Alone:
    """Scripts ask before they go on: a fault if the registry is not sound."""
    from fmstudio.doctor import examine

    found = examine(settings)
    state = found["database"]
    fault = None if state["sound"] else StudioError(state["state"], hint=state["get"])
    return found, text.doctor_text(found), fault


def backup(studio: Studio, args: argparse.Namespace) -> Answer:
    listing = studio.backup(args.file)
    data = {"file": str(args.file)} | asdict(listing) | {"files": len(listing.files)}
    lines = [f"Wrote {args.file}: {_counted(listing.rows)} in {len(listing.files)} files."]
    if listing.outside:
        lines.append(
            f"Not in it: the files of {len(listing.outside)} cohorts, which lie outside the home "
            "folder. Keep a copy of them too."
        )
    if listing.missing:
        lines.append(f"Not there any more: {', '.join(listing.missing)}. See `doctor`.")
    return data, "\n".join(lines)


def restore(settings: Settings, args: argparse.Namespace) -> Alone:
    from fmstudio.backup import restore as put_back

    listing, old = put_back(args.file, settings, args.replace)
    data = {"home": str(settings.home), "rows": listing.rows, "old": old and str(old)}
    told = f"Restored {_counted(listing.rows)} into {settings.home}."
    return data, told + (f" The old home is kept as {old}." if old else ""), None


def diagnose(settings: Settings, args: argparse.Namespace) -> Alone:
    from fmstudio.doctor.diagnostic import write_diagnostic

    held = write_diagnostic(settings, args.file)
    told = f"Wrote {args.file}: {', '.join(held)}. No name and nothing of a patient is in it."
    return {"file": str(args.file), "holds": held}, f"{told} Look into it before you send it.", None


def _counted(rows: dict[str, int] | Any) -> str:
    return ", ".join(f"{number} {name}" for name, number in rows.items())


ALONE = (doctor, restore, diagnose)  # these do not open the studio, which may be what is broken
