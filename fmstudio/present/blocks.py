"""What results are made of, however they are shown: headings, sentences, tables, figures.

A block holds plain text as people wrote it. Each form (`html`, `text`, `markdown`, `pdf`) escapes
what it shows, so that no name, label or file name is ever taken for markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Heading:
    """A title; level 1 is that of the whole."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """Plain sentences."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """Sentences as a list."""

    lines: Sequence[str]


@dataclass(frozen=True)
class Badge:
    """A short word that stands out; tones: plain, accent, good, warning, stop."""

    text: str
    tone: str = "plain"


@dataclass(frozen=True)
class Notice:
    """A message that stands out, with what it means or what to do; tones as of a badge."""

    text: str
    more: str = ""
    tone: str = "plain"


@dataclass(frozen=True)
class Table:
    """A header and rows of cells. `numbers` are the columns, from 0, that are set to the right."""

    header: Sequence[str]
    rows: Sequence[Sequence[str | Badge]]
    caption: str = ""
    numbers: Sequence[int] = ()


@dataclass(frozen=True)
class Code:
    """Lines to type or run, ours and never a stranger's; `language` as Markdown names it."""

    text: str
    language: str = ""


@dataclass(frozen=True)
class Figure:
    """A picture by the name of its files, without ending."""

    name: str
    caption: str


Block = Heading | Paragraph | Bullets | Badge | Notice | Table | Code | Figure


def cell_text(cell: str | Badge) -> str:
    """A cell where nothing can be set apart by colour."""
    return f"({cell.text})" if isinstance(cell, Badge) else cell
