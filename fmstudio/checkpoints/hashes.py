"""SHA-256 of files that do not change while the studio runs, or are found out if they do."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

Stamp = tuple[str, int, int, int]


def stamp(path: Path) -> Stamp:
    """Path, size, time of the last change and number of a file: what differs if it was changed.

    Raises OSError for a file that is not there.
    """
    facts = path.stat()
    return str(path), facts.st_size, facts.st_mtime_ns, facts.st_ino


def sha256(path: Path) -> str:
    """Of a file; read once a process as long as its stamp stays the same.

    Raises OSError for a file that cannot be read.
    """
    return _sha256(stamp(path))


@lru_cache(maxsize=1024)
def _sha256(of: Stamp) -> str:
    with Path(of[0]).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
