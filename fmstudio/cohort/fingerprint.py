"""SHA-256 of what a cohort is made of, so that a result can say which data it comes from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from fmstudio.cohort.cells import is_missing, same_value
from fmstudio.cohort.manifest import Manifest
from fmstudio.contracts import files_of
from fmstudio.types import PatientCase, Source, to_json

MISSING = "missing"
THREADS = 4  # hashing releases the interpreter; more would only wait for the disk


def fingerprint(
    manifest: Manifest, roles: Mapping[str, str], sources: Sequence[Mapping[str, Sequence[Source]]]
) -> str:
    """Over the manifest's bytes, the roles, and every file in the order of rows and modalities.

    Files that other files name (the signals of a header) are part of it.
    """
    paths = [
        path for row in sources for name, given in row.items() for path in files_of(name, given)
    ]
    hashes = _hash_files(paths)
    total = hashlib.sha256()
    for part in (manifest.sha256, to_json(dict(roles)), *(hashes[path] for path in paths)):
        total.update(part.encode() + b"\n")
    return total.hexdigest()


@dataclass(frozen=True)
class Contents:
    """What a case consists of, whatever its files and the case are called.

    `files` are SHA-256 and size in bytes of each; `values` are (column, value) of what was typed,
    each value in one spelling, in the order of the columns' names.
    """

    files: tuple[tuple[str, int], ...]
    values: tuple[tuple[str, str], ...]

    @property
    def row(self) -> str:
        """The SHA-256 of all values together."""
        text = to_json([list(value) for value in self.values])
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def contents(cases: Sequence[PatientCase], columns: Mapping[str, Sequence[str]]) -> list[Contents]:
    """The contents of cases as far as `columns`, by modality, are concerned."""
    given = [
        [
            (name, s)
            for name, names in columns.items()
            for s in case.sources.get(name, ())
            if s.name in names
        ]
        for case in cases
    ]
    files = [
        [
            path
            for name, source in sources
            if source.path is not None
            for path in files_of(name, [source])
        ]
        for sources in given
    ]
    hashes = _hash_files(path for paths in files for path in paths)
    return [
        Contents(
            tuple(
                (hashes[path], path.stat().st_size)
                for path in dict.fromkeys(paths)
                if hashes[path] != MISSING
            ),
            tuple(
                sorted(
                    (s.name, same_value(s.text))
                    for _, s in sources
                    if s.text is not None and not is_missing(s.text)
                )
            ),
        )
        for sources, paths in zip(given, files, strict=True)
    ]


def file_hashes(case: PatientCase) -> dict[str, list[str]]:
    """By modality, the SHA-256 of each file of a case, and one of all its typed values together."""
    return {name: _source_hashes(name, sources) for name, sources in case.sources.items()}


def _source_hashes(modality: str, sources: Sequence[Source]) -> list[str]:
    """The SHA-256 of each file, in order, then one of all typed values together, if any.

    Values are hashed together with their columns' names: the hash of a lone "M" would tell it.
    """
    found = list(_hash_files(files_of(modality, sources)).values())
    typed = [[source.name, source.text] for source in sources if source.path is None]
    if typed:
        text = to_json(typed).encode("utf-8", "surrogatepass")
        found.append(hashlib.sha256(text).hexdigest())
    return found


def _hash_files(paths: Iterable[Path]) -> dict[Path, str]:
    unique = list(dict.fromkeys(paths))
    if len(unique) < 2:
        return {path: _hash(path) for path in unique}
    with ThreadPoolExecutor(THREADS) as pool:
        return dict(zip(unique, pool.map(_hash, unique), strict=True))


def _hash(path: Path) -> str:
    """The file's SHA-256, or MISSING where there is no regular file that may be read."""
    try:
        if not path.is_file():
            return MISSING
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return MISSING
