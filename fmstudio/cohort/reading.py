"""A table file -> the Manifest that it holds."""

from __future__ import annotations

import hashlib
from pathlib import Path

from fmstudio.cohort.delimited import parse_delimited
from fmstudio.cohort.manifest import Manifest
from fmstudio.cohort.workbook import parse_parquet, parse_workbook
from fmstudio.errors import InputError, NotFound

LARGEST_BYTES = 512 * 2**20
SUFFIXES = (".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".parquet")
_OLD_WORKBOOK = b"\xd0\xcf\x11\xe0"
_STARTS = {"an Excel workbook": b"PK\x03\x04", "a Parquet file": b"PAR1"}
_KINDS = {
    ".xlsx": "an Excel workbook",
    ".xlsm": "an Excel workbook",
    ".parquet": "a Parquet file",
}


def read_table(path: Path | str) -> Manifest:
    """Read a CSV, TSV, XLSX or Parquet table.

    Raises NotFound if there is no such file, and InputError naming the line or column if it is not
    a table with a header, with every column named once and every row as long as the header.
    """
    path = Path(path)
    data = _bytes(path)
    if path.suffix.lower() in (".xlsx", ".xlsm"):
        table = parse_workbook(path.name, data)
    elif path.suffix.lower() == ".parquet":
        table = parse_parquet(path.name, data)
    else:
        table = parse_delimited(path.name, data, tabs_first=path.suffix.lower() == ".tsv")
    columns = tuple(" ".join(name.split()) for name in table.header)
    _check_header(path.name, columns)
    filled = [i for i, cells in enumerate(table.rows) if any(cell.strip() for cell in cells)]
    if not filled:
        raise InputError(
            f"{path.name} has a header but no rows.", hint="Add one row per case below it."
        )
    remarks = list(table.remarks)
    if len(filled) < len(table.rows):
        remarks.append(f"{len(table.rows) - len(filled)} empty rows were left out.")
    return Manifest(
        path=path,
        folder=path.absolute().parent,
        columns=columns,
        rows=[dict(zip(columns, table.rows[i], strict=True)) for i in filled],
        lines=[table.lines[i] for i in filled],
        sha256=hashlib.sha256(data).hexdigest(),
        remarks=tuple(remarks),
    )


def _bytes(path: Path) -> bytes:
    """The file's content, refused where it cannot be a manifest."""
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


def _check_header(name: str, columns: tuple[str, ...]) -> None:
    blank = [str(i + 1) for i, column in enumerate(columns) if not column]
    if blank:
        raise InputError(
            f"{name}: column {', '.join(blank)} has no name.",
            hint="Give every column a name. A table saved with row numbers has a nameless first "
            "column: delete it.",
        )
    twice = [column for i, column in enumerate(columns) if column in columns[:i]]
    if twice:
        raise InputError(
            f"{name} has more than one column '{twice[0]}'.",
            hint="Give every column a name of its own.",
        )
