"""Pages of long lists: what stands in the address decides which rows are shown."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from fmstudio.ui import paging
from fmstudio.ui.pages import adapters, runs
from fmstudio.ui.paging import Part, pager, part, with_asked


def at(**query: str) -> SimpleNamespace:
    """A request for a page whose address ends with this query."""
    return SimpleNamespace(query_params=query)


@pytest.mark.parametrize(
    ("asked", "page"), [("1", 1), ("3", 3), ("99", 3), ("0", 1), ("-1", 1), ("x", 1), ("²", 1)]
)
def test_the_address_chooses_the_page_and_a_wrong_one_the_nearest(asked, page):
    assert part(at(page=asked), total=120, rows=50) == Part(page, 120, 50)


def test_a_pager_says_which_rows_are_shown_and_leads_to_newer_and_older_ones():
    shown = pager(Part(2, 1200), "/runs")

    assert "51 to 100 of 1,200" in shown
    assert 'href="/runs?page=1">Newer' in shown
    assert 'href="/runs?page=3">Older' in shown
    assert "Older" not in pager(Part(24, 1200), "/runs")
    assert pager(Part(1, 50), "/runs") == ""


def test_lists_show_the_rows_of_their_page_alone(studio, monkeypatch):
    project = studio.projects.create("Sepsis", "binary")
    for n in range(5):
        studio.registry.add_adapter(f"adapter-{n}", project.id, None, f"Adapter {n}", {})
    made = [
        studio.registry.create_run(project.id, None, "pretrain", {"name": f"b{n}"}, "embedded").id
        for n in range(5)
    ]
    for run in made:
        studio.registry.cancel_run(run)
    monkeypatch.setattr(paging.part, "__defaults__", (2,))

    found, shown = adapters.page_of(studio, at(page="2"))
    assert [one.id for one in found] == ["adapter-2", "adapter-1"]
    assert "3 to 4 of 5" in shown
    assert "Adapter 2" in shown
    assert "Adapter 3" not in shown
    found, shown = runs.page_of(studio, at(page="3"))
    assert [one.id for one in found] == made[:1]
    assert "5 to 5 of 5" in shown


def test_what_the_address_names_can_be_chosen_from_any_page(studio):
    project = studio.projects.create("Sepsis", "binary")
    first, second = (
        studio.registry.add_adapter(f"adapter-{n}", project.id, None, "A", {}) for n in range(2)
    )

    assert with_asked([second], first.id, studio.adapters.get) == [second, first]
    assert with_asked([second], second.id, studio.adapters.get) == [second]
    assert with_asked([second], "adapter-gone", studio.adapters.get) == [second]
