"""Checks a checkpoint and adds it: `python -m fmstudio.checkpoints.importing FOLDER`.

FOLDER holds request.json (source, kind, name, revision, only_check) and gets status.json, which
says how far it is and ends with what came of it. It is a process of its own because a download
outlives the page that asked for it, and because here alone the hub's client may go online.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fmstudio.checkpoints import hub
from fmstudio.checkpoints.compatibility import Verdict, of_folder, of_offer
from fmstudio.checkpoints.store import keep
from fmstudio.errors import StudioError
from fmstudio.files import write_whole
from fmstudio.settings import Settings, load_settings

log = logging.getLogger(__name__)

REQUEST, STATUS, FILES, LOG = "request.json", "status.json", "files", "log.txt"
CHECKING, FETCHING, KEEPING = "checking", "fetching", "keeping"
LIVE = (CHECKING, FETCHING, KEEPING)
CHECKED, ADDED, REFUSED, FAILED = "checked", "added", "refused", "failed"
FACTS = ("source", "id", "revision", "licence", "gated", "trained_on", "description")
OUR_FAULT = "The checkpoint was not added because of a fault in the studio."
DETAILS = f"The details are in {LOG} of this attempt, below temp/ in the home folder."


class Work:
    """One request in its folder, and what is said about it."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder, self.settings = folder, settings
        self.request = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
        self.files = folder / FILES
        self._said: dict[str, Any] = {}

    def say(self, state: str, **more: Any) -> None:
        """Write the status: whole at every moment, with all that was said before."""
        self._said |= {"state": state, **more}
        write_json(self.folder / STATUS, self._said)

    def run(self) -> tuple[str, dict[str, Any]]:
        """Check, then fetch and keep unless only a check was asked for: how that ended.

        Raises StudioError.
        """
        self.say(CHECKING)
        source = Path(self.request["source"])
        if source.is_absolute():
            found = self._checked_folder(source)
        else:
            found, offer = self._checked_offer(self.request["source"])
        self.say(CHECKING, verdict=found.as_dict())
        if self.request["only_check"]:
            return CHECKED, {}
        found.raise_fault()
        if found.source == "hub":
            self.say(FETCHING)
            hub.fetch(offer, found.files, self.files)
            source = self.files
        self.say(KEEPING)
        facts = {name: getattr(found, name) for name in FACTS}
        kept = keep(source, self.settings, facts | {"name": self.request["name"]})
        return ADDED, {"name": kept.name}

    def _checked_folder(self, folder: Path) -> Verdict:
        from fmstudio.encoders.checkpoint import inspect

        return of_folder(inspect(folder), folder.name, self.request["kind"], self.settings)

    def _checked_offer(self, model_id: str) -> tuple[Verdict, hub.Offer]:
        self.files.mkdir(exist_ok=True)
        offer = hub.ask(model_id, self.request["revision"])
        config = hub.fetch_config(offer, self.files)
        return of_offer(offer, config, self.request["kind"], self.settings), offer


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a small file so that who reads it sees the old or the new, never half of it."""
    write_whole(path, json.dumps(value, indent=1))


def main(arguments: Sequence[str] | None = None) -> int:
    """Do the request in the folder that the command line names. 0, or 1 if nothing came of it."""
    parser = argparse.ArgumentParser(
        prog="python -m fmstudio.checkpoints.importing", description=__doc__
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--home")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    work = Work(given.folder, load_settings(given.home))
    state, told = _end(work)
    # First nothing is left over, then the end is said: who waits for it may look at once.
    shutil.rmtree(work.files, ignore_errors=True)
    work.say(state, **told)
    return 0 if state in (CHECKED, ADDED) else 1


def _end(work: Work) -> tuple[str, dict[str, Any]]:
    """How a request ended, its fault told as people read it."""
    try:
        return work.run()
    except StudioError as fault:
        told = {"fault": type(fault).__name__, "error": fault.message, "hint": fault.hint}
        return REFUSED, told
    except Exception:
        log.exception("A checkpoint could not be added.")
        return FAILED, {"fault": "RuntimeError", "error": OUR_FAULT, "hint": DETAILS}


if __name__ == "__main__":
    sys.exit(main())
