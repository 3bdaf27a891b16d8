"""Tables of cases, parsed in a child process like every foreign file: a path in, columns out.

A manifest is read wherever cases are needed, so that there is one child for it in every process,
which starts at the first table and is warm for the next ones.
"""

from __future__ import annotations

import atexit
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fmstudio.sandbox.reader import Reader
from fmstudio.sandbox.wire import unpack_table
from fmstudio.settings import Limits, load_settings
from fmstudio.types import Source


@dataclass(frozen=True)
class Cells:
    """A table as text: `columns` by name, in the table's order, all equally long.

    `lines` are the places of the rows in the file, from 1; `sha256` is that of the file's bytes.
    """

    columns: dict[str, list[str]]
    lines: list[int]
    sha256: str
    remarks: tuple[str, ...]


def read_cells(path: Path) -> Cells:
    """Read a CSV, TSV, XLSX or Parquet table in the child process.

    Raises NotFound, InputError naming the line or column, or UnreadableFile where the file took too
    long or too much memory.
    """
    header, parts = _reader(load_settings().limits).table(Source("table", path.absolute()))
    columns, lines = unpack_table(header, parts)
    return Cells(columns, lines, str(header["sha256"]), tuple(map(str, header["remarks"])))


@cache
def _reader(limits: Limits) -> Reader:
    reader = Reader(limits, tables=True)
    atexit.register(reader.close)
    return reader
