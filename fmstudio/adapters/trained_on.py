"""What an adapter was trained on, as short hashes: enough to see that a case is not new to it.

`trained_on.json` lies in the adapter's folder and travels with a bundle, so it may tell nothing of
a patient. There are no ids in it, since ids can be guessed and tried; there are 32 bits, salted for
each cohort, of the content of every file and of the typed values of every row. A row is there only
if its values are so many or so rare that another patient's would hardly be the same; so is a file
only if it is not tiny. Whoever holds the very same file or row can see that it was trained on:
that is what the hashes are for, and all that they can tell.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fmstudio.adapters.schema import TrainedOn, checked
from fmstudio.cohort.fingerprint import Contents
from fmstudio.errors import BundleError

FILE = "trained_on.json"
FORMAT = 1
MOST_HASHES = 200_000  # of each kind; with more, none is kept
SMALLEST_FILE = 64  # bytes; of a smaller one others may hold the same
MOST_ALIKE = 0.1  # training rows that are expected to be like a row by chance
_BITS = np.dtype("<u4")


@dataclass(frozen=True)
class Seen:
    """Of one case, how many of its files and whether its row were trained on."""

    files: int
    row: bool


def as_json(cases: Sequence[Contents], fingerprint: str) -> dict[str, Any]:
    """The content of `trained_on.json` for the cases that training and its choices saw.

    `plain_rows` counts the rows that are not in it because others may be the same.
    """
    salt = hashlib.sha256(f"trained on {fingerprint}".encode()).hexdigest()[:32]
    telling = _telling_rows(cases)
    files = {sha for case in cases for sha, size in case.files if size >= SMALLEST_FILE}
    return {
        "format": FORMAT,
        "salt": salt,
        "cases": len(cases),
        "files": _packed(salt, files),
        "rows": _packed(salt, telling),
        "plain_rows": sum(bool(case.values) and case.row not in telling for case in cases),
    }


def _telling_rows(cases: Sequence[Contents]) -> set[str]:
    """The rows that another patient's would hardly equal, columns taken as independent."""
    known = Counter(value for case in cases for value in case.values)
    rows = set()
    for case in cases:
        chance = np.prod([known[value] / len(cases) for value in case.values]) if case.values else 1
        if len(cases) * chance <= MOST_ALIKE:
            rows.add(case.row)
    return rows


def _packed(salt: str, contents: set[str]) -> str | None:
    if len(contents) > MOST_HASHES:
        return None
    return base64.b64encode(np.sort(_bits(salt, sorted(contents))).tobytes()).decode("ascii")


def _bits(salt: str, contents: Sequence[str]) -> np.ndarray:
    """(n,) the first 32 bits of the salted hash of each content."""
    short = (hashlib.sha256(f"{salt} {one}".encode()).digest()[:4] for one in contents)
    return np.frombuffer(b"".join(short), _BITS)


def seen(stored: Mapping[str, Any], cases: Sequence[Contents]) -> list[Seen]:
    """Which of the cases' files and rows a checked `trained_on.json` knows."""
    files, rows = (_unpacked(stored[kind]) for kind in ("files", "rows"))
    salt = stored["salt"]
    return [
        Seen(
            int(np.isin(_bits(salt, [sha for sha, _ in case.files]), files).sum()),
            bool(case.values) and bool(np.isin(_bits(salt, [case.row]), rows).all()),
        )
        for case in cases
    ]


def _unpacked(packed: str | None) -> np.ndarray:
    return np.frombuffer(base64.b64decode(packed or ""), _BITS)


def check(stored: Any) -> Mapping[str, Any]:
    """A foreign `trained_on.json`, if it is one. Raises BundleError, naming the field."""
    found = checked(FILE, stored, TrainedOn)
    for field, value in (("files", found.files), ("rows", found.rows)):
        if value is not None and not _is_packed(value):
            raise BundleError(f"'{FILE}' has no possible '{field}'.")
    return found.model_dump()


def _is_packed(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) % _BITS.itemsize == 0
    except ValueError:
        return False
