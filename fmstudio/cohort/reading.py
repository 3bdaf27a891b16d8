"""A table file -> the Manifest that it holds; the file itself is read by the sandbox."""

from __future__ import annotations

from pathlib import Path

from fmstudio.cohort.manifest import Manifest
from fmstudio.sandbox.tables import read_cells


def read_table(path: Path | str) -> Manifest:
    """Read a CSV, TSV, XLSX or Parquet table.

    Raises NotFound if there is no such file, and InputError naming the line or column if it is not
    a table with a header, with every column named once and every row as long as the header;
    UnreadableFile where the file takes too long or too much memory.
    """
    path = Path(path)
    read = read_cells(path)
    return Manifest(
        path=path,
        folder=path.absolute().parent,
        table=read.columns,
        lines=read.lines,
        sha256=read.sha256,
        remarks=read.remarks,
    )
