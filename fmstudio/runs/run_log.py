"""The log of a run: what its worker says and its libraries print, kept to a bounded size.

The worker writes to the file's end (O_APPEND), so the file can be emptied under it: what was there
is copied aside first. That holds for what libraries print, too, which no log handler sees.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger(__name__)

LOG = "log.txt"
MOST_BYTES = 5_000_000
OLDER = ("log.1.txt", "log.2.txt")  # the newest first
LOOK_SECONDS = 2.0


def rotate(folder: Path) -> bool:
    """Move the log of a run's folder aside if it has grown too large. True if it did.

    Of one that grew far beyond the limit the end is kept.
    """
    path = folder / LOG
    size = path.stat().st_size if path.exists() else 0
    if size <= MOST_BYTES:
        return False
    newest, oldest = (folder / name for name in OLDER)
    if newest.exists():
        newest.replace(oldest)
    with path.open("rb") as file:
        file.seek(size - MOST_BYTES)
        newest.write_bytes(file.read(MOST_BYTES))
    newest.chmod(0o600)
    os.truncate(path, 0)
    return True


@contextmanager
def kept_small(folder: Path) -> Iterator[None]:
    """While this lasts, the log of a run's folder is looked at now and then, and rotated."""
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(LOOK_SECONDS):
            try:
                rotate(folder)
            except OSError:  # a full disk: the run itself will say so
                log.warning("The log could not be rotated.")

    thread = threading.Thread(target=look, name="log", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
