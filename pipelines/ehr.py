"""Columns of the manifest, or a table per case -> one row per named feature, with its unit.

A cell is a number, a date (days since 1970-01-01) or a category; a missing cell keeps its row
with mask False. Nothing is filled in here: scaling and categories are learned from training
patients elsewhere.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fmstudio.errors import UnreadableFile
from fmstudio.types import ModalityInput, Preview, Quantity, Source
from pipelines.cells import (
    Cell,
    label_of,
    names_bands,
    read_cell,
    read_number,
    read_pressure,
    split_unit,
)
from pipelines.formats.tables import open_table
from pipelines.headers import about_files, without_headers
from pipelines.quantities import find_quantity, read_unit
from pipelines.times import is_time_name, read_times

MAX_ROWS = 5_000  # table rows kept per case; a denser record is a device log
MAX_CATEGORY = 200  # characters; longer text is a note

_NAME_COLUMNS = tuple(
    (
        "name parameter param test test_name item variable analyte lab feature measurement "
        "itemname observation code label"
    ).split()
)
_VALUE_COLUMNS = ("value", "result", "valuenum", "reading", "measured", "value_num", "result_value")
_NUMBER_AND_WORDS = re.compile(r"([-+]?\d[\d.,]*)\s*([^\d\s].*)")
_UNIT_COLUMNS = ("unit", "units", "uom", "valueuom", "value_unit", "result_unit")


@dataclass
class _Rows:
    """The rows of the table while they are gathered."""

    names: list[str] = field(default_factory=list)
    units: list[str] = field(default_factory=list)
    categories: list[str | None] = field(default_factory=list)
    seconds: list[float | None] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    mask: list[bool] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def add(
        self, name: str, text: str, unit: str = "", at: float | None = None, decimal: str = "."
    ) -> None:
        """One more row: `text` is the cell as written, `unit` what a unit column says."""
        pressure = read_pressure(text)
        if pressure is not None:
            for which, value in zip(("systolic", "diastolic"), pressure, strict=True):
                self.add(f"{split_unit(name)[0]} {which}", value, unit or "mmHg", at, decimal)
            return
        name, named_unit = split_unit(name)
        bands = names_bands(name)
        cell = read_cell(text, decimal, bands)
        if cell.category is not None and not bands:
            cell = _with_unit(name, cell, decimal)
        if cell.remark:
            self.remarks.append(f"{name}: {cell.remark}.")
        category = cell.category
        if category is not None and len(category) > MAX_CATEGORY:
            category = category[:MAX_CATEGORY]
            self.remarks.append(f"{name}: a text was cut to {MAX_CATEGORY} characters.")
        if cell.unit and (unit or named_unit) and cell.unit.lower() != (unit or named_unit).lower():
            self.remarks.append(
                f"{name}: the cell says {cell.unit}, its column {unit or named_unit}."
            )
        self.names.append(name)
        self.units.append(cell.unit or unit or named_unit)
        self.categories.append(category)
        self.seconds.append(at)
        self.values.append(0.0 if cell.number is None else cell.number)
        self.mask.append(cell.number is not None or category is not None)


def _with_unit(name: str, cell: Cell, decimal: str) -> Cell:
    """A number with a unit behind it, if that is one of what the column measures: "63 yrs", "38 C".

    Which words are units depends on the column: a "C" elsewhere is a grade.
    """
    match, known = _NUMBER_AND_WORDS.fullmatch(cell.category or ""), find_quantity(name)
    if match is None or known is None or not read_unit(known[0], match[2]):
        return cell
    number, remark = read_number(match[1], decimal)
    return cell if number is None else Cell(number, unit=match[2], remark=remark)


@dataclass(frozen=True)
class Ehr:
    """Numbers, categories and dates of a patient, from table cells or a small table file."""

    name: str = "ehr"
    label: str = "EHR table"
    kind: str = "table"
    suffixes: tuple[str, ...] = (".csv", ".tsv", ".txt", ".xlsx", ".parquet")
    order: int = 1
    version: int = 3
    inline: bool = True
    hints: tuple[str, ...] = ("lab", "vital", "blood", "chart", "record")

    def read(self, sources: Sequence[Source]) -> ModalityInput:
        """Read cells and table files of one case: values (L,) float32, mask (L,).

        A file is wide (one row), long (name, value[, unit][, time]) or timed (a time column and
        a row per moment). Raises UnreadableFile for a file that is none of these.
        """
        rows = _Rows()
        for source in sources:
            if source.path is None:
                rows.add(source.name, source.text or "")
            else:
                _read_file(source.path, rows)
        return ModalityInput(
            self.kind,
            np.array(rows.values, np.float32),
            np.array(rows.mask, bool),
            {
                "names": rows.names,
                "units": rows.units,
                "categories": rows.categories,
                "seconds": rows.seconds,
            },
            tuple(dict.fromkeys(rows.remarks)),
        )

    def preview(self, sources: Sequence[Source]) -> Preview:
        """The table as read: name, value, unit, and time where there is one; missing as "—"."""
        read = self.read(sources)
        timed = any(at is not None for at in read.facts["seconds"])
        table = [("Name", "Value", "Unit", "Time")[: 4 if timed else 3]]
        for i, name in enumerate(read.facts["names"]):
            unit, at = read.facts["units"][i], read.facts["seconds"][i]
            value, unit = _shown(
                float(read.values[i]), bool(read.mask[i]), read.facts["categories"][i], unit
            )
            moment = "" if at is None else _elapsed(at)
            table.append((name, value, unit, moment)[: len(table[0])])
        return Preview(table=tuple(table), remarks=read.remarks)

    def about(self, sources: Sequence[Source]) -> Mapping[str, Sequence[str]]:
        """What the files say beside their values: author and title in properties."""
        return about_files(sources)

    def stripped(self, source: Source) -> bytes | None:
        """The file without what it says of the patient; None where it says nothing.

        Raises UnreadableFile, naming the file.
        """
        return without_headers(source)

    def quantity(self, name: str, unit: str = "") -> tuple[Quantity, str] | None:
        """What a column measures, and the unit that its name says."""
        return find_quantity(name, unit)

    def unit(self, quantity: Quantity, said: str) -> str:
        """Which of the quantity's units a text names, "" for none of them."""
        return read_unit(quantity, said)

    def called(self, name: str) -> tuple[str, str]:
        """The name without its unit, as people write it, and the unit."""
        return label_of(name)


def _shown(value: float, there: bool, category: str | None, unit: str) -> tuple[str, str]:
    if not there:
        return "—", unit
    if category is not None:
        return category, unit
    if unit == "date":  # float32 holds the day exactly, its minutes not quite
        return str(np.datetime64(math.floor(value), "D")), ""
    plain = abs(value) >= 1e6 and abs(value) < 1e12
    return f"{value:.0f}" if plain else f"{value:.6g}", unit


def _elapsed(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02d} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} d"


def _read_file(path: Path, rows: _Rows) -> None:
    table = open_table(path)
    cells: list[tuple[str, ...]] = []
    for chunk in table.chunks:
        cells.extend(zip(*(map(_text, column) for column in chunk), strict=True))
        if len(cells) * len(table.names) > 20 * MAX_ROWS:
            raise UnreadableFile(
                f"{path.name} has more than {len(cells)} rows: too many for a table of one case.",
                hint="Give it as a device log, which is made for long recordings.",
            )
    rows.remarks.extend(table.remarks)
    if not cells:
        rows.remarks.append(f"{path.name} has a header and no row: nothing is known from it.")
        return
    lower = ["_".join(name.lower().split()) for name in table.names]
    name_at, value_at = _position(lower, _NAME_COLUMNS), _position(lower, _VALUE_COLUMNS)
    time_at = next((i for i, name in enumerate(lower) if is_time_name(name)), None)
    seconds: list[float | None] = [None] * len(cells)
    long = None if name_at is None or value_at is None else (name_at, value_at)
    if time_at is not None and (long or len(cells) > 1):
        seconds = _seconds(path, table.names[time_at], [row[time_at] for row in cells], rows)
    before = len(rows.names)
    if long is not None:
        name_at, value_at = long
        unit_at = _position(lower, _UNIT_COLUMNS)
        for row, at in zip(cells, seconds, strict=True):
            unit = "" if unit_at is None else row[unit_at].strip()
            rows.add(row[name_at], row[value_at], unit, at, table.decimal)
    elif len(cells) == 1 or time_at is not None:
        timed = seconds[0] is not None or len(cells) > 1
        features = [i for i in range(len(lower)) if not (timed and i == time_at)]
        for row, at in zip(cells, seconds, strict=True):
            for i in features:
                # An empty cell of a moment is no reading; of a single row it is a missing value.
                if row[i].strip() or not timed:
                    rows.add(table.names[i], row[i], "", at, table.decimal)
    else:
        raise UnreadableFile(
            f"{path.name} has {len(cells)} rows and no time column.",
            hint="Give one row per case, or columns named name and value, or a time column.",
        )
    _keep_last(path, rows, before)


def _text(cell: object) -> str:
    if isinstance(cell, str):
        return cell
    if isinstance(cell, np.datetime64):
        return "" if np.isnat(cell) else str(cell.astype("datetime64[s]")).replace("T", " ")
    return "" if cell != cell else f"{float(cell):.17g}"  # type: ignore[arg-type]


def _position(names: Sequence[str], wanted: Sequence[str]) -> int | None:
    return next((names.index(word) for word in wanted if word in names), None)


def _seconds(path: Path, name: str, cells: list[str], rows: _Rows) -> list[float | None]:
    """Seconds since the first moment of the file, None where a row has no time."""
    times = read_times(cells, name)
    if times is None:
        first = next((cell for cell in cells if cell.strip()), "")
        raise UnreadableFile(
            f"{path.name}: the times in column '{name}' cannot be read (first: '{first[:40]}').",
            hint="Write them as 2021-04-03 14:30, as 14:30, or as seconds.",
        )
    rows.remarks.extend(f"{path.name}: {remark}." for remark in times.remarks)
    start = np.nanmin(times.seconds)
    return [float(s - start) if np.isfinite(s) else None for s in times.seconds]


def _keep_last(path: Path, rows: _Rows, before: int) -> None:
    """Cut a file's rows to the last MAX_ROWS, the most recent ones where they have times."""
    count = len(rows.names) - before
    if count <= MAX_ROWS:
        return
    at = np.array([np.inf if s is None else s for s in rows.seconds[before:]])
    kept = np.sort(np.argsort(at, kind="stable")[-MAX_ROWS:]) + before
    for column in (rows.names, rows.units, rows.categories, rows.seconds, rows.values, rows.mask):
        column[before:] = [column[i] for i in kept]
    rows.remarks.append(f"{path.name}: only the last {MAX_ROWS} of {count} values are used.")


PIPELINE = Ehr()
