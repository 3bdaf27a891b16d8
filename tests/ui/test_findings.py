"""Findings on the page: the most serious first, escaped, with the ways to resolve them as buttons."""

from __future__ import annotations

from dataclasses import replace

from fmstudio.results.audit import Mended
from fmstudio.results.finding import Finding, Mend
from fmstudio.ui.findings import findings, in_words, undoing

UNITS = Finding(
    "mixed_units",
    "warning",
    "Two units <b>",
    "Convert.",
    columns=("temp <c>",),
    rows=(3, 4),
    mends=(Mend("Convert & go", ({"do": "convert"},)), Mend("They are right", ())),
    id="ab12cd",
)
COPY = replace(UNITS, kind="column_gives_label", severity="stop", rows=(), mends=())


def test_the_most_serious_comes_first_and_nothing_typed_becomes_markup():
    page = findings([UNITS, COPY])

    assert page.index("Must be fixed") < page.index("Look at this")
    assert "Two units &lt;b&gt;" in page
    assert "<b>" not in page
    assert "temp &lt;c&gt; · 2 rows" in page


def test_each_way_is_a_button_that_says_which_it_is_and_none_where_cleaning_is_elsewhere():
    page = findings([UNITS])

    assert 'data-mend="ab12cd" data-way="2">They are right' in page
    assert "Convert &amp; go" in page
    assert "<button" not in findings([UNITS], cleaning=False)


def test_the_rows_concerned_are_shown_with_how_many_there_are():
    page = findings([UNITS], lambda finding: [{"case": "c3", "temp <c>": "99.1"}])

    assert "the first 1 of 2" in page
    assert "99.1" in page


def test_a_report_is_summed_up_in_words():
    assert in_words([UNITS, COPY]) == "1 must be fixed, 1 to look at."
    assert in_words([]) == ""


def test_what_was_mended_last_is_told_with_the_way_back():
    told = undoing(Mended(1, "spelling", "Write them <one> way"))

    assert "Write them &lt;one&gt; way</strong> (Several spellings)" in told
    assert 'data-mend="undo"' in told
    assert undoing(None) == ""
