"""The lock of a home: held while its web app runs, taken back by the system when that dies."""

from __future__ import annotations

import os
from pathlib import Path

LOCK = "serve.lock"


def take(home: Path) -> int | None:
    """Lock a home for as long as the handle stays open; None if another process holds the lock.

    Raises OSError if the file cannot be made.
    """
    handle = os.open(home / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    if _lock(handle):
        return handle
    os.close(handle)
    return None


def is_held(home: Path) -> bool:
    """Whether a web app runs on a home."""
    if not (home / LOCK).exists():
        return False
    handle = take(home)
    if handle is None:
        return True
    os.close(handle)  # gives it back
    return False


def _lock(handle: int) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
