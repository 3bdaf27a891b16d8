"""A report as one HTML file: figures inside, nothing fetched, everything escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from fmstudio.report.blocks import Block, Heading, Paragraph, Picture, Table

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #161c23; max-width: 960px; margin: 40px auto;
  padding: 0 24px; }
h1 { font-size: 27px; } h2 { font-size: 21px; margin-top: 40px; } h3 { font-size: 17px; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; margin: 12px 0 20px; }
caption { text-align: left; color: #4b5663; padding: 4px 0; }
th, td { text-align: left; padding: 5px 10px 5px 0; border-bottom: 1px solid #dfe4e9;
  vertical-align: top; }
figure { margin: 18px 0; max-width: 620px; } figure svg { width: 100%; height: auto; }
figcaption { color: #4b5663; font-size: 13.5px; }
@media print { body { margin: 0; max-width: none; } }
"""


def html(title: str, blocks: Sequence[Block], figures: Path) -> str:
    """The page; `figures` is where the SVG files lie."""
    body = "\n".join(_printed(block, figures) for block in blocks)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n"
        "</body>\n</html>\n"
    )


def _printed(block: Block, figures: Path) -> str:
    if isinstance(block, Heading):
        return f"<h{block.level}>{escape(block.text)}</h{block.level}>"
    if isinstance(block, Paragraph):
        return f"<p>{escape(block.text)}</p>"
    if isinstance(block, Picture):
        drawing = (figures / f"{block.name}.svg").read_text(encoding="utf-8")
        inside = drawing[drawing.index("<svg") :]
        return f"<figure>{inside}<figcaption>{escape(block.caption)}</figcaption></figure>"
    return _table(block)


def _table(block: Table) -> str:
    top = f"<caption>{escape(block.caption)}</caption>" if block.caption else ""
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in block.header)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in block.rows
    )
    return f"<table>{top}<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
