"""Long lists a page at a time: which rows, and the links to newer and older ones.

The number of the page stands in the address, so that a reload and a second tab show the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import gradio as gr

from fmstudio.errors import NotFound
from fmstudio.present.values import number
from fmstudio.records import AdapterRecord, AdapterSummary, RunRecord, RunSummary
from fmstudio.ui.fragments import NOTHING, Html, join, link, tag, text

ROWS = 50
Line = TypeVar("Line", RunSummary, AdapterSummary)
Record = TypeVar("Record", RunRecord, AdapterRecord)


@dataclass(frozen=True)
class Part:
    """The rows of one page of a list of `total`, `rows` on each; pages count from 1."""

    page: int
    total: int
    rows: int = ROWS

    @property
    def skip(self) -> int:
        """How many rows come before."""
        return (self.page - 1) * self.rows

    @property
    def pages(self) -> int:
        """How many pages there are; an empty list has one."""
        return max(1, -(-self.total // self.rows))


def part(request: gr.Request, total: int, rows: int = ROWS) -> Part:
    """The part of a list that the address asks for; the nearest one where there is no such page."""
    asked = request.query_params.get("page", "")
    page = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else 1
    return Part(min(max(page, 1), Part(1, total, rows).pages), total, rows)


def with_asked(
    lines: Sequence[Line], asked: str | None, find: Callable[[str], Record]
) -> list[Line | Record]:
    """The lines of a page, and the record that is asked for if it is on another page."""
    if not asked or any(line.id == asked for line in lines):
        return [*lines]
    try:
        return [*lines, find(asked)]
    except NotFound:  # the address is old: it was deleted meanwhile
        return [*lines]


def pager(shown: Part, address: str) -> Html:
    """Which rows are shown of how many, and the ways to the others; nothing if all are shown."""
    if shown.pages == 1:
        return NOTHING
    last = min(shown.skip + shown.rows, shown.total)
    ways = [text(f"{number(shown.skip + 1)} to {number(last)} of {number(shown.total)}")]
    if shown.page > 1:
        ways.insert(0, link("Newer", f"{address}?page={shown.page - 1}"))
    if shown.page < shown.pages:
        ways.append(link("Older", f"{address}?page={shown.page + 1}"))
    return tag("nav", join(ways, " "), "fm-pager", aria_label="Pages of this list")
