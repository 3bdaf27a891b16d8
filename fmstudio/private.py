"""What the studio writes is its user's alone: nobody else on this computer may read it."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

log = logging.getLogger(__name__)

OTHERS = stat.S_IRWXG | stat.S_IRWXO


def write_privately() -> None:
    """From now on this process and those it starts make files that nobody else may read."""
    os.umask(OTHERS)


def tighten(folder: Path, deep: bool = True) -> int:
    """Take the rights of all others from a folder and what is in it; the number changed.

    Links are left alone, and what is not ours is logged. Not `deep`: the folder and its own
    entries, which shuts all that lies below. On Windows a user's folder is private by itself.
    """
    if os.name != "posix" or not folder.is_dir():
        return 0
    changed = int(_shut(folder))
    waiting = [folder]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_symlink():
                        continue
                    changed += _shut(Path(entry.path))
                    if deep and entry.is_dir(follow_symlinks=False):
                        waiting.append(Path(entry.path))
        except OSError as fault:  # gone meanwhile, or another user's
            log.warning("A folder of the home could not be looked at: %s.", fault.strerror)
    return changed


def _shut(path: Path) -> bool:
    """True if others had rights, which are gone now."""
    try:
        mode = stat.S_IMODE(path.lstat().st_mode)
        if not mode & OTHERS:
            return False
        path.chmod(mode & ~OTHERS)
    except FileNotFoundError:
        return False
    except OSError as fault:
        log.warning("%s stays readable for others: %s.", path.name, fault.strerror)
        return False
    return True
