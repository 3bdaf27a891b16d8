"""Clearing up what broken-off work left behind, without ever touching live files."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fmstudio.features.cache import Cache
from fmstudio.files import unfinished
from fmstudio.marks import MARK, age, is_alive, mark_of, written_by
from fmstudio.records import LIVE_STATES
from fmstudio.registry import Registry
from fmstudio.registry.named import named_folders
from fmstudio.sandbox.reader import FOLDER, READER
from fmstudio.settings import Settings

log = logging.getLogger(__name__)

TEMP_SECONDS = 24 * 3600.0  # a page may hold an upload for a working day
LEFT_SECONDS = 3600.0  # no write takes an hour
MARKED = ("adapters", "cohorts", "runs", "temp")


def clean_up(settings: Settings, registry: Registry) -> list[Path]:
    """Remove leftovers, and return what was removed, relative to home where it was below it; the
    folders of reading processes, which the system keeps for all homes, are not among it.

    Leftovers are: what a process that has ended has marked as its work (see `marks`), unless a row
    names it; entries of temp/ untouched for a day; `*.tmp` files that no live run can be writing;
    folders of adapters and runs that the registry once named and no longer has, after an hour.
    Other folders that the registry never named stay: it may be a copy from before their time. A
    deletion that was cut off is ended, and the cache kept to its limit.
    """
    removed = [path for path in leftovers(settings.home, registry) if _remove(path)]
    for folder in _readers():
        _remove(folder)
    Cache.of(settings).trim()
    if registry.remembers_deleted():
        registry.forget_deleted()
    home = settings.home
    return [path.relative_to(home) if path.is_relative_to(home) else path for path in removed]


def leftovers(home: Path, registry: Registry) -> Iterator[Path]:
    """What the next `sweep` removes; the mark of a thing follows once that is gone."""
    yield from _broken_off(home, registry)
    yield from _untouched(home, registry)


def _remove(path: Path) -> bool:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as fault:  # in use, or not ours: the next sweep tries again
        log.warning("A leftover in %s/ was not removed: %s.", path.parent.name, fault.strerror)
        return False
    return True


def _broken_off(home: Path, registry: Registry) -> Iterator[Path]:
    """What dead processes marked, each before its mark: a sweep that is cut off loses nothing."""
    named = {home / one.folder for one in named_folders(registry)}
    for mark in (mark for part in MARKED for mark in (home / part).glob(f"*{MARK}")):
        if is_alive(mark):
            continue
        path, target = mark.with_name(mark.name.removesuffix(MARK)), written_by(mark)
        if path not in named and (path.exists() or path.is_symlink()):
            yield path
        if target is not None:
            yield from unfinished(target)
        if path in named or not path.exists():
            yield mark


def _readers() -> Iterator[Path]:
    """The folders of reading processes whose studio was killed; only our own account's."""
    for mark in Path(tempfile.gettempdir()).glob(f"{FOLDER}*/{READER}"):
        folder = mark.parent
        ours = not folder.is_symlink() and (
            os.name != "posix" or folder.lstat().st_uid == os.getuid()
        )
        if ours and not is_alive(mark):
            yield folder


def _untouched(home: Path, registry: Registry) -> Iterator[Path]:
    for path in (home / "temp").glob("*"):
        if path.suffix != MARK and not is_alive(mark_of(path)) and age(path) > TEMP_SECONDS:
            yield path
    live = set(registry.run_ids(states=LIVE_STATES))
    for pattern in ("*.tmp", "*/*.tmp", "runs/*/*.tmp"):
        for path in home.glob(pattern):
            if path.parent.name not in live and age(path) > LEFT_SECONDS:
                yield path
    adapters = registry.subjects(("adapter id given", "adapter deleted"))
    for name in adapters - set(registry.adapter_ids()):
        yield from _forgotten(home / "adapters" / name)
    for name in registry.subjects(("run deleted",)) - set(registry.run_ids()):
        yield from _forgotten(home / "runs" / name)


def _forgotten(folder: Path) -> Iterator[Path]:
    if folder.is_dir() and age(folder) > LEFT_SECONDS:
        yield folder
