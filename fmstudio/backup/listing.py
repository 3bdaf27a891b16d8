"""backup.json: what a backup holds, with the hash of every file.

A backup is a ZIP without compression, so that nothing in it can grow when it is unpacked. Its
files have the names that they have in the home; `backup.json` is the last of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePath, PurePosixPath
from typing import Any

from fmstudio.errors import InputError
from fmstudio.registry.faults import FILE

NAME = "backup.json"
FORMAT = 1
PARTS = ("adapters", "bases", "checkpoints", "cohorts", "keys", "runs")
CHUNK = 1 << 20
ANOTHER = "Nothing was restored. Use another backup, or copy the file again from where it was kept."


@dataclass(frozen=True)
class Stored:
    """One file: SHA-256 of its content, and its size in bytes."""

    sha256: str
    bytes: int


@dataclass(frozen=True)
class Listing:
    """What a backup holds.

    `rows` counts projects, cohorts, runs, adapters and predictions. `outside` are the ids of
    cohorts whose files lie elsewhere on the computer; `missing` are the folders that a row names
    and that were not there.
    """

    studio: str
    made: str
    rows: Mapping[str, int]
    files: Mapping[str, Stored]
    outside: tuple[int, ...]
    missing: tuple[str, ...]
    format: int = FORMAT

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(stored.bytes for stored in self.files.values())

    def as_json(self) -> bytes:
        """The file's content."""
        return json.dumps(asdict(self), indent=1).encode()


def parsed(archive: str, content: bytes) -> Listing:
    """A listing from its file. Raises InputError if it is none of this version's."""
    try:
        told: dict[str, Any] = json.loads(content)
        if told["format"] != FORMAT:
            raise InputError(
                f"'{archive}' was made by a newer version of the studio ({told['studio']}).",
                hint="Update the studio, then restore it.",
            )
        files = {
            name: Stored(str(f["sha256"]), int(f["bytes"])) for name, f in told["files"].items()
        }
        listing = Listing(
            str(told["studio"]),
            str(told["made"]),
            dict(told["rows"]),
            files,
            tuple(told["outside"]),
            tuple(told["missing"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise InputError(f"'{archive}' is damaged: its {NAME} cannot be read.", ANOTHER) from fault
    wrong = [name for name in files if not is_safe(name)]
    if wrong or FILE not in files:
        what = f"'{wrong[0][:80]!r}' is no file of a home" if wrong else f"it holds no {FILE}"
        raise InputError(f"'{archive}' is no backup of a studio: {what}.", ANOTHER)
    return listing


def is_safe(name: str) -> bool:
    """Whether a name is that of a file inside a home: the registry, or below one of PARTS."""
    if name == FILE:
        return True
    parts = name.split("/")
    own = PurePath(name)  # as this system reads it: on Windows a colon and a backslash count too
    return (
        len(parts) > 1
        and parts[0] in PARTS
        and not {"", ".", ".."} & set(parts)
        and "\0" not in name
        and own.parts == PurePosixPath(name).parts
        and not own.drive
    )
