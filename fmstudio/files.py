"""Writing so that a reader, or a power cut, meets the old content or the new, never half of it.

The one order that holds on every file system: a temporary file beside the target, its bytes forced
to the disk, the rename, and the folder that holds the name forced to the disk (Pillai et al., All
File Systems Are Not Created Equal, OSDI 2014).
"""

from __future__ import annotations

import glob
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TEMPORARY = ".tmp"  # how unfinished files end: what broken-off work leaves is swept away by it


def write_whole(path: Path, content: bytes | str, mode: int = 0o600) -> None:
    """Put content, text as UTF-8, at `path`: there as a whole once this returns, or not at all."""
    with replacing(path, mode) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def replacing(path: Path, mode: int = 0o600) -> Iterator[Path]:
    """A file beside `path` to write into; it takes the place of `path` when all went well.

    It exists and is empty to begin with. Two writers of the same path do not meet.
    """
    temporary = beside(path)
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))
        yield temporary
        sync(temporary)
        temporary.chmod(mode)  # unlike that of `open` this is not cut by the umask
        temporary.replace(path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def beside(path: Path) -> Path:
    """A new name beside `path` for what is to take its place."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY}")


def unfinished(path: Path) -> list[Path]:
    """What broken-off work that was to take the place of `path` has left beside it."""
    found = f".{glob.escape(path.name)}.{'[0-9a-f]' * 8}{TEMPORARY}"
    return sorted(path.parent.glob(found)) if path.parent.is_dir() else []


def place_folder(folder: Path, target: Path) -> None:
    """Move a finished folder to where it is to live, on the same disk, and make that last."""
    sync_all(folder)
    folder.replace(target)
    sync(target.parent)


def sync_all(folder: Path) -> None:
    """Force a folder with all that is in it to the disk, and its name."""
    for path in sorted(folder.rglob("*")):
        sync(path)
    sync(folder)
    sync(folder.parent)


def sync(path: Path) -> None:
    """Force a file's content, or the names in a folder, to the disk."""
    if path.is_dir() and os.name != "posix":  # elsewhere a folder cannot be opened, and names are
        return  # kept at once
    # Windows flushes only what is open for writing.
    handle = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
