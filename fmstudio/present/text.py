"""Blocks as plain text for a terminal: columns side by side, one sentence a line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from fmstudio.present.blocks import (
    Badge,
    Block,
    Bullets,
    Code,
    Heading,
    Notice,
    Paragraph,
    Table,
    cell_text,
)
from fmstudio.present.values import printable


def text(*blocks: Block) -> str:
    """Blocks one below the other; figures, which a terminal cannot show, are left out."""
    lines = "\n".join(line for block in blocks for line in _lines(block))
    return re.sub(r"\n{3,}", "\n\n", lines).strip("\n")


def _lines(block: Block) -> Iterator[str]:
    if isinstance(block, Heading):
        yield from ("", printable(block.text))
    elif isinstance(block, Paragraph):
        yield from [printable(block.text)] if block.text else []
    elif isinstance(block, Bullets):
        yield from (f"  {printable(line)}" for line in block.lines)
    elif isinstance(block, Badge):
        yield printable(cell_text(block))
    elif isinstance(block, Notice):
        yield printable(f"{block.text} {block.more}")
    elif isinstance(block, Code):
        yield from (f"  {line}" for line in block.text.splitlines())
    elif isinstance(block, Table):
        yield from ("", *([printable(block.caption)] if block.caption else []))
        yield from (columns(block.header, block.rows), "")


def columns(header: Sequence[str], rows: Sequence[Sequence[Any]], empty: str = "None yet.") -> str:
    """Columns side by side, or `empty` if there are no rows."""
    if not rows:
        return empty
    cells = [
        [printable(cell_text(cell) if isinstance(cell, Badge) else cell) for cell in row]
        for row in (header, *rows)
    ]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = ("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)
