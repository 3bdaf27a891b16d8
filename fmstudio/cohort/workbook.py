"""The bytes of an Excel workbook or a Parquet file -> header and rows of text."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from typing import Any

from fmstudio.cohort.delimited import Table
from fmstudio.errors import InputError
from fmstudio.office import unescape

LARGEST_UNPACKED = 2**30  # bytes; a small zip can hold petabytes of zeros


def parse_workbook(name: str, data: bytes) -> Table:
    """The first visible sheet that holds anything; numbers and dates become text.

    Raises InputError for a workbook that cannot be opened, or with a formula whose value is not
    stored.
    """
    _check_zip(name, data)
    import openpyxl

    try:
        values = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        sheets = [sheet for sheet in values.worksheets if sheet.sheet_state == "visible"]
        tables = {
            sheet.title: list(_filled_rows(sheet.iter_rows(values_only=True))) for sheet in sheets
        }
    except InputError:
        raise
    except Exception as fault:  # openpyxl raises whatever its XML and zip readers raise
        raise _broken(name, "Excel workbook") from fault
    filled = [title for title, rows in tables.items() if rows]
    if not filled:
        raise InputError(f"{name} holds no table.", hint="Put the table on the first sheet.")
    _check_formulas(name, data, filled[0])
    (_, header), *rows = tables[filled[0]]
    width = max((i + 1 for i, cell in enumerate(header) if _text(cell)), default=0)
    lines, cells = [], []
    for line, row in rows:
        if any(_text(cell) for cell in row[width:]):
            raise InputError(
                f"{name}, row {line}: a cell stands right of the last named column.",
                hint="Give its column a name, or empty it.",
            )
        lines.append(line)
        cells.append([_text(cell) for cell in (*row[:width], *[None] * (width - len(row)))])
    other = f"Only the sheet '{filled[0]}' was read." if len(filled) > 1 else ""
    return Table([_text(c) for c in header[:width]], cells, lines, (other,) if other else ())


def _filled_rows(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[int, tuple[Any, ...]]]:
    for number, row in enumerate(rows, start=1):
        typed = tuple(unescape(cell) if isinstance(cell, str) else cell for cell in row)
        if any(_text(cell) for cell in typed):
            yield number, typed


def _check_zip(name: str, data: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except zipfile.BadZipFile as fault:
        raise _broken(name, "Excel workbook") from fault
    if size > LARGEST_UNPACKED:
        raise InputError(
            f"{name} unpacks to {size >> 20} MB; the limit is {LARGEST_UNPACKED >> 20} MB.",
            hint="Save the table as CSV UTF-8.",
        )


def _check_formulas(name: str, data: bytes, title: str) -> None:
    """A formula without a stored value would read as an empty cell, silently."""
    import openpyxl

    both = (
        openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=stored)[title]
        for stored in (True, False)
    )
    for stored, typed in zip(*(sheet.iter_rows() for sheet in both), strict=True):
        for value, formula in zip(stored, typed, strict=True):
            if value.value is None and str(formula.value or "").startswith("="):
                raise InputError(
                    f"{name}: cell {formula.coordinate} holds a formula without a stored value.",
                    hint="Open the file in Excel and save it, or paste the values in its place.",
                )


def parse_parquet(name: str, data: bytes) -> Table:
    """All columns as text. Raises InputError for columns that hold anything but plain values."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(data))
    except (pa.ArrowException, OSError) as fault:
        raise _broken(name, "Parquet file") from fault
    columns = []
    for field in table.schema:
        if pa.types.is_nested(field.type) or pa.types.is_binary(field.type):
            raise InputError(
                f"{name}: column '{field.name}' holds {field.type} values.",
                hint="A cell must hold a number, a text, a date or a yes/no value.",
            )
    for column in table.columns:
        columns.append([_text(value) for value in column.to_pylist()])
    rows = [list(cells) for cells in zip(*columns, strict=True)]
    return Table(list(table.column_names), rows, list(range(1, len(rows) + 1)))


def _text(value: object) -> str:
    """A cell's value as a person would type it; empty for none."""
    if value is None:
        return ""
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ").removesuffix(" 00:00:00")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)


def _broken(name: str, what: str) -> InputError:
    return InputError(
        f"{name} cannot be opened as the {what} that its ending says.",
        hint="Save it again, or save it as CSV UTF-8.",
    )
