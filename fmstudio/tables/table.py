"""A table of text: a header and columns, packed as bytes so that large ones stay small."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

REPEATED = 20_000  # different texts of a column that are kept once however often they occur


@dataclass
class Packed:
    """The cells of one column, row after row: UTF-8 without separators, and the bytes of each."""

    text: bytearray = field(default_factory=bytearray)
    sizes: array[int] = field(default_factory=lambda: array("I"))

    def add(self, cell: str) -> None:
        """One more row."""
        content = cell.encode("utf-8", "surrogatepass")
        self.text += content
        self.sizes.append(len(content))


@dataclass(frozen=True)
class Table:
    """`columns` are packed in the order of `header`; `lines` are the rows' places in the file,
    counted from 1: lines of a text file, rows of a sheet. `remarks` tell how it was read where
    that is not plain."""

    header: tuple[str, ...]
    columns: Sequence[Packed]
    lines: Sequence[int]
    remarks: tuple[str, ...] = ()


def packed(header: Sequence[str], rows: Iterable[tuple[int, Sequence[str]]]) -> Table:
    """A table of (line, cells), one cell a column; rows without any text are left out, and said."""
    columns = [Packed() for _ in header]
    lines, empty = array("I"), 0
    for line, cells in rows:
        if not any(cell and not cell.isspace() for cell in cells):
            empty += 1
            continue
        lines.append(line)
        for column, cell in zip(columns, cells, strict=True):
            column.add(cell)
    remarks = (f"{empty} empty rows were left out.",) if empty else ()
    return Table(tuple(header), columns, lines, remarks)


def texts(text: bytes, sizes: Sequence[int]) -> list[str]:
    """The cells of a packed column. Raises ValueError if sizes and text do not agree."""
    if sum(sizes) != len(text):
        raise ValueError(f"{len(text)} bytes for cells of {sum(sizes)}")
    known: dict[bytes, str] = {}
    found, start = [], 0
    for size in sizes:
        content = text[start : start + size]
        start += size
        cell = known.get(content)
        if cell is None:
            cell = content.decode("utf-8", "surrogatepass")
            if len(known) < REPEATED:
                known[content] = cell
        found.append(cell)
    return found
