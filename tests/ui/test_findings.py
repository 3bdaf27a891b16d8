"""Findings on the page: the most serious first, escaped, with the ways to mend them as buttons."""

from __future__ import annotations

from fmstudio.ui.findings import findings, in_words, undoing

UNITS = {
    "id": "ab12cd",
    "kind": "mixed_units",
    "severity": "warning",
    "columns": ["temp <c>"],
    "rows": [3, 4],
    "message": "Two units <b>",
    "fix": "Convert.",
    "mends": [
        {"label": "Convert & go", "steps": [{"do": "convert"}]},
        {"label": "They are right", "steps": []},
    ],
}
COPY = UNITS | {"kind": "column_gives_label", "severity": "stop", "rows": [], "mends": []}


def test_the_most_serious_comes_first_and_nothing_typed_becomes_markup():
    page = findings({"findings": [UNITS, COPY]})

    assert page.index("Must be fixed") < page.index("Look at this")
    assert "Two units &lt;b&gt;" in page
    assert "<b>" not in page
    assert "temp &lt;c&gt; · 2 rows" in page


def test_each_way_is_a_button_that_says_which_it_is_and_none_where_mending_is_elsewhere():
    page = findings({"findings": [UNITS]})

    assert 'data-mend="ab12cd" data-way="2">They are right' in page
    assert "Convert &amp; go" in page
    assert "<button" not in findings({"findings": [UNITS]}, mending=False)


def test_the_rows_concerned_are_shown_with_how_many_there_are():
    page = findings({"findings": [UNITS]}, lambda finding: [{"case": "c3", "temp <c>": "99.1"}])

    assert "the first 1 of 2" in page
    assert "99.1" in page


def test_a_report_is_summed_up_in_words():
    assert in_words({"findings": [UNITS, COPY]}) == "1 must be fixed, 1 to look at."
    assert in_words({"findings": []}) == ""


def test_what_was_mended_last_is_told_with_the_way_back():
    how = {"from": 1, "finding": "spelling", "way": "Write them <one> way"}
    told = undoing({"mended": how})

    assert "Write them &lt;one&gt; way</strong> (Several spellings)" in told
    assert 'data-mend="undo"' in told
    assert undoing({}) == ""
