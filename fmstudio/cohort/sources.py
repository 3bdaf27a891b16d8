"""The cells of a manifest -> the Sources of every case, by modality."""

from __future__ import annotations

import ntpath
import os
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from fmstudio.cohort.cells import is_date, is_missing, is_path, says_number, split_paths
from fmstudio.cohort.manifest import Manifest
from fmstudio.cohort.roles import columns_of
from fmstudio.contracts import Pipeline, files_of, pipelines
from fmstudio.errors import InputError
from fmstudio.types import Source

MOSTLY_NUMBERS = 0.8
MOSTLY_PATHS = 0.5

Sources = Mapping[str, tuple[Source, ...]]


@dataclass
class _Missing:
    """Files that the manifest names and that are not there."""

    rows: list[int] = field(default_factory=list)
    named: list[str] = field(default_factory=list)


def read_sources(manifest: Manifest, roles: Mapping[str, str], check_files: bool) -> list[Sources]:
    """What each row gives for each modality; an empty cell gives nothing.

    Raises InputError for a path that leaves the manifest's folder, for text in a column of numbers
    and, with `check_files`, for files that are not there.
    """
    found: list[dict[str, list[Source]]] = [{} for _ in manifest.rows]
    missing = _Missing()
    for name, pipeline in pipelines().items():
        for column in columns_of({c: roles.get(c, "") for c in manifest.columns}, name):
            for row, sources in enumerate(_column(manifest, column, pipeline, missing)):
                if sources:
                    found[row].setdefault(name, []).extend(sources)
    if check_files and missing.rows:
        first = ", ".join(missing.named[:3])
        more = f" and {len(missing.named) - 3} more" if len(missing.named) > 3 else ""
        raise InputError(
            f"{len(missing.named)} files named in {manifest.path.name} do not exist: "
            f"{first}{more} ({manifest.where(list(dict.fromkeys(missing.rows)))}).",
            hint="Paths are relative to the folder of the manifest. Put the files there, correct "
            "the paths, or leave a cell empty where there is no file.",
        )
    given = [{name: tuple(sources) for name, sources in row.items()} for row in found]
    _refuse_leading_out(manifest, given)
    return given


def _column(
    manifest: Manifest, column: str, pipeline: Pipeline, missing: _Missing
) -> list[list[Source]]:
    cells = manifest.cells(column)
    filled = [cell for cell in cells if not is_missing(cell)]
    paths = sum(is_path(cell, pipeline.suffixes) for cell in filled)
    holds_paths = not pipeline.inline or (filled and paths > MOSTLY_PATHS * len(filled))
    if holds_paths:
        return [
            [] if is_missing(cell) else _files(manifest, column, row, cell, missing)
            for row, cell in enumerate(cells)
        ]
    if pipeline.kind == "table":
        _refuse_text_among_numbers(manifest, column, cells)
    if not paths:
        return [[Source(column, text=cell)] if cell.strip() else [] for cell in cells]
    return [[_value(manifest, column, cell, pipeline)] if cell.strip() else [] for cell in cells]


def _value(manifest: Manifest, column: str, cell: str, pipeline: Pipeline) -> Source:
    """A typed value; a lone cell that names an existing file of the right ending is that file."""
    if is_path(cell, pipeline.suffixes) and _inside(cell.strip()):
        path = manifest.folder / cell.strip()
        if path.is_file():
            return Source(column, path=path)
    return Source(column, text=cell)


def _files(manifest: Manifest, column: str, row: int, cell: str, missing: _Missing) -> list[Source]:
    whole = cell.strip()
    names = [whole] if ";" in whole and _exists(manifest.folder, whole) else split_paths(whole)
    sources = []
    for name in names:
        if not _inside(name):
            raise _outside(manifest, column, row, name)
        if not _exists(manifest.folder, name):
            windows = name.replace("\\", "/")
            if _exists(manifest.folder, windows):
                name = windows
            else:
                missing.rows.append(row)
                missing.named.append(name[:80])
        sources.append(Source(column, path=manifest.folder / name))
    return sources


def _refuse_leading_out(manifest: Manifest, found: Sequence[Sources]) -> None:
    """Refuse files that links, or a header that names them, put outside the manifest's folder."""
    home = Path(os.path.realpath(manifest.folder))

    @cache
    def leads_out(folder: str) -> bool:
        return not Path(os.path.realpath(folder)).is_relative_to(home)

    def is_outside(path: Path) -> bool:
        if not _exists(path.parent, path.name):
            return False
        if leads_out(str(path.parent)) or (path.is_symlink() and leads_out(str(path))):
            return True
        return path.is_dir() and any(map(is_outside, path.iterdir()))

    for row, sources in enumerate(found):
        for name, given in sources.items():
            for source in given:
                if source.path is not None and any(map(is_outside, files_of(name, [source]))):
                    shown = os.path.relpath(source.path, manifest.folder)
                    raise _outside(manifest, source.name, row, shown)


def _outside(manifest: Manifest, column: str, row: int, name: str) -> InputError:
    return InputError(
        f"Column '{column}' names '{name[:80]}' ({manifest.where([row])}), which is "
        "outside the manifest's folder.",
        hint="Put the files into the manifest's folder, not links to elsewhere, and write their "
        "paths relative to it, such as images/p1.dcm.",
    )


def _exists(folder: Path, name: str) -> bool:
    try:
        return (folder / name).exists()
    except (OSError, ValueError):  # a name that is too long, or holds a NUL
        return False


def _inside(name: str) -> bool:
    """True if a relative path, written for any system, stays within its folder."""
    plain = name.replace("\\", "/")
    if plain.startswith(("/", "~")) or ntpath.splitdrive(name)[0] or "://" in plain:
        return False
    return posixpath.normpath(plain).split("/")[0] != ".."


def _refuse_text_among_numbers(manifest: Manifest, column: str, cells: Sequence[str]) -> None:
    """Text in a few cells of a column of numbers is a slip, and would become a category."""
    filled = [(row, cell) for row, cell in enumerate(cells) if not is_missing(cell)]
    strange = [(row, cell) for row, cell in filled if not says_number(cell)]
    if not strange or len(filled) - len(strange) < MOSTLY_NUMBERS * len(filled):
        return
    kind = "a date" if all(is_date(cell) for _, cell in strange) else "text"
    row, cell = strange[0]
    more = f" (and {len(strange) - 1} more)" if len(strange) > 1 else ""
    raise InputError(
        f"Column '{column}' holds numbers, but {kind} in {manifest.where([row])}: "
        f"'{cell.strip()[:40]}'{more}.",
        hint="Correct the cell, or leave it empty where the value is not known. If the column is "
        "not meant as an input, give it the role 'ignore'.",
    )
