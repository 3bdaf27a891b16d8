"""What a stranger named is text in every form of a result, never markup or a terminal's command."""

from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt
from pypdf import PdfReader

from fmstudio.present.blocks import Badge, Bullets, Figure, Heading, Notice, Paragraph, Table
from fmstudio.present.html import markup
from fmstudio.present.html import page as html_page
from fmstudio.present.markdown import markdown
from fmstudio.present.pdf import pdf
from fmstudio.present.text import text

PLANTED = "<b>&amp;\"'*x*`|\x1b[31m\n# y"
SHOWN = "<b>&amp;\"'*x*`|\ufffd[31m # y"
BLOCKS = (
    Heading(PLANTED, 2),
    Paragraph(PLANTED),
    Bullets([PLANTED]),
    Badge(PLANTED),
    Notice(PLANTED, PLANTED),
    Table([PLANTED], [[PLANTED], [Badge(PLANTED)]], PLANTED),
)
TIMES = 10


def test_in_html_it_is_escaped():
    shown = str(markup(*BLOCKS))

    assert "<b>" not in shown
    assert shown.count("&lt;b&gt;&amp;amp;&#34;&#39;*x*`|") == TIMES


def test_in_a_terminal_it_is_printable_and_on_one_line():
    shown = text(*BLOCKS)

    assert "\x1b" not in shown
    assert shown.count(SHOWN) == TIMES


def test_in_markdown_a_viewer_shows_it_as_it_was_written():
    viewer = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    shown = viewer.render(markdown(*BLOCKS))

    assert set(re.findall(r"</?([a-z0-9]+)", shown)) == set(
        "h2 p ul li strong table thead tbody tr th td".split()
    )
    assert shown.count(SHOWN.replace("&", "&amp;").replace("<", "&lt;").split(">")[0]) == TIMES


def test_in_a_pdf_it_stands_as_it_was_written(tmp_path):
    pdf(PLANTED, BLOCKS, tmp_path, tmp_path / "a.pdf")
    shown = "".join(sheet.extract_text() for sheet in PdfReader(tmp_path / "a.pdf").pages)

    assert shown.count("<b>&amp;\"'*x*`|") == TIMES


def test_a_figure_stands_in_the_page_with_its_caption(tmp_path):
    (tmp_path / "roc.svg").write_text("<?xml?><svg><path/></svg>")

    shown = html_page("t", [Figure("roc", "<i>")], tmp_path)

    assert "<figure><svg><path/></svg><figcaption>&lt;i&gt;</figcaption></figure>" in shown


@pytest.mark.parametrize("level", [1, 2, 3])
def test_headings_keep_their_level(level):
    assert markup(Heading("a", level)) == f"<h{level}>a</h{level}>"
    assert markdown(Heading("a", level)) == "#" * level + " a\n"
