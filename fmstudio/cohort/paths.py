"""What a cell of a manifest names on the disk: a file or folder, however its name is spelled.

The question is always whether there is a file or folder of that name, never how the name ends. The
name as it stands comes first; then the same characters composed in another way (macOS stores ö as o
and a dot), then another case, spaces at the ends, backslashes and percent signs.
"""

from __future__ import annotations

import ntpath
import os
import posixpath
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from fmstudio.cohort.cells import LONGEST_PATH, is_date, says_number
from fmstudio.contracts import Pipeline, Recognising

DEEPEST = 6  # folders in a folder that stands for a case
_SYSTEM = frozenset(("thumbs.db", "desktop.ini", "dicomdir", "__macosx"))
_SEPARATOR = re.compile(r"[^\s/\\][/\\][^\s/\\]")
_ENDING = re.compile(r"[^\s.]\.[A-Za-z][A-Za-z0-9]{1,4}$")
_PLAIN_ENDING = re.compile(r"\.[A-Za-z]{2,4}\d?$")  # codes of diagnoses end in other ways
_DIGITS = re.compile(r"(\d+)")


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _trimmed(name: str) -> str:
    return _composed(name).strip()


def _folded(name: str) -> str:
    # Folding may take a character apart again.
    return _composed(_trimmed(name).casefold())


_LEVELS: tuple[Callable[[str], str], ...] = (_composed, _trimmed, _folded)


class Files:
    """The files below the folder of a manifest, found by what cells call them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._listed: dict[tuple[str, int], dict[str, list[str]]] = {}

    def matches(self, name: str) -> list[str]:
        """The paths below the folder that `name` can mean, as they are spelled on the disk.

        None if there is no such file or folder; several only where none is spelled as `name` is
        and several differ from it in the same way.
        """
        spelled = name.replace("\\", "/")
        ways = list(dict.fromkeys((name, spelled, unquote(name), unquote(spelled))))
        ways = [way for way in ways if way and is_inside(way)]
        for way in ways:
            if exists(self.root, way):
                return [way]
        for level in range(len(_LEVELS)):
            for way in ways:
                if found := self._walk(way, level):
                    return found
        return []

    def _walk(self, name: str, level: int) -> list[str]:
        parts = [part for part in PurePosixPath(posixpath.normpath(name)).parts if part != "."]
        found = [""]
        for part in parts:
            key = _LEVELS[level](part)
            found = [
                os.path.join(folder, entry)  # noqa: PTH118 (a relative path as text)
                for folder in found
                for entry in self._entries(folder, level).get(key, ())
            ]
        return [each for each in found if each]

    def _entries(self, folder: str, level: int) -> dict[str, list[str]]:
        """The entries of a folder by their names at a level of sameness."""
        if (folder, level) not in self._listed:
            entries: dict[str, list[str]] = defaultdict(list)
            try:
                names = sorted(os.listdir(self.root / folder))  # noqa: PTH208 (names only)
            except OSError:
                names = []
            for name in names:
                entries[_LEVELS[level](name)].append(name)
            self._listed[folder, level] = entries
        return self._listed[folder, level]


def exists(folder: Path, name: str) -> bool:
    """True if there is a file or folder of exactly this name."""
    try:
        return (folder / name).exists()
    except (OSError, ValueError):  # a name that is too long, or holds a NUL
        return False


def is_inside(name: str) -> bool:
    """True if a relative path, written for any system, stays within its folder."""
    plain = name.replace("\\", "/")
    if plain.startswith(("/", "~")) or ntpath.splitdrive(name)[0] or "://" in plain:
        return False
    return posixpath.normpath(plain).split("/")[0] != ".."


def could_name(cell: str) -> bool:
    """True for a cell that may name a file or folder: one short line that is no number or date."""
    text = cell.strip()
    return (
        0 < len(text) <= LONGEST_PATH
        and "\n" not in text
        and not (_SEPARATOR.search(text) is None and (says_number(text) or is_date(text)))
    )


def looks_like_path(cell: str) -> bool:
    """True for a cell that nobody would write but to name a file, whether it is there or not.

    Its end is that of a file's name, and it has folders before it, or digits or signs and no space
    ("scan_07.xyz"); "mg/dl", "N/A", "b.i.d." and a sentence without a space after its full stop
    are none.
    """
    text = cell.strip()
    if not could_name(text) or not _ENDING.search(text) or "://" in text:
        return False
    if _SEPARATOR.search(text):
        return True
    stem, _, _ = text.rpartition(".")
    return not re.search(r"\s", text) and bool(
        _PLAIN_ENDING.search(text) and re.search(r"[0-9_-]", stem)
    )


def leads_somewhere(cell: str) -> bool:
    """True for a cell that looks like a path with folders in it."""
    return looks_like_path(cell) and _SEPARATOR.search(cell.strip()) is not None


def is_bare(cell: str) -> bool:
    """True for a name without folder and ending, which may as well be a word."""
    text = cell.strip()
    return not _SEPARATOR.search(text) and not _ENDING.search(text)


def natural(path: Path) -> tuple[tuple[int, str, int], ...]:
    """A key that sorts 2.dcm before 10.dcm."""
    pieces = _DIGITS.split(str(path).casefold())
    return tuple((1, "", int(p)) if p.isdecimal() else (0, p, 0) for p in pieces)


def files_below(folder: Path) -> list[Path]:
    """The files of a folder that stands for a case, in the order that people count them.

    What systems and discs add by themselves is left out.
    """
    found: list[Path] = []
    waiting = [(folder, 0)]
    while waiting:
        place, depth = waiting.pop()
        for entry in place.iterdir():
            if entry.name.startswith(".") or entry.name.casefold() in _SYSTEM:
                continue
            if entry.is_file():
                found.append(entry)
            elif entry.is_dir() and depth < DEEPEST and not entry.is_symlink():
                waiting.append((entry, depth + 1))
    return sorted(found, key=natural)


def readers_of(path: Path, pipelines: Iterable[Pipeline]) -> list[Pipeline]:
    """The pipelines that know a file by its first bytes, or a folder by its first file."""
    try:
        if path.is_dir():
            path = next(iter(files_below(path)), path)
        if not path.is_file():
            return []
        return [p for p in pipelines if isinstance(p, Recognising) and p.recognises(path)]
    except OSError:
        return []


def reads(pipeline: Pipeline, path: Path) -> bool:
    """True if a file is one that the pipeline reads, by its ending or by its first bytes."""
    return path.name.lower().endswith(pipeline.suffixes) or bool(readers_of(path, [pipeline]))


def in_folder(pipeline: Pipeline, folder: Path) -> tuple[list[Path], int]:
    """The files of a folder that the pipeline reads, and how many it does not."""
    every: Sequence[Path] = files_below(folder)
    found = [path for path in every if reads(pipeline, path)]
    return found, len(every) - len(found)
