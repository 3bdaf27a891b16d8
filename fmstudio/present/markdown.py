"""Blocks as Markdown: CommonMark with tables, as GitHub and Hugging Face show it."""

from __future__ import annotations

import re
from collections.abc import Sequence

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


def markdown(*blocks: Block) -> str:
    """Blocks with an empty line between them; figures, which are other files, are left out."""
    parts = [_written(block) for block in blocks]
    return "\n\n".join(part for part in parts if part) + "\n"


def _written(block: Block) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {escape(block.text)}"
    if isinstance(block, Paragraph):
        return escape(block.text)
    if isinstance(block, Bullets):
        return "\n".join(f"- {escape(line)}" for line in block.lines)
    if isinstance(block, Badge):
        return escape(cell_text(block))
    if isinstance(block, Notice):
        return f"**{escape(block.text)}** {escape(block.more)}".rstrip()
    if isinstance(block, Code):
        return f"```{block.language}\n{block.text.rstrip()}\n```"
    return _table(block) if isinstance(block, Table) else ""


def _table(block: Table) -> str:
    lines = [
        _row(block.header),
        "|" + "---|" * len(block.header),
        *(_row([cell_text(cell) for cell in row]) for row in block.rows),
    ]
    return "\n".join([*([escape(block.caption), ""] if block.caption else []), *lines])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(_inline, cells)) + " |"


def escape(text: object) -> str:
    """A line that Markdown, and a viewer that passes HTML on, show as it was written."""
    # No list, and no line under a heading.
    return re.sub(r"^(\d*)([-=.)])", r"\1\\\2", _inline(text))


def _inline(text: object) -> str:
    """The same inside a line, such as a table's.

    Every sign that Markdown knows is escaped (CommonMark 0.31, 2.4), those of HTML are named.
    """
    escaped = re.sub(r"([\\`*_{}\[\]#+!|~$@])", r"\\\1", printable(text))
    escaped = re.sub(r"(?i)(:)(?=//)|(?<=www)(\.)", r"\\\g<0>", escaped)  # no link by itself
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
