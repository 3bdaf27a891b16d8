"""A CSV, TSV, XLSX or Parquet file -> a Table. Called in the sandbox's child process."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from fmstudio.errors import InputError, NotFound
from fmstudio.tables.delimited import read_delimited
from fmstudio.tables.header import PROBED, find_header, is_missing
from fmstudio.tables.parquet import read_parquet
from fmstudio.tables.table import Table, packed
from fmstudio.tables.workbook import read_workbook

LARGEST_BYTES = 512 * 2**20
MOST_COLUMNS = 16_384
SUFFIXES = (".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".parquet")
_OLD_WORKBOOK = b"\xd0\xcf\x11\xe0"
_STARTS = {"an Excel workbook": b"PK\x03\x04", "a Parquet file": b"PAR1"}
_KINDS = {
    ".xlsx": "an Excel workbook",
    ".xlsm": "an Excel workbook",
    ".parquet": "a Parquet file",
}

Record = tuple[int, Sequence[str]]


@dataclass(frozen=True)
class _Source:
    """The records of a file: `strict` where each has as many cells as the header, `place` is what
    a record is called in the file."""

    name: str
    records: Iterable[Record]
    remarks: tuple[str, ...] = ()
    strict: bool = False
    place: str = "row"


def read_table(path: Path) -> tuple[Table, str]:
    """The table of a file and the SHA-256 of its bytes.

    Raises NotFound if there is no such file, and InputError naming the line or column if it is not
    a table with a header, with every column named once and every row as long as the header.
    """
    data = _bytes(path)
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        names, rows = read_parquet(path.name, data)
        table = _checked(path.name, packed(_names(names), rows))
    elif suffix in (".xlsx", ".xlsm"):
        book = read_workbook(path.name, data)
        if book.uncalculated:
            raise InputError(
                f"{path.name}: cell {book.uncalculated} holds a formula without a stored value.",
                hint="Open the file in Excel and save it, or paste the values in its place.",
            )
        table = _framed(_Source(path.name, book.rows, book.remarks))
    else:
        text = read_delimited(path.name, data, tabs_first=suffix == ".tsv")
        table = _framed(_Source(path.name, text.records, text.remarks, strict=True, place="line"))
    return table, hashlib.sha256(data).hexdigest()


def _framed(source: _Source) -> Table:
    """The table below the header, wherever that stands."""
    records = iter(source.records)
    start = list(_until_filled(records, PROBED))
    filled = [one for one in start if _has_text(one)]
    if not filled:
        raise InputError(
            f"{source.name} is empty.", hint="Give a table with a header and a row per case."
        )
    shown = [cells for _, cells in filled]
    header = find_header(shown)
    line, cells = filled[header.place]
    if is_missing(shown, header):
        raise InputError(
            f"{source.name} has no header: {source.place} {line} holds values, not names.",
            hint="Put a line with the names of the columns above the cases.",
        )
    names = _names(cells[header.first : header.stop])
    if len(names) > MOST_COLUMNS:
        raise InputError(
            f"{source.name} has {len(names)} columns; at most {MOST_COLUMNS} are read.",
            hint="Turn the table so that a row is a case.",
        )
    rows = chain(start[start.index(filled[header.place]) + 1 :], records)
    width = len(cells) if source.strict else None
    table = packed(names, _cut(source, rows, header.first, header.stop, width))
    remarks = list(source.remarks)
    if header.place:
        what = f"{source.place} {line}"
        above = "what stands above it was" if header.place == 1 else "the lines above it were"
        remarks.append(f"The header is in {what}; {above} not read.")
    return _checked(source.name, replace(table, remarks=(*remarks, *table.remarks)))


def _until_filled(records: Iterator[Record], most: int) -> Iterator[Record]:
    """Records until so many hold any text."""
    for one in records:
        yield one
        most -= _has_text(one)
        if not most:
            return


def _has_text(record: Record) -> bool:
    return any(map(str.strip, record[1]))


def _names(cells: Iterable[str]) -> list[str]:
    return [" ".join(cell.split()) for cell in cells]


def _cut(
    source: _Source, records: Iterable[Record], first: int, stop: int, width: int | None
) -> Iterator[Record]:
    """The cells of the table's columns. Raises InputError for a record with other cells."""
    for line, cells in records:
        beside = [*cells[:first], *cells[stop:]]
        if width is not None and (len(cells) < width or any(map(str.strip, cells[width:]))):
            raise InputError(
                f"{source.name}, {source.place} {line}: {len(cells)} cells, but the header has "
                f"{width}.",
                hint="Put text that holds the separator or a line break in quotation marks.",
            )
        if any(map(str.strip, beside)):
            raise InputError(
                f"{source.name}, {source.place} {line}: a cell stands left of the first or right "
                "of the last named column.",
                hint="Give its column a name, or empty it.",
            )
        kept = cells[first:stop]
        yield line, [*kept, *[""] * (stop - first - len(kept))]


def _checked(name: str, table: Table) -> Table:
    """The table without columns that have neither name nor content; every other column is named,
    and once."""
    kept = [
        i for i, column in enumerate(table.header) if column or bytes(table.columns[i].text).strip()
    ]
    blank = [str(i + 1) for i in kept if not table.header[i]]
    if blank:
        raise InputError(
            f"{name}: column {', '.join(blank)} has no name.",
            hint="Give every column a name. A table saved with row numbers has a nameless first "
            "column: delete it.",
        )
    names = [table.header[i] for i in kept]
    twice = [column for i, column in enumerate(names) if column in names[:i]]
    if twice:
        raise InputError(
            f"{name} has more than one column '{twice[0]}'.",
            hint="Give every column a name of its own.",
        )
    if not table.lines:
        raise InputError(f"{name} has a header but no rows.", hint="Add one row per case below it.")
    return replace(table, header=tuple(names), columns=[table.columns[i] for i in kept])


def _bytes(path: Path) -> bytes:
    """The file's content, refused where it cannot be a table."""
    name = path.name or str(path)
    if path.is_dir():
        raise InputError(
            f"{name} is a folder.", hint="Give the table in it, for example manifest.csv."
        )
    if not path.exists():
        raise NotFound(f"{name} does not exist.", hint="Check the path of the manifest.")
    if not path.is_file():
        raise InputError(f"{name} is not a file.", hint="Give a CSV, TSV, XLSX or Parquet file.")
    if path.stat().st_size > LARGEST_BYTES:
        raise InputError(
            f"{name} is larger than {LARGEST_BYTES // 2**20} MB.",
            hint="Keep recordings in files of their own and name them in the table.",
        )
    try:
        data = path.read_bytes()
    except OSError as fault:
        raise InputError(
            f"{name} cannot be opened: {fault.strerror}.", hint="Check that you may read the file."
        ) from fault
    _check_content(name, path.suffix.lower(), data)
    return data


def _check_content(name: str, suffix: str, data: bytes) -> None:
    if not data.strip():
        raise InputError(f"{name} is empty.", hint="Give a table with a header and a row per case.")
    if suffix not in SUFFIXES:
        raise InputError(
            f"{name} does not end like a table.",
            hint=f"Give a file that ends in one of: {', '.join(SUFFIXES)}.",
        )
    if data.startswith(_OLD_WORKBOOK):
        raise InputError(
            f"{name} is an old or password-protected Excel workbook.",
            hint="Open it in Excel and save it as .xlsx without a password, or as CSV UTF-8.",
        )
    found = next((kind for kind, start in _STARTS.items() if data.startswith(start)), None)
    expected = _KINDS.get(suffix)
    if found != expected:
        is_not = f"{name} is not {expected or 'a text table'}, as its ending says"
        raise InputError(
            f"{is_not}: it is {found}." if found else f"{is_not}.",
            hint="Save it again in the format that its ending names.",
        )
