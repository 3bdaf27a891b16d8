"""The lock of a home: held while its web app runs, taken back by the system when that dies."""

from __future__ import annotations

import os
import struct
import sys
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
    """Whether a web app runs on a home.

    Only Linux can be asked; elsewhere the lock is taken for a moment, in which a start of the web
    app would be refused.
    """
    try:
        handle = os.open(home / LOCK, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        return _is_locked(handle)
    finally:
        os.close(handle)


if sys.platform == "linux":
    import fcntl

    # Locks of an open file, as those of `flock` are, but ones that can be asked for: of a whole
    # file, by `struct flock` (type, whence, start, length, process).
    _FORM = "hhqqi0q"
    _ALL = struct.pack(_FORM, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)

    def _lock(handle: int) -> bool:
        try:
            fcntl.fcntl(handle, fcntl.F_OFD_SETLK, _ALL)
        except OSError:
            return False
        return True

    def _is_locked(handle: int) -> bool:
        found = fcntl.fcntl(handle, fcntl.F_OFD_GETLK, _ALL)
        return bool(struct.unpack(_FORM, found)[0] != fcntl.F_UNLCK)

else:

    def _lock(handle: int) -> bool:
        try:
            if os.name == "nt":
                import msvcrt

                msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _is_locked(handle: int) -> bool:
        return not _lock(handle)  # closing the handle gives it back
