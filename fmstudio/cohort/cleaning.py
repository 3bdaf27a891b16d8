"""Steps that clean up a table of cases, written beside it: the table itself is never changed.

A cleaned manifest is a small JSON file that names a table and the steps to take on it. Whatever
reads a manifest reads it too, so that runs, predictions and later reports all see the same cells.
Rows keep their numbers: one that is left out is set aside, not removed.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fmstudio.cohort.cells import is_missing
from fmstudio.cohort.manifest import Manifest
from fmstudio.cohort.reading import read_table
from fmstudio.cohort.readings import reading_of
from fmstudio.errors import InputError
from fmstudio.files import write_whole
from fmstudio.types import to_json

SUFFIX = ".mended.json"
FORMAT = 1

Step = Mapping[str, Any]


def leave_out(rows: Sequence[int]) -> Step:
    """Set rows aside."""
    return {"do": "leave out", "rows": sorted(rows)}


def empty(column: str, rows: Sequence[int]) -> Step:
    """Take the cells of a column in these rows for missing."""
    return {"do": "empty", "column": column, "rows": sorted(rows)}


def convert(column: str, rows: Sequence[int], factor: float, offset: float) -> Step:
    """Put numbers into another unit: value * factor + offset."""
    return {
        "do": "convert",
        "column": column,
        "rows": sorted(rows),
        "factor": factor,
        "offset": offset,
    }


def rewrite(column: str, spellings: Mapping[str, str]) -> Step:
    """Write some values of a column as others."""
    return {"do": "rewrite", "column": column, "spellings": dict(spellings)}


def give_role(column: str, role: str) -> Step:
    """Take a column for something else."""
    return {"do": "role", "column": column, "role": role}


def accept(kind: str, columns: Sequence[str], about: str = "") -> Step:
    """Go on with what was found: it stays in the report, as a note.

    `about` is that of the finding, where there may be several of one kind and columns.
    """
    step = {"do": "accept", "kind": kind, "columns": list(columns)}
    return {**step, "about": about} if about else step


def keep_splits(column: str, parts: Mapping[str, Sequence[int]]) -> Step:
    """Write into a column, made if need be, in which split each row is."""
    return {"do": "split", "column": column, "parts": {k: sorted(v) for k, v in parts.items()}}


def answer(key: str, said: str) -> Step:
    """What a person says of all files of the cohort that leave it open (see `types.Question`)."""
    return {"do": "answer", "key": key, "said": said}


def signed(steps: Sequence[Step], by: str, at: str) -> list[Step]:
    """The steps, with who accepted what was found or answered a question, and when."""
    said = ("accept", "answer")
    return [{**step, "by": by, "at": at} if step["do"] in said else step for step in steps]


def roles_after(steps: Sequence[Step]) -> dict[str, str]:
    """The roles that the steps give, by column; the last one counts."""
    return {step["column"]: step["role"] for step in steps if step["do"] == "role"}


def answered(manifest: Manifest) -> dict[str, Step]:
    """The last answer to each question, by its key."""
    return {step["key"]: step for step in manifest.steps if step["do"] == "answer"}


def answers_in(path: Path) -> dict[str, str]:
    """The answers that a manifest brings along, by key, without reading its table."""
    if not path.name.endswith(SUFFIX) or not path.is_file():
        return {}
    steps = _stored(path)["steps"]
    return {step["key"]: str(step["said"]) for step in steps if step["do"] == "answer"}


def accepted(manifest: Manifest) -> dict[tuple[str, tuple[str, ...], str], str]:
    """By (kind, columns, about) of a finding that a person goes on with: who said so, and when."""
    found = {}
    for step in manifest.steps:
        if step["do"] == "accept":
            who = f"{step['by']}, {step['at'][:10]}" if step.get("by") else ""
            found[step["kind"], tuple(step["columns"]), step.get("about", "")] = who
    return found


def write_mended(folder: Path, original: Path, steps: Sequence[Step]) -> Path:
    """Write a cleaned manifest into a folder, on top of another one or of a table."""
    table, before = original, []
    if original.name.endswith(SUFFIX):
        stored = _stored(original)
        table, before = _table_of(original, stored), stored["steps"]
    stem = original.name.removesuffix(SUFFIX) if before else original.stem
    return write_steps(folder / f"{stem}{SUFFIX}", table, [*before, *steps])


def write_steps(path: Path, table: Path, steps: Sequence[Step]) -> Path:
    """Write a cleaned manifest: a table, and all steps to take on it."""
    inside = table.resolve().is_relative_to(path.resolve().parent.parent)
    named = os.path.relpath(table, path.parent) if inside else str(table.resolve())
    content = {"format": FORMAT, "table": named, "steps": list(steps)}
    write_whole(path, json.dumps(content, indent=1, ensure_ascii=False))
    return path


def without_lost_words(steps: Sequence[Step], table: Mapping[str, Sequence[str]]) -> list[Step]:
    """The steps, without spellings of which a table holds no cell any more."""
    left = []
    for step in steps:
        if step["do"] == "rewrite":
            cells = {cell.strip() for cell in table.get(step["column"], ())}
            there = {old: new for old, new in step["spellings"].items() if old in cells}
            step = {**step, "spellings": there}
        left.append(step)
    return left


def read_mended(path: Path) -> Manifest:
    """The table as it is after the steps. Raises InputError if the file is none of ours."""
    stored = _stored(path)
    return mend(read_table(_table_of(path, stored)), stored["steps"])


def table_of(path: Path) -> Path:
    """The table below a manifest; of one that cannot be read, the manifest itself."""
    try:
        return _table_of(path, _stored(path)) if path.name.endswith(SUFFIX) else path
    except InputError:
        return path


def read_manifest(path: Path | str) -> Manifest:
    """Read a CSV, TSV, XLSX or Parquet manifest, or a cleaned one.

    Raises NotFound if there is no such file, and InputError naming the line or column if it is not
    a table with a header, with every column named once and every row as long as the header.
    """
    path = Path(path)
    return read_mended(path) if path.name.endswith(SUFFIX) else read_table(path)


def mend(manifest: Manifest, steps: Sequence[Step]) -> Manifest:
    """A manifest after the steps. Raises InputError for a column or row that it lacks."""
    table = {column: list(cells) for column, cells in manifest.table.items()}
    aside = set(manifest.left_out)
    for step in steps:
        if step["do"] in ("role", "accept", "answer"):
            continue
        wrong = [row for row in step.get("rows", ()) if not 0 <= row < len(manifest.lines)]
        if wrong:
            raise InputError(
                f"{manifest.path.name} has no row {wrong[0]}, which was to be cleaned.",
                hint="The table has changed: add it again.",
            )
        if step["do"] == "leave out":
            aside |= set(step["rows"])
        elif step["do"] == "split":
            _put_splits(table.setdefault(step["column"], [""] * len(manifest.lines)), step)
        else:
            manifest.check_column(step["column"])
            _CHANGES[step["do"]](table[step["column"]], step)
    sealed = hashlib.sha256(f"{manifest.sha256}{to_json(list(steps))}".encode()).hexdigest()
    return replace(
        manifest,
        table=table,
        left_out=frozenset(aside),
        sha256=sealed,
        steps=(*manifest.steps, *steps),
    )


def _empty(cells: list[str], step: Step) -> None:
    for row in step["rows"]:
        cells[row] = ""


def _convert(cells: list[str], step: Step) -> None:
    reading = reading_of(step["column"], cells)
    for row in step["rows"]:
        value = reading.number(cells[row])
        if math.isfinite(value):
            cells[row] = f"{value * step['factor'] + step['offset']:.6g}"


def _rewrite(cells: list[str], step: Step) -> None:
    for row, cell in enumerate(cells):
        plain = cell.strip()
        if not is_missing(plain) and plain in step["spellings"]:
            cells[row] = step["spellings"][plain]


def _put_splits(cells: list[str], step: Step) -> None:
    for split, rows in step["parts"].items():
        for row in rows:
            cells[row] = split


_CHANGES: Mapping[str, Callable[[list[str], Step], None]] = {
    "empty": _empty,
    "convert": _convert,
    "rewrite": _rewrite,
}
_KNOWN = (*_CHANGES, "leave out", "split", "role", "accept", "answer")


def _stored(path: Path) -> dict[str, Any]:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        known = stored["format"] == FORMAT and isinstance(stored["table"], str)
        fine = known and all(step["do"] in _KNOWN for step in stored["steps"])
    except (OSError, ValueError, KeyError, TypeError):
        fine = False
    if not fine:
        raise InputError(
            f"{path.name} is not a cleaned table of this version of the studio.",
            hint="Add the table itself.",
        )
    return dict(stored)


def _table_of(path: Path, stored: Mapping[str, Any]) -> Path:
    return Path(os.path.normpath(path.parent / stored["table"]))
