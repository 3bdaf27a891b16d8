"""CSV, TSV, XLSX and Parquet files -> a header and chunks of columns, cells exactly as written.

Encoding, delimiter and decimal comma are found from the content and said in the remarks. Large
files come in chunks, so that memory depends on the chunk and not on the file.
"""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

import numpy as np

from fmstudio.errors import UnreadableFile
from fmstudio.office import unescape
from pipelines.encoding import detect_encoding
from pipelines.filetypes import check_zip_size, identify, refuse_wrong_ending, require_file

CHUNK_ROWS = 20_000
MAX_COLUMNS = 4_096
MAX_SHEET_ROWS = 200_000
MAX_PARQUET_ROWS = 50_000_000
MAX_CELL = 1_000_000  # characters

Column = list[str] | np.ndarray


@dataclass(frozen=True)
class TextTable:
    """A table as it is read: `names` of the columns and `chunks` of them, each column's cells.

    A column of a chunk is a list of texts, or an array of numbers or datetime64 where the file
    itself says so (Parquet). `decimal` is "," where the file writes decimal commas.
    """

    names: tuple[str, ...]
    chunks: Iterator[list[Column]]
    decimal: str = "."
    remarks: tuple[str, ...] = ()


def open_table(path: Path) -> TextTable:
    """Open a table by its content.

    Raises UnreadableFile for anything that is not a table with a header row, or that is damaged.
    """
    require_file(path)
    key, really = identify(path)
    if key == "xlsx":
        return _open_sheet(path)
    if key == "parquet":
        return _open_parquet(path)
    if key:
        raise refuse_wrong_ending(path, really)
    if path.suffix.lower() in (".xlsx", ".parquet"):
        raise refuse_wrong_ending(path, "not a workbook or Parquet table by its first bytes")
    return _open_text(path)


# --- CSV and TSV ------------------------------------------------------------------------------


def _open_text(path: Path) -> TextTable:
    encoding, remark = detect_encoding(path)
    remarks = [remark] if remark else []
    csv.field_size_limit(MAX_CELL)
    with path.open(encoding=encoding, errors="replace", newline="") as stream:
        # Cut short, so that an unclosed quotation mark cannot make one cell of them all.
        start = [line[: MAX_CELL // 50] for line in itertools.islice(_lines(stream), 50)]
    skipped = next((i for i, line in enumerate(start) if not _is_preamble(line)), None)
    if skipped is None:
        raise UnreadableFile(f"{path.name} holds no table.", hint="Export it again, with a header.")
    lines = [line for line in start[skipped:] if line.strip()]
    delimiter = _delimiter(lines)
    decimal = "," if delimiter != "," and _writes_decimal_commas(lines[1:], delimiter) else "."
    if delimiter not in ",\t":
        remarks.append(f"{path.name}: columns are separated by '{delimiter}'.")
    if decimal == ",":
        remarks.append(f"{path.name}: decimal commas were read.")
    rows = _text_rows(path, encoding, delimiter, skipped)
    return _with_header(path, rows, decimal, remarks)


def _lines(stream: Iterator[str]) -> Iterator[str]:
    """Lines with a bound on their length, so that a file without line ends stays cheap."""
    readline = stream.readline  # type: ignore[attr-defined]
    return iter(lambda: readline(4 * MAX_CELL), "")


def _is_preamble(line: str) -> bool:
    return not line.strip() or line.startswith("#") or line.strip().lower().startswith("sep=")


def _delimiter(lines: Sequence[str]) -> str:
    """The delimiter that splits the header, and the following lines most evenly."""

    def fit(delimiter: str) -> tuple[float, int]:
        counts = [len(row) for row in csv.reader(lines, delimiter=delimiter)]
        same = sum(count == counts[0] for count in counts) / len(counts)
        return (same if counts[0] > 1 else 0.0, counts[0])

    return max((",", ";", "\t", "|"), key=fit)


def _writes_decimal_commas(lines: Sequence[str], delimiter: str) -> bool:
    cells = [cell.strip() for row in csv.reader(lines, delimiter=delimiter) for cell in row]
    commas = sum(re.fullmatch(r"[+-]?\d*,\d+", cell) is not None for cell in cells)
    points = sum(re.fullmatch(r"[+-]?\d*\.\d+", cell) is not None for cell in cells)
    return commas > points


def _text_rows(path: Path, encoding: str, delimiter: str, skipped: int) -> Iterator[list[str]]:
    with path.open(encoding=encoding, errors="replace", newline="") as stream:
        for _ in itertools.islice(_lines(stream), skipped):
            pass
        lines = (line.replace("\0", "") for line in _lines(stream))
        try:
            for row in csv.reader(lines, delimiter=delimiter):
                if row and any(map(str.strip, row)):
                    yield row
        except csv.Error as fault:
            raise UnreadableFile(
                f"{path.name} is not a well-formed table ({fault}).",
                hint="Look for an unclosed quotation mark, or export it again.",
            ) from fault


def _with_header(
    path: Path, rows: Iterator[list[str]], decimal: str, remarks: list[str]
) -> TextTable:
    names = [" ".join(name.split()) for name in next(rows, [])]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise UnreadableFile(f"{path.name} holds no table.", hint="Export it again, with a header.")
    if len(names) > MAX_COLUMNS:
        raise UnreadableFile(
            f"{path.name} has {len(names)} columns; at most {MAX_COLUMNS} are read.",
            hint="Turn the table so that a row is a moment or a value.",
        )
    names = [name or f"column {i + 1}" for i, name in enumerate(names)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UnreadableFile(
            f"{path.name} has more than one column named '{twice[0]}'.",
            hint="Give every column a name of its own.",
        )
    return TextTable(tuple(names), _chunks(rows, len(names)), decimal, tuple(remarks))


def _chunks(rows: Iterator[list[str]], width: int) -> Iterator[list[Column]]:
    """Columns of at most CHUNK_ROWS rows; short rows are filled with empty cells."""
    while chunk := list(itertools.islice(rows, CHUNK_ROWS)):
        if any(len(row) != width for row in chunk):
            chunk = [(row + [""] * width)[:width] for row in chunk]
        yield [list(column) for column in zip(*chunk, strict=True)]


# --- XLSX -------------------------------------------------------------------------------------


def _open_sheet(path: Path) -> TextTable:
    check_zip_size(path)
    import openpyxl  # heavy, and only for workbooks

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
        shown = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
        sheet = (shown or book.worksheets)[0]
    except Exception as fault:  # openpyxl raises whatever its XML parser does
        raise UnreadableFile(
            f"{path.name} is damaged: its sheets cannot be read.", hint="Save it again as .xlsx."
        ) from fault
    remarks = []
    if len(book.worksheets) > 1:
        remarks.append(f"{path.name}: only the sheet '{sheet.title}' was read.")

    def rows() -> Iterator[list[str]]:
        try:
            for count, row in enumerate(sheet.iter_rows(values_only=True)):
                if count > MAX_SHEET_ROWS:
                    raise UnreadableFile(
                        f"{path.name} has more than {MAX_SHEET_ROWS} rows.",
                        hint="Save the sheet as CSV and give that.",
                    )
                typed = (unescape(cell) if isinstance(cell, str) else cell for cell in row)
                cells = [_cell_text(value) for value in typed]
                if any(cells):
                    yield cells
        except UnreadableFile:
            raise
        except Exception as fault:
            raise UnreadableFile(
                f"{path.name} is damaged: the sheet '{sheet.title}' cannot be read.",
                hint="Save it again as .xlsx.",
            ) from fault

    return _with_header(path, rows(), ".", remarks)


def _cell_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(" ").removesuffix(" 00:00:00")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):  # a duration cell [h]:mm
        minutes, seconds = divmod(value.total_seconds(), 60)
        return f"{int(minutes // 60):02d}:{int(minutes % 60):02d}:{seconds:06.3f}"
    return str(value).strip()


# --- Parquet ----------------------------------------------------------------------------------


def _open_parquet(path: Path) -> TextTable:
    import pyarrow as pa  # heavy, and only for Parquet
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path)
        names, rows = table.schema_arrow.names, table.metadata.num_rows
    except (pa.ArrowException, OSError) as fault:
        raise UnreadableFile(
            f"{path.name} is damaged: its Parquet footer cannot be read.",
            hint="Export or copy the file again.",
        ) from fault
    if rows > MAX_PARQUET_ROWS:
        raise UnreadableFile(
            f"{path.name} has {rows} rows; at most {MAX_PARQUET_ROWS} are read.",
            hint="Cut it to the time that matters.",
        )

    def chunks() -> Iterator[list[Column]]:
        try:
            for batch in table.iter_batches(batch_size=CHUNK_ROWS):
                yield [_arrow_column(column) for column in batch.columns]
        except (pa.ArrowException, OSError) as fault:
            raise UnreadableFile(
                f"{path.name} is damaged: its columns cannot be read.",
                hint="Export or copy the file again.",
            ) from fault

    checked = _with_header(path, iter([list(names)]), ".", [])
    if len(checked.names) != len(names):
        raise UnreadableFile(
            f"{path.name} has a column without a name.", hint="Give every column a name."
        )
    return TextTable(checked.names, chunks())


def _arrow_column(column: object) -> Column:
    import pyarrow.types as kinds

    kind = column.type  # type: ignore[attr-defined]
    if kinds.is_boolean(kind):
        return ["" if cell is None else str(cell) for cell in column.to_pylist()]
    if kinds.is_integer(kind) or kinds.is_floating(kind):
        return column.cast("float64", safe=False).to_numpy(zero_copy_only=False)
    if kinds.is_timestamp(kind) or kinds.is_date(kind):
        return column.cast("timestamp[us]", safe=False).to_numpy(zero_copy_only=False)
    return [_cell_text(cell) for cell in column.to_pylist()]
