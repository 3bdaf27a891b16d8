"""Clearing up what broken-off work left in the home folder, without ever touching live files."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from fmstudio.records import LIVE_STATES
from fmstudio.registry import Registry
from fmstudio.settings import Settings

log = logging.getLogger(__name__)

TEMP_SECONDS = 24 * 3600.0  # a page may hold an upload for a working day
LEFT_SECONDS = 3600.0  # no write takes an hour


def sweep(settings: Settings, registry: Registry) -> list[Path]:
    """Remove leftovers, and return what was removed, relative to home.

    Leftovers are: entries of temp/ untouched for a day; `*.tmp` files that no live run can be
    writing; folders of adapters and runs that the registry once named and no longer has, after an
    hour. Folders that the registry never named stay: it may be a copy from before their time.
    """
    removed = []
    for path in leftovers(settings.home, registry):
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        except OSError as fault:  # in use, or not ours: the next sweep tries again
            log.warning("A leftover in %s/ could not be removed: %s.", path.parent.name, fault)
        else:
            removed.append(path.relative_to(settings.home))
    return removed


def leftovers(home: Path, registry: Registry) -> Iterator[Path]:
    """What the next `sweep` removes."""
    for path in (home / "temp").glob("*"):
        if _age(path) > TEMP_SECONDS:
            yield path
    runs = registry.runs()
    live = {run.id for run in runs if run.status in LIVE_STATES}
    for pattern in ("*.tmp", "*/*.tmp", "runs/*/*.tmp"):
        for path in home.glob(pattern):
            if path.parent.name not in live and _age(path) > LEFT_SECONDS:
                yield path
    adapters = registry.subjects(("adapter id given", "adapter deleted"))
    for name in adapters - {adapter.id for adapter in registry.adapters()}:
        yield from _forgotten(home / "adapters" / name)
    for name in registry.subjects(("run deleted",)) - {run.id for run in runs}:
        yield from _forgotten(home / "runs" / name)


def _forgotten(folder: Path) -> Iterator[Path]:
    if folder.is_dir() and _age(folder) > LEFT_SECONDS:
        yield folder


def _age(path: Path) -> float:
    """Seconds since anything in it changed; 0 for what vanished meanwhile."""
    newest = 0.0
    try:
        newest = path.lstat().st_mtime
        if path.is_dir() and not path.is_symlink():
            newest = max([newest, *(inner.lstat().st_mtime for inner in path.rglob("*"))])
    except FileNotFoundError:
        return 0.0
    return time.time() - newest
