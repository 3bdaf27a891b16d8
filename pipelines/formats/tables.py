"""CSV, TSV, XLSX and Parquet files -> a header and chunks of columns, cells exactly as written.

Encoding, delimiter and decimal comma are found from the content and said in the remarks. Large
files come in chunks, so that memory depends on the chunk and not on the file.
"""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from fmstudio.errors import InputError, UnreadableFile
from fmstudio.tables.styles import moment_text
from fmstudio.tables.workbook import read_workbook
from pipelines.formats.encoding import detect_encoding
from pipelines.formats.filetypes import check_zip_size, identify, refuse_wrong_ending, require_file
from pipelines.formats.table_layout import SAMPLE_ROWS, find_delimiter, find_layout, trimmed

CHUNK_ROWS = 20_000
MAX_COLUMNS = 4_096
MAX_SHEET_ROWS = 200_000
MAX_PARQUET_ROWS = 50_000_000
MAX_CELL = 1_000_000  # characters

Column = list[str] | np.ndarray
Row = tuple[int, list[str]]  # the line that it ends in, and its cells


@dataclass(frozen=True)
class TextTable:
    """A table as it is read: `names` of the columns and `chunks` of them, each column's cells.

    A column of a chunk is a list of texts, or an array of numbers or datetime64 where the file
    itself says so (Parquet). `decimal` is "," where the file writes decimal commas. `remarks` are
    complete once the chunks have been read.
    """

    names: tuple[str, ...]
    chunks: Iterator[list[Column]]
    decimal: str = "."
    remarks: Sequence[str] = ()


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


def starts_as_table(path: Path) -> bool:
    """True if the first lines of a text have equally many cells, numbers among them."""
    with path.open("rb") as stream:
        lines = stream.read(4096).decode("utf-8", errors="replace").splitlines()[:20]
    rows = [line for line in lines[:-1] if line.strip() and not _is_comment(line)]
    for delimiter in (",", ";", "\t", "|"):
        counts = {line.count(delimiter) for line in rows}
        if len(rows) > 2 and len(counts) == 1 and counts != {0}:
            cells = [cell for line in rows[1:] for cell in line.split(delimiter)]
            return sum(bool(re.match(r"\s*\"?[+-]?\d", cell)) for cell in cells) > len(cells) / 2
    return False


# --- CSV and TSV ------------------------------------------------------------------------------


def _open_text(path: Path) -> TextTable:
    encoding, remark = detect_encoding(path)
    remarks = [remark] if remark else []
    csv.field_size_limit(MAX_CELL)
    with path.open(encoding=encoding, errors="replace", newline="") as stream:
        # Cut short, so that an unclosed quotation mark cannot make one cell of them all.
        read = itertools.islice(_lines(stream), SAMPLE_ROWS)
        start = [line[: MAX_CELL // 50] for line in read]
    lines = [line for line in start if line.strip() and not _is_comment(line)]
    if not lines:
        raise UnreadableFile(f"{path.name} holds no table.", hint="Export it again, with a header.")
    delimiter = find_delimiter(lines)
    decimal = "," if delimiter != "," and _writes_decimal_commas(lines[1:], delimiter) else "."
    if delimiter not in ",\t":
        remarks.append(f"{path.name}: columns are separated by '{delimiter}'.")
    if decimal == ",":
        remarks.append(f"{path.name}: decimal commas were read.")
    return _laid_out(path, _text_rows(path, encoding, delimiter), decimal, remarks)


def _lines(stream: Iterator[str]) -> Iterator[str]:
    """Lines with a bound on their length, so that a file without line ends stays cheap."""
    readline = stream.readline  # type: ignore[attr-defined]
    return iter(lambda: readline(4 * MAX_CELL), "")


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#") or line.strip().lower().startswith("sep=")


def _writes_decimal_commas(lines: Sequence[str], delimiter: str) -> bool:
    cells = [cell.strip() for row in csv.reader(lines, delimiter=delimiter) for cell in row]
    commas = sum(re.fullmatch(r"[+-]?\d*,\d+", cell) is not None for cell in cells)
    points = sum(re.fullmatch(r"[+-]?\d*\.\d+", cell) is not None for cell in cells)
    return commas > points


def _text_rows(path: Path, encoding: str, delimiter: str) -> Iterator[Row]:
    with path.open(encoding=encoding, errors="replace", newline="") as stream:
        lines = (line.replace("\0", "") for line in _lines(stream))
        reader = csv.reader(lines, delimiter=delimiter)
        try:
            for row in reader:
                if row and any(map(str.strip, row)):
                    yield reader.line_num, row
        except csv.Error as fault:
            raise UnreadableFile(
                f"{path.name} is not a well-formed table ({fault}).",
                hint="Look for an unclosed quotation mark, or export it again.",
            ) from fault


# --- header and rows --------------------------------------------------------------------------


def _laid_out(path: Path, rows: Iterator[Row], decimal: str, remarks: list[str]) -> TextTable:
    """The table whose rows these are, with lines above its header and comments left out."""
    read = list(itertools.islice(rows, SAMPLE_ROWS))
    comments = [row for row in read if _is_comment(row[1][0])]
    first = [row for row in read if not _is_comment(row[1][0])]
    layout = find_layout([cells for _, cells in first], decimal)
    if layout.header is None:
        names = _commented_names(comments, len(first[0][1]))
        if not names:
            names = [f"column {i + 1}" for i in range(len(first[0][1]))]
            remarks.append(f"{path.name} has no header: its columns are named by their place.")
        begin = first[0][0]
    else:
        names = first[layout.header][1] if first else []
        if layout.shifted:
            names = ["", *names]
            remarks.append(f"{path.name}: the first column has no name in the header.")
        if layout.header:
            lines = f"{layout.header} line{'s' * (layout.header > 1)}"
            remarks.append(f"{path.name}: {lines} above its header were left out.")
        begin = first[layout.header][0] + 1 if first else 0
    filled = max((len(trimmed(cells)) for _, cells in first), default=0)
    names = _checked_names(path, names, filled)
    below = itertools.chain((row for row in read if row[0] >= begin), rows)
    chunks = _chunks(path, below, names, remarks)
    return TextTable(tuple(names), chunks, decimal, remarks)


def _commented_names(comments: Sequence[Row], width: int) -> list[str]:
    """The names in the last comment if they are as many as the columns: "# time,ecg"."""
    if not comments or len(comments[-1][1]) != width:
        return []
    return [comments[-1][1][0].lstrip("# "), *comments[-1][1][1:]]


def _checked_names(path: Path, given: Sequence[str], filled: int = 0) -> list[str]:
    """Names for the columns; those at the end without a name and without a cell are dropped."""
    names = [" ".join(name.split()) for name in given]
    while len(names) > filled and not names[-1]:
        names.pop()
    if not any(names):
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
    return names


def _chunks(
    path: Path, rows: Iterable[Row], names: Sequence[str], remarks: list[str]
) -> Iterator[list[Column]]:
    """Columns of at most CHUNK_ROWS rows; short rows are filled with empty cells.

    Comments and repetitions of the header are left out and counted in `remarks` at the end. Raises
    UnreadableFile for a row with more filled cells than there are names.
    """
    width, header, rows = len(names), list(names), iter(rows)
    comments = repeated = 0
    while part := list(itertools.islice(rows, CHUNK_ROWS)):
        chunk = []
        for line, row in part:
            if row[0].startswith("#") and _is_remark(row):
                comments += 1
                continue
            if len(row) != width:
                row = _fitted(path, line, row, width)
            if row == header:
                repeated += 1
            else:
                chunk.append(row)
        if chunk:
            yield [list(column) for column in zip(*chunk, strict=True)]
    if comments:
        remarks.append(f"{path.name}: comments among its rows were left out: {comments}.")
    if repeated:
        remarks.append(f"{path.name}: its header stands {repeated} more times among the rows.")


def _is_remark(row: Sequence[str]) -> bool:
    """True for a comment; "#1" beside other cells may be the name of something."""
    return not any(map(str.strip, row[1:])) or row[0][1:2] in (" ", "#")


def _fitted(path: Path, line: int, row: list[str], width: int) -> list[str]:
    if any(map(str.strip, row[width:])):
        raise UnreadableFile(
            f"{path.name}: line {line} has {len(row)} cells, and the header names {width} columns.",
            hint="Look for a decimal comma or a comma within a text that is not in quotation"
            " marks, or name every column.",
        )
    return (row + [""] * width)[:width]


# --- XLSX -------------------------------------------------------------------------------------


def _open_sheet(path: Path) -> TextTable:
    check_zip_size(path)
    try:
        book = read_workbook(path.name, path.read_bytes())
    except InputError as fault:
        raise UnreadableFile(fault.message, fault.hint) from fault
    if book.uncalculated:
        raise UnreadableFile(
            f"{path.name}: cell {book.uncalculated} holds a formula without a stored value.",
            hint="Open the file in Excel and save it, or paste the values in its place.",
        )
    if len(book.rows) > MAX_SHEET_ROWS:
        raise UnreadableFile(
            f"{path.name} has more than {MAX_SHEET_ROWS} rows.",
            hint="Save the sheet as CSV and give that.",
        )
    remarks = [f"{path.name}: {remark[0].lower()}{remark[1:]}" for remark in book.remarks]
    begin = _first_column([cells for _, cells in book.rows])
    rows = (
        (line, [cell.strip() for cell in (cells if any(cells[:begin]) else cells[begin:])])
        for line, cells in book.rows
    )
    return _laid_out(path, rows, ".", remarks)


def _first_column(rows: Sequence[Sequence[str]]) -> int:
    """Where a table begins that does not stand in the first column of its sheet."""
    filled = [[i for i, cell in enumerate(cells) if cell.strip()] for cells in rows]
    fullest = max(map(len, filled), default=0)
    return min((places[0] for places in filled if len(places) > fullest / 2), default=0)


def _cell_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, date | time | timedelta):
        return moment_text(value)
    return str(value).strip()


# --- Parquet ----------------------------------------------------------------------------------


def _open_parquet(path: Path) -> TextTable:
    import pyarrow as pa  # heavy, and only for Parquet
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path)
        names, rows = table.schema_arrow.names, table.metadata.num_rows
    except (pa.ArrowException, OSError, ValueError, OverflowError) as fault:
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
        except (pa.ArrowException, OSError, ValueError, OverflowError) as fault:
            raise UnreadableFile(
                f"{path.name} is damaged: its columns cannot be read.",
                hint="Export or copy the file again.",
            ) from fault

    checked = _checked_names(path, names)
    if len(checked) != len(names):
        raise UnreadableFile(
            f"{path.name} has a column without a name.", hint="Give every column a name."
        )
    return TextTable(tuple(checked), chunks())


def _arrow_column(column: Any) -> Column:
    import pyarrow.types as kinds

    numbers: np.ndarray
    kind = column.type
    if kinds.is_boolean(kind):
        return ["" if cell is None else str(cell) for cell in column.to_pylist()]
    if kinds.is_integer(kind) or kinds.is_floating(kind):
        numbers = column.cast("float64", safe=False).to_numpy(zero_copy_only=False)
        return numbers
    if kinds.is_timestamp(kind) or kinds.is_date(kind):
        numbers = column.cast("timestamp[us]", safe=False).to_numpy(zero_copy_only=False)
        return numbers
    return [_cell_text(cell) for cell in column.to_pylist()]
