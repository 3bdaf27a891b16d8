"""Marks: small files that say which process is at work on something, and so whether it still is.

A file or folder `x` that is being made, used or removed has `x.mark` beside it. What the mark of a
process that has ended stands for was broken off, and may be cleared up.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

MARK = ".mark"
SAME_START_SECONDS = 2.0  # the precision with which systems tell when a process began
YOUNG_SECONDS = 24 * 3600.0  # a process that another clock makes look like another is believed


def mark_of(path: Path) -> Path:
    """The mark of a file or folder."""
    return path.with_name(path.name + MARK)


@contextmanager
def at_work(path: Path, writes: Path | None = None) -> Iterator[None]:
    """While this lasts, `path` is marked as this process's work.

    `writes` is a file elsewhere that is being written meanwhile. The mark stays where this process
    is killed.
    """
    mark = mark_of(path)
    leave(mark, writes)
    try:
        yield
    finally:
        with suppress(OSError):
            mark.unlink(missing_ok=True)


def leave(mark: Path, writes: Path | None = None) -> None:
    """Write a mark of this process."""
    known = {"pid": os.getpid(), "started": psutil.Process().create_time()}
    if writes is not None:
        known["writes"] = str(writes.absolute())
    part = mark.with_name(f".{mark.name}.{secrets.token_hex(4)}.tmp")
    part.touch(mode=0o600)
    part.write_text(json.dumps(known), encoding="utf-8")
    # Nobody ever reads half a mark. It need not outlive a power cut, which ends its process too.
    part.replace(mark)


def is_alive(mark: Path) -> bool:
    """Whether the process that left a mark is still there; False where there is no mark."""
    try:
        known = json.loads(mark.read_text(encoding="utf-8"))
        pid, started = int(known["pid"]), float(known["started"])
        age = time.time() - mark.stat().st_mtime
    except (OSError, ValueError, KeyError, TypeError):  # gone, or emptied by a power cut
        return False
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        same = abs(process.create_time() - started) < SAME_START_SECONDS
    except psutil.Error:
        return False
    return same or age < YOUNG_SECONDS


def age(path: Path) -> float:
    """Seconds since anything in a file or folder changed; 0 for what vanished meanwhile."""
    newest = 0.0
    try:
        newest = path.lstat().st_mtime
        if path.is_dir() and not path.is_symlink():
            newest = max([newest, *(inner.lstat().st_mtime for inner in path.rglob("*"))])
    except FileNotFoundError:
        return 0.0
    return time.time() - newest


def written_by(mark: Path) -> Path | None:
    """The file elsewhere that the process of a mark was writing, if it named one."""
    try:
        return Path(json.loads(mark.read_text(encoding="utf-8"))["writes"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
