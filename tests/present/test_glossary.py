"""Terms of the glossary are found in what pages say, and every metric has its entry."""

from __future__ import annotations

from pathlib import Path

import pytest

from fmstudio.present.glossary import entries, parts
from fmstudio.results.metrics import METRICS
from fmstudio.ui.fragments import explained, table, text

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_of_the_docs_is_the_file_that_ships():
    assets, docs = ROOT / "assets" / "glossary.md", ROOT / "docs" / "glossary.md"
    assert assets.read_text("utf-8") == docs.read_text("utf-8")


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.key)
def test_every_metric_has_an_entry_under_the_name_that_pages_show(metric):
    assert metric.name.casefold() in entries()


def test_no_word_has_two_meanings():
    rows = (ROOT / "assets" / "glossary.md").read_text("utf-8").splitlines()
    cells = [line.strip("| ").split(" | ", 2)[:2] for line in rows if line.startswith("| ")][1:]
    words = [w.strip(" |").casefold() for cell in cells for part in cell for w in part.split(",")]
    named = [word for word in words if word]
    assert sorted(named) == sorted(set(named))


def test_a_term_is_found_as_whole_words_and_the_longest_wins():
    meaning = entries()
    assert list(parts("Macro AUROC, 0 to 1")) == [
        ("Macro AUROC", meaning["macro auroc"]),
        (", 0 to 1", None),
    ]
    assert list(parts("Runs on a database")) == [("Runs on a database", None)]


def test_a_term_can_be_reached_by_keyboard_and_keeps_its_own_letters():
    assert explained("Brier score") == (
        f'<abbr class="fm-term" tabindex="0" aria-description="'
        f'{text(entries()["brier score"])}">Brier score</abbr>'
    )


def test_help_stands_on_our_headers_and_not_on_those_of_the_users_table():
    assert "fm-term" in table(["#Sensitivity"], [])
    assert "fm-term" not in table(["#Sensitivity"], [], write=text)
