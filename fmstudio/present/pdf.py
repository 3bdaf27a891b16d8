"""Blocks as PDF, by reportlab: pure Python under a BSD licence, without a browser."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from fmstudio.present.blocks import (
    Badge,
    Block,
    Bullets,
    Code,
    Figure,
    Heading,
    Notice,
    Paragraph,
    Table,
    cell_text,
)
from fmstudio.present.values import printable

INK, LINE, GREY = "#161c23", "#dfe4e9", "#4b5663"
MARGIN = 48.0  # points
FONT = "Vera"  # comes with reportlab and is embedded, unlike the 14 standard fonts


def pdf(title: str, blocks: Sequence[Block], figures: Path, target: Path) -> None:
    """Write the PDF; `figures` is where the PNG files lie."""
    from reportlab.lib.pagesizes import A4
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont
    from reportlab.platypus import SimpleDocTemplate

    for name, file in ((FONT, "Vera.ttf"), (f"{FONT}-Bold", "VeraBd.ttf")):
        pdfmetrics.registerFont(TTFont(name, file))
    width = A4[0] - 2 * MARGIN
    document = SimpleDocTemplate(
        str(target),
        pagesize=A4,
        title=title,
        author="",
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=MARGIN,
        bottomMargin=MARGIN,
    )
    story = [part for block in blocks for part in _printed(block, figures, width)]
    document.build(story, onFirstPage=_numbered, onLaterPages=_numbered)


def _numbered(canvas: Any, document: Any) -> None:
    canvas.setFont(FONT, 8)
    canvas.drawRightString(document.pagesize[0] - MARGIN, MARGIN / 2, str(canvas.getPageNumber()))


def _style(size: float, bold: bool = False, colour: str = INK, above: float = 0.0) -> Any:
    from reportlab.lib.colors import HexColor
    from reportlab.lib.styles import ParagraphStyle

    return ParagraphStyle(
        f"{size}{bold}{colour}{above}",
        fontName=f"{FONT}-Bold" if bold else FONT,
        fontSize=size,
        leading=size * 1.35,
        textColor=HexColor(colour),
        spaceBefore=above,
        spaceAfter=size * 0.5,
        splitLongWords=True,
    )


def _words(text: str, style: Any) -> Any:
    from reportlab.platypus import Paragraph as Words

    return Words(escape(printable(text)), style)


def _printed(block: Block, figures: Path, width: float) -> list[Any]:
    from reportlab.platypus import Image, KeepTogether

    if isinstance(block, Heading):
        size = {1: 18.0, 2: 13.5, 3: 10.5}[block.level]
        style = _style(size, bold=True, above=size * 0.9)
        style.keepWithNext = True
        return [_words(block.text, style)]
    if isinstance(block, Paragraph):
        return [_words(block.text, _style(8.5))] if block.text else []
    if isinstance(block, Bullets):
        return [_words(f"\N{BULLET} {line}", _style(8.5)) for line in block.lines]
    if isinstance(block, Badge):
        return [_words(cell_text(block), _style(8.5))]
    if isinstance(block, Notice):
        more = [_words(block.more, _style(8.5))] if block.more else []
        return [_words(block.text, _style(8.5, bold=True)), *more]
    if isinstance(block, Code):
        return [_words(line, _style(8)) for line in block.text.splitlines()]
    if isinstance(block, Figure):
        image = Image(str(figures / f"{block.name}.png"))
        scale = 0.62 * width / image.drawWidth
        image.drawWidth, image.drawHeight = image.drawWidth * scale, image.drawHeight * scale
        image.hAlign = "LEFT"
        return [KeepTogether([image, _words(block.caption, _style(8, colour=GREY))])]
    return _table(block, width)


def _table(block: Table, width: float) -> list[Any]:
    from reportlab.lib.colors import HexColor
    from reportlab.platypus import Table as Grid
    from reportlab.platypus import TableStyle

    cell, head = _style(7), _style(7, bold=True, colour=GREY)
    cell.spaceAfter = head.spaceAfter = 0
    lines = [[_words(name, head) for name in block.header]]
    rows = [[cell_text(one) for one in row] for row in block.rows]
    lines += [[_words(text, cell) for text in row] for row in rows]
    lengths = [
        max(8, min(60, max(len(row[i]) for row in [block.header, *rows])))
        for i in range(len(block.header))
    ]
    widths = [width * length / sum(lengths) for length in lengths]
    grid = Grid(lines, colWidths=widths, repeatRows=1, hAlign="LEFT", spaceAfter=10)
    grid.setStyle(
        TableStyle(
            [
                ("LINEBELOW", (0, 0), (-1, -1), 0.4, HexColor(LINE)),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
                ("RIGHTPADDING", (0, 0), (-1, -1), 6),
                ("TOPPADDING", (0, 0), (-1, -1), 2),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
            ]
        )
    )
    top = [_words(block.caption, _style(8, colour=GREY))] if block.caption else []
    return [*top, grid]
