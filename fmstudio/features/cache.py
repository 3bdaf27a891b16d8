"""A cache on disk, by content: what was computed once for an input is not computed again.

A key is the SHA-256 of everything that the content depends on, so nothing ever goes stale. Whatever
a cache was asked for is held until that cache is let go, or its process ends: nobody removes it
meanwhile. Beyond the limit of the settings, what was not used for longest goes.
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
import secrets
import weakref
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

from fmstudio.files import write_whole
from fmstudio.marks import MARK, is_alive, leave
from fmstudio.settings import Settings
from fmstudio.types import to_json

log = logging.getLogger(__name__)

ENDING = ".safetensors"
HELD = "held"  # the folder of lists, each of the keys that one cache holds, with its mark
SLACK = 0.1  # of the limit: so much is written between two looks, and freed beyond need


def content_key(*parts: object) -> str:
    """SHA-256 of JSON values."""
    return hashlib.sha256(to_json(parts).encode()).hexdigest()


class Cache:
    """Arrays by key in files below one folder, of `most_mb` megabytes together."""

    def __init__(self, folder: Path, most_mb: float = math.inf) -> None:
        self.folder, self.most = folder, most_mb * 1e6
        self._held: set[str] = set()
        self._list: TextIO | None = None
        self._written = 0.0

    @classmethod
    def of(cls, settings: Settings) -> Cache:
        """The cache of a home folder."""
        return cls(settings.folder("cache"), settings.limits.cache_mb)

    def path(self, key: str) -> Path:
        """Where the file of a key lies."""
        return self.folder / key[:2] / f"{key}{ENDING}"

    def __contains__(self, key: str) -> bool:
        self._hold(key)
        try:
            os.utime(self.path(key))  # when it was used last
        except FileNotFoundError:
            return False
        except OSError:  # it cannot be written to: then nothing is removed from it either
            return self.path(key).is_file()
        return True

    def read(self, key: str) -> dict[str, np.ndarray]:
        """The arrays of a key that is there."""
        with safe_open(self.path(key), framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118

    def write(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Writes all or nothing: a reader never sees half a file."""
        self.write_bytes(key, save({k: np.ascontiguousarray(v) for k, v in arrays.items()}))

    def read_bytes(self, key: str) -> bytes:
        """The file of a key as it is."""
        return self.path(key).read_bytes()

    def write_bytes(self, key: str, content: bytes) -> None:
        """As `write`, for bytes."""
        self._hold(key)
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(path, content)
        self._written += len(content)
        if self._written > SLACK * self.most:
            self._written = 0.0
            self.trim()

    def trim(self) -> None:
        """Remove what was used longest ago where all is larger than the limit."""
        if not math.isfinite(self.most):
            return
        known = sorted(_used(self.folder))
        left = sum(size for _, size, _ in known)
        if left <= self.most:
            return
        held = self._held_by_anyone()
        for used, size, path in known:
            if left <= (1 - SLACK) * self.most:
                return
            if path.stem not in held and _remove(path, used):
                left -= size
        log.warning("The cache is larger than its limit: what is left of it is in use.")

    def empty(self) -> None:
        """Remove all that nobody holds."""
        held = self._held_by_anyone()
        for used, _, path in _used(self.folder):
            if path.stem not in held:
                _remove(path, used)

    def _hold(self, key: str) -> None:
        if key in self._held:
            return
        try:
            if self._list is None:
                self._list = self._begin_list()
            self._list.write(f"{key}\n")
            self._list.flush()
        except OSError:  # the disk is full or write-protected: reading goes on
            return
        self._held.add(key)

    def _begin_list(self) -> TextIO:
        folder = self.folder / HELD
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / secrets.token_hex(8)
        leave(mark := path.with_name(path.name + MARK))
        opened = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        file = os.fdopen(opened, "w", encoding="ascii")
        weakref.finalize(self, _end_list, file, path, mark)
        return file

    def _held_by_anyone(self) -> set[str]:
        """The keys that living caches hold; the lists of dead ones are removed."""
        held: set[str] = set()
        for mark in (self.folder / HELD).glob(f"*{MARK}"):
            listed = mark.with_name(mark.name.removesuffix(MARK))
            if is_alive(mark):
                held |= set(_lines(listed))
            else:
                listed.unlink(missing_ok=True)
                mark.unlink(missing_ok=True)
        return held


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").split()
    except FileNotFoundError:  # it was let go of this moment
        return []


def _end_list(file: TextIO, path: Path, mark: Path) -> None:
    with suppress(OSError):  # what could not be written on a full disk
        file.close()
    path.unlink(missing_ok=True)
    mark.unlink(missing_ok=True)


def _used(folder: Path) -> Iterator[tuple[int, int, Path]]:
    """When each file was used last, in nanoseconds, its bytes, and where it is."""
    for path in folder.glob(f"*/*{ENDING}"):
        try:
            found = path.stat()
        except FileNotFoundError:  # another process was faster
            continue
        yield found.st_mtime_ns, found.st_size, path


def _remove(path: Path, used: int) -> bool:
    """Remove a file unless it was used since; whether it is gone."""
    try:
        if path.stat().st_mtime_ns != used:
            return False
        path.unlink(missing_ok=True)
    except FileNotFoundError:
        return True
    except OSError:  # open elsewhere, on Windows
        return False
    return True
