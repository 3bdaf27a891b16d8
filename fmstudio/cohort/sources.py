"""The cells of a manifest -> the Sources of every case, by modality."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from fmstudio.cohort.cells import is_date, is_missing, is_path, says_number, split_paths
from fmstudio.cohort.manifest import Manifest
from fmstudio.cohort.paths import (
    Files,
    could_name,
    exists,
    in_folder,
    is_bare,
    is_inside,
    looks_like_path,
)
from fmstudio.cohort.readings import DATES
from fmstudio.cohort.roles import columns_of
from fmstudio.contracts import Pipeline, files_of, pipelines
from fmstudio.errors import InputError
from fmstudio.types import Source

MOSTLY_NUMBERS = 0.8
MOSTLY_PATHS = 0.5
MOSTLY_DISTINCT = 0.8
PROBED = 50  # cells of which none names a file in a column that holds values

Sources = Mapping[str, tuple[Source, ...]]


@dataclass
class _Found:
    """What looking for the files of a manifest brought to light."""

    rows: list[int] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    respelled: int = 0
    unread: int = 0
    folders: int = 0

    def remark(self) -> str:
        """What was done on the way to the files, in sentences."""
        said = []
        if self.respelled:
            said.append(
                f"{self.respelled} files are spelled otherwise in the table than on the disk "
                "(accents, capitals, spaces or signs); they were found."
            )
        if self.unread:
            said.append(
                f"{self.unread} files in the {self.folders} folders that the table names are of "
                "another kind and were left out."
            )
        return " ".join(said)


def read_sources(
    manifest: Manifest, roles: Mapping[str, str], check_files: bool
) -> tuple[list[Sources], str]:
    """What each row gives for each modality, and a remark; an empty cell gives nothing.

    A folder gives the files in it that its modality reads. Raises InputError for a path that leaves
    the manifest's folder or can mean two files, for text in a column of numbers and, with
    `check_files`, for files that are not there.
    """
    found: list[dict[str, list[Source]]] = [{} for _ in manifest.rows]
    files, seen = Files(manifest.folder), _Found()
    for name, pipeline in pipelines().items():
        for column in columns_of({c: roles.get(c, "") for c in manifest.columns}, name):
            cells = _Cells(manifest, column, pipeline, files, seen)
            for row, sources in enumerate(cells.sources()):
                if sources:
                    found[row].setdefault(name, []).extend(sources)
    if check_files and seen.rows:
        first = ", ".join(seen.missing[:3])
        more = f" and {len(seen.missing) - 3} more" if len(seen.missing) > 3 else ""
        raise InputError(
            f"{len(seen.missing)} files named in {manifest.path.name} do not exist: "
            f"{first}{more} ({manifest.where(list(dict.fromkeys(seen.rows)))}).",
            hint="Paths are relative to the folder of the manifest. Put the files there, correct "
            "the paths, or leave a cell empty where there is no file.",
        )
    given: list[Sources] = [
        {name: tuple(sources) for name, sources in row.items()} for row in found
    ]
    _refuse_leading_out(manifest, given)
    return given, seen.remark()


@dataclass(frozen=True)
class _Cells:
    """The cells of one column that has the role of a modality."""

    manifest: Manifest
    column: str
    pipeline: Pipeline
    files: Files
    seen: _Found

    def sources(self) -> list[list[Source]]:
        """What each row's cell gives."""
        cells = self.manifest.cells(self.column)
        filled = [cell for cell in cells if not is_missing(cell)]
        if not self.pipeline.inline or self._names_files(filled):
            return [
                [] if is_missing(cell) else self._paths(row, cell) for row, cell in enumerate(cells)
            ]
        if self.pipeline.kind == "table":
            _refuse_text_among_numbers(self.manifest, self.column, cells)
            reading = self.manifest.readings[self.column]
            cells = [cell if is_missing(cell) else reading.text(cell) for cell in cells]
        return [self._value(row, cell) if cell.strip() else [] for row, cell in enumerate(cells)]

    def _names_files(self, filled: Sequence[str]) -> bool:
        """True if most cells of a column that may hold values name files instead."""
        distinct = len(set(filled)) >= MOSTLY_DISTINCT * len(filled)
        paths = 0
        for number, cell in enumerate(filled):
            written = self.pipeline.kind == "text" and looks_like_path(cell)
            if written or is_path(cell, self.pipeline.suffixes):
                paths += 1
            elif could_name(cell) and (distinct or not is_bare(cell)):
                paths += bool(self.files.matches(cell.strip()))
            if not paths and number >= PROBED:
                return False
        return paths > MOSTLY_PATHS * len(filled)

    def _value(self, row: int, cell: str) -> list[Source]:
        """A typed value; a lone cell that reads like a path and names a file is that file."""
        if looks_like_path(cell) or is_path(cell, self.pipeline.suffixes):
            if not is_inside(cell.strip()):
                return [Source(self.column, text=cell)]
            if self.files.matches(cell.strip()):
                return self._paths(row, cell)
        return [Source(self.column, text=cell)]

    def _paths(self, row: int, cell: str) -> list[Source]:
        whole = cell.strip()
        names = [whole] if ";" in whole and exists(self.files.root, whole) else split_paths(whole)
        return [Source(self.column, path=path) for name in names for path in self._file(row, name)]

    def _file(self, row: int, name: str) -> list[Path]:
        """The file that a name means, or the files of a folder."""
        if not is_inside(name):
            raise _outside(self.manifest, self.column, row, name)
        places = self.files.matches(name)
        if len(places) > 1:
            raise InputError(
                f"Column '{self.column}' names '{name[:80]}' ({self.manifest.where([row])}), which "
                f"can mean {' or '.join(repr(each) for each in places[:4])}.",
                hint="Write the name exactly as the file's own, or rename one of the files.",
            )
        if not places:
            self.seen.rows.append(row)
            self.seen.missing.append(name[:80])
            return [self.files.root / name]
        self.seen.respelled += places[0] != name
        path = self.files.root / places[0]
        return self._in_folder(path) if path.is_dir() else [path]

    def _in_folder(self, folder: Path) -> list[Path]:
        found, unread = in_folder(self.pipeline, folder)
        self.seen.folders += 1
        self.seen.unread += unread
        return found or [folder]  # reading it says that there is nothing


def _refuse_leading_out(manifest: Manifest, found: Sequence[Sources]) -> None:
    """Refuse files that links, or a header that names them, put outside the manifest's folder."""
    home = Path(os.path.realpath(manifest.folder))

    @cache
    def leads_out(folder: str) -> bool:
        return not Path(os.path.realpath(folder)).is_relative_to(home)

    def is_outside(path: Path) -> bool:
        if not exists(path.parent, path.name):
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


def _refuse_text_among_numbers(manifest: Manifest, column: str, cells: Sequence[str]) -> None:
    """Text in a few cells of a column of numbers is a slip, and would become a category."""
    filled = [(row, cell) for row, cell in enumerate(cells) if not is_missing(cell)]
    reading = manifest.readings[column]
    strange = [
        (row, cell)
        for row, cell in filled
        if not says_number(cell) and not (reading.kind == DATES and reading.date(cell))
    ]
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
