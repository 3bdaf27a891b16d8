"""The Nth thing that is done to the disk goes wrong: it fails, or the power goes.

Counted are opening a file to write, the first write to it, fsync, renaming, making a folder or a
link, and the commit of the registry, of paths below one folder. When the power goes, what was
written and not forced to the disk is cut in half first, as a file system may leave it; then the
process is killed.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

FULL, FAILING, POWER = "the disk is full", "the disk fails", "the power goes"
WAYS = (FULL, FAILING, POWER)
_ERRORS = {FULL: errno.ENOSPC, FAILING: errno.EIO}
_WRITES = set("wax+")


class Faults:
    """Counts what is done below `folder`; the call of number `fatal` goes wrong in its way."""

    def __init__(self, folder: Path, fatal: int, way: str) -> None:
        self.folder, self.fatal, self.way = str(folder), fatal, way
        self.count = 0
        self.unsafe: set[str] = set()  # written and not forced to the disk

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """While this lasts, calls are counted."""
        real = {name: getattr(os, name) for name in ("open", "fsync", "mkdir", "link")}
        renames = {name: getattr(os, name) for name in ("replace", "rename")}
        opening, fast = builtins.open, shutil._USE_CP_SENDFILE  # type: ignore[attr-defined]
        try:
            os.fsync = self._fsync(real["fsync"])
            for name in ("open", "mkdir", "link"):
                setattr(os, name, self._on_path(real[name]))
            for name, call in renames.items():
                setattr(os, name, self._rename(call))
            builtins.open = io.open = self._file(opening)  # type: ignore[assignment]
            shutil._USE_CP_SENDFILE = False  # type: ignore[attr-defined]
            event.listen(Engine, "commit", self._commit)
            yield
        finally:
            event.remove(Engine, "commit", self._commit)
            for name, call in (real | renames).items():
                setattr(os, name, call)
            builtins.open = io.open = opening
            shutil._USE_CP_SENDFILE = fast  # type: ignore[attr-defined]

    def _due(self, path: Any) -> None:
        """Counts a call on a path below the folder. Raises OSError or ends the process."""
        if not self._ours(path):
            return
        self.count += 1
        if self.count != self.fatal:
            return
        if self.way != POWER:
            number = _ERRORS[self.way]
            raise OSError(number, os.strerror(number), str(path))
        self.lose()
        os.kill(os.getpid(), signal.SIGKILL)

    def lose(self) -> None:
        """What a power cut now leaves of what was not forced to the disk."""
        for path in map(Path, self.unsafe):
            if path.is_file():
                os.truncate(path, path.stat().st_size // 2)

    def _ours(self, path: Any) -> bool:
        return isinstance(path, str | os.PathLike) and str(path).startswith(self.folder)

    def _commit(self, _: Any) -> None:
        self._due(self.folder)

    def _on_path(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(path: Any, *rest: Any, **more: Any) -> Any:
            reads = call.__name__ == "open" and not (rest and rest[0] & (os.O_CREAT | os.O_RDWR))
            if not reads:
                self._due(path)
            return call(path, *rest, **more)

        return counted

    def _fsync(self, call: Callable[[int], None]) -> Callable[[Any], None]:
        def counted(handle: Any) -> None:
            number = handle if isinstance(handle, int) else handle.fileno()
            path = os.readlink(f"/proc/self/fd/{number}")  # noqa: PTH115
            self._due(path)
            call(handle)
            self.unsafe.discard(path)

        return counted

    def _rename(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(old: Any, new: Any, **more: Any) -> Any:
            self._due(new)
            done = call(old, new, **more)
            before, after = str(old), str(new)
            moved = {n for n in self.unsafe if n == before or n.startswith(before + os.sep)}
            self.unsafe -= moved
            self.unsafe |= {after + name.removeprefix(before) for name in moved}
            return done

        return counted

    def _file(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def opened(path: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
            if not _WRITES & set(mode) or not self._ours(path):
                return call(path, mode, *rest, **more)
            self._due(path)
            self.unsafe.add(str(path))
            return _Writing(call(path, mode, *rest, **more), lambda: self._due(path))

        return opened


class _Writing:
    """A file of which the first write is counted: later ones leave nothing else behind."""

    def __init__(self, file: Any, due: Callable[[], None]) -> None:
        self._file, self._due, self._begun = file, due, False

    def write(self, content: Any) -> Any:
        if not self._begun:
            self._begun = True
            self._due()
        return self._file.write(content)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _Writing:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._file)
