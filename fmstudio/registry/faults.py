"""What SQLite says went wrong -> what that is for a person: told by its result codes, not by words.

A full disk, a folder that may not be written to, another program's lock, a disk that fails and a
damaged file ask for different things of the user. Codes: https://www.sqlite.org/rescode.html
"""

from __future__ import annotations

import errno
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from fmstudio.errors import (
    NO_RIGHT,
    NO_ROOM,
    ReadOnlyRegistry,
    RegistryError,
    ResourceError,
    StudioError,
)

FILE = "registry.sqlite"

_IN_USE = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT)
_DAMAGED_CODES = (
    sqlite3.SQLITE_IOERR_SHORT_READ,
    sqlite3.SQLITE_IOERR_CORRUPTFS,
    sqlite3.SQLITE_IOERR_DATA,
)
_REFUSED = (
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
)
_TRIED_BYTES = 64 * 1024  # more than SQLite needs at once: two pages of its log's index
_TOO_MANY = (errno.EMFILE, errno.ENFILE)

_NO_TEXT = "Could not decode to UTF-8"  # said by Python's driver, without a code

FULL = (
    f"The disk is full: the registry ({FILE}) could not be written.",
    "Free some space and try again. What was there before is whole.",
)
NOT_WRITABLE = (
    f"The registry ({FILE}) cannot be written to.",
    "Check that you may write to the studio's home folder and to the files in it.",
)
IN_USE = (
    f"The registry ({FILE}) is in use by another program and did not become free.",
    "Close other programs that have the file open (a backup, a database viewer), then try again.",
)
DAMAGED = (
    f"The registry ({FILE}) is damaged.",
    "Close the studio and start it again: it then names the backup to go back to.",
)
DAMAGED_ROW = (
    f"The registry ({FILE}) holds a row that cannot be read.",
    "`doctor` says whether there is more. Bring the registry back from a backup (`restore`, or the "
    "newest copy in backups/).",
)
GONE = (
    f"The registry ({FILE}) is no longer where it was: it was moved or deleted, or the drive it "
    "lies on is gone.",
    "Put it or the drive back where it was, or close the studio and start it again.",
)
FAILING = (
    f"The disk reports an error at the registry ({FILE}).",
    "Check the drive or the network connection to it, then try again. The file was not changed.",
)
TOO_MANY = (
    f"Too many files are open on this computer to reach the registry ({FILE}).",
    "Close other programs and try again.",
)
NO_MEMORY = (
    "The computer's memory was not enough for the registry.",
    "Close other programs and try again.",
)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn faults of the database at `path` into words.

    Raises ResourceError if the disk is full or memory is out, ReadOnlyRegistry if it may only be
    read, and RegistryError if it is locked, damaged, gone, or on a disk that fails.
    """
    try:
        yield
    except DBAPIError as fault:
        known = in_words(fault.orig, path)
        if known is None:
            raise
        raise known from fault
    except (sqlite3.Error, OSError) as fault:
        known = in_words(fault, path)
        if known is None:
            raise
        raise known from fault


def is_damage(fault: sqlite3.Error) -> bool:
    """True where SQLite says that the file's content is not what it should be."""
    code = getattr(fault, "sqlite_errorcode", 0)
    return code & 0xFF in _DAMAGED or code in _DAMAGED_CODES


def is_in_use(fault: sqlite3.Error) -> bool:
    """True where another program holds the file."""
    return getattr(fault, "sqlite_errorcode", 0) & 0xFF in _IN_USE


def in_words(fault: BaseException | None, path: Path) -> StudioError | None:
    """The error for people; None for a fault of ours.

    Where SQLite's code leaves it open (it could not write, it could not open), the disk is asked:
    a small file is written beside the registry.
    """
    if isinstance(fault, OSError):
        return _of_system(fault.errno, path)
    code = getattr(fault, "sqlite_errorcode", None)
    if code is None:
        return RegistryError(*DAMAGED_ROW) if _NO_TEXT in str(fault) else None
    kind = code & 0xFF
    if kind in _IN_USE:
        return RegistryError(*IN_USE)
    if kind in _DAMAGED or code in _DAMAGED_CODES:
        return RegistryError(*DAMAGED)
    if kind == sqlite3.SQLITE_FULL:
        return ResourceError(*FULL)
    if kind == sqlite3.SQLITE_NOMEM or code == sqlite3.SQLITE_IOERR_NOMEM:
        return ResourceError(*NO_MEMORY)
    if code == sqlite3.SQLITE_READONLY_DBMOVED:
        return RegistryError(*GONE)
    if kind in _REFUSED or kind == sqlite3.SQLITE_IOERR:
        return _asked_of_disk(kind, path)
    return None


def _asked_of_disk(kind: int, path: Path) -> StudioError:
    try:
        there = path.stat().st_size >= 0
        answer = _try_to_write(path.parent)
    except OSError:
        there, answer = False, None
    if not there:
        return RegistryError(*GONE)
    if answer is not None:
        told = _of_system(answer, path)
        if told is not None:
            return told
    if kind == sqlite3.SQLITE_IOERR or answer is not None:
        return RegistryError(*FAILING)
    return ReadOnlyRegistry(*NOT_WRITABLE)


def _try_to_write(folder: Path) -> int | None:
    """The system's error number for writing a small file into a folder, None if that went well."""
    tried = folder / f".{secrets.token_hex(8)}.tmp"
    try:
        with tried.open("wb") as file:
            file.write(b"\1" * _TRIED_BYTES)
            file.flush()
            os.fsync(file.fileno())
    except OSError as fault:
        return fault.errno or errno.EIO
    finally:
        with suppress(OSError):  # the disk went away meanwhile; what follows says so
            tried.unlink(missing_ok=True)
    return None


def _of_system(number: int | None, path: Path) -> StudioError | None:
    if number in NO_ROOM:
        return ResourceError(*FULL)
    if number in NO_RIGHT:
        return ReadOnlyRegistry(*NOT_WRITABLE)
    if number in (errno.ENOENT, errno.ENOTCONN, errno.ESTALE, errno.ENODEV, errno.ENXIO):
        return RegistryError(*GONE)
    if number in _TOO_MANY:
        return ResourceError(*TOO_MANY)
    if number == errno.EIO:
        return RegistryError(*FAILING)
    return None
