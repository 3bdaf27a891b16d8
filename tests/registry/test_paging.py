"""Lists of any length, a page at a time: which rows, how many are read, and how they are found."""

from __future__ import annotations

import os
import time
from dataclasses import fields

import pytest
from sqlalchemy import event, text

from fmstudio.errors import RegistryError
from fmstudio.records import AdapterSummary, RunSummary
from fmstudio.registry import Registry, opening
from fmstudio.registry.backups import backups
from fmstudio.registry.tables import Adapter, Run

SUM = "0123456789abcdef" * 4


@pytest.fixture
def adapters(registry, project):
    """Seven adapters of a project, oldest first, the third of which is the champion."""
    made = [f"adapter-{n}" for n in range(7)]
    for name in made:
        registry.add_adapter(name, project.id, None, name, {"base": "embedded", "long": "x" * 9999})
    registry.set_alias("adapter-2", "champion")
    return made


@pytest.fixture
def runs(registry, project):
    """Seven runs of a project, oldest first; the first waits and the others are stopped."""
    made = [registry.create_run(project.id, None, "finetune", {}, "embedded").id for _ in range(7)]
    for run in made[1:]:
        registry.cancel_run(run)
    return made


def test_a_page_holds_the_rows_that_come_after_those_before_it(registry, adapters):
    newest = adapters[::-1]

    assert [one.id for one in registry.adapters()] == newest
    assert [one.id for one in registry.adapters(limit=3)] == newest[:3]
    assert [one.id for one in registry.adapters(limit=3, skip=3)] == newest[3:6]
    assert [one.id for one in registry.adapters(limit=3, skip=6)] == newest[6:]
    assert registry.adapters(limit=3, skip=7) == []
    assert registry.count_adapters() == 7


def test_runs_are_paged_and_counted_by_project_and_state(registry, project, runs):
    other = registry.create_project("Other", project.task)
    registry.create_run(other.id, None, "pretrain", {}, "embedded")

    assert [run.id for run in registry.runs(project.id, limit=2, skip=5)] == [runs[1], runs[0]]
    assert [run.id for run in registry.runs(project.id, ("waiting",))] == runs[:1]
    assert [run.project_id for run in registry.runs(kind="pretrain")] == [other.id]
    assert registry.count_runs() == 8
    assert registry.count_runs(project.id, ("stopped",)) == 6


def test_adapters_of_an_alias_come_with_their_aliases_whatever_the_page(registry, adapters):
    assert [one.id for one in registry.adapters(alias="champion", limit=1)] == ["adapter-2"]
    assert registry.adapters(limit=1, skip=4)[0].aliases == ("champion",)
    assert [one.aliases for one in registry.adapter_names(limit=5)][-1] == ("champion",)


def test_a_line_of_a_list_has_what_its_record_has(registry, project, cohort):
    metrics, verdict = {"auroc": {"value": 0.8, "low": 0.7, "high": 0.9}}, {"verdict": "better"}
    card = {"metrics": metrics, "n": {"train": 8, "test": 4}, "long": "x" * 9999}
    made = registry.create_run(project.id, cohort.id, "finetune", {"preset": "quick"}, "embedded")
    registry.claim_next_run()
    registry.finish_run(made.id, {"metrics": metrics, "verdict": verdict}, "adapter-1", "A", card)
    waits = registry.create_run(project.id, None, "pretrain", {"name": "mine"}, "embedded")

    lines = registry.run_summaries()
    (adapter,) = registry.adapter_summaries()

    assert [line.makes for line in lines] == ["mine", "quick"]
    assert [(line.metrics, line.verdict) for line in lines] == [({}, {}), (metrics, verdict)]
    shared = {field.name for field in fields(RunSummary)} - {"makes", "metrics", "verdict"}
    for line, record in zip(lines, (waits, registry.run(made.id)), strict=True):
        assert [getattr(line, name) for name in shared] == [getattr(record, n) for n in shared]
    assert (adapter.metrics, adapter.test_cases) == (metrics, 4)
    record = registry.adapter("adapter-1")
    shared = {field.name for field in fields(AdapterSummary)} - {"metrics", "test_cases"}
    assert [getattr(adapter, name) for name in shared] == [getattr(record, n) for n in shared]


def test_a_row_that_cannot_be_read_does_not_hide_the_list_and_says_so_when_opened(
    registry, project
):
    for name in ("adapter-1", "adapter-2"):
        registry.add_adapter(name, project.id, None, name, {"metrics": {"r2": {"value": 0.5}}})
    with registry.writing() as session:
        session.execute(text("UPDATE adapters SET card = '{\"metrics\":' WHERE id = 'adapter-1'"))

    assert [line.metrics for line in registry.adapter_summaries()] == [{"r2": {"value": 0.5}}, {}]
    with pytest.raises(RegistryError, match="holds a row that cannot be read"):
        registry.adapter("adapter-1")


def test_answers_are_paged_by_the_last_one_that_was_seen(registry, adapters):
    for number in range(5):
        registry.add_prediction(adapters[number % 2], f"case {number}", {"ehr": [SUM]}, {})

    newest = registry.predictions(limit=2)
    older = registry.predictions(limit=2, before=newest[-1].id)
    own = registry.predictions(adapters[1], limit=1)

    assert [one.case_id for one in (*newest, *older)] == ["case 4", "case 3", "case 2", "case 1"]
    assert [one.case_id for one in registry.predictions(adapters[1], before=own[0].id)] == [
        "case 1"
    ]


def test_a_page_loads_its_own_rows_and_no_others(registry, adapters, runs):
    loaded = []

    def count(row, _):
        loaded.append(row.id)

    for table in (Adapter, Run):
        event.listen(table, "load", count)
    try:
        registry.adapters(limit=2, skip=2)
        registry.adapter_names(limit=5)
        registry.adapter_summaries(limit=5)
        registry.run_summaries(limit=5)
        registry.runs(limit=2, skip=2)
        registry.count_runs()
    finally:
        for table in (Adapter, Run):
            event.remove(table, "load", count)

    assert loaded == ["adapter-4", "adapter-3", runs[4], runs[3]]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id FROM adapters ORDER BY created_at DESC, id DESC LIMIT 2 OFFSET 2",
        "SELECT id FROM adapters WHERE project_id = 1 ORDER BY created_at DESC, id DESC LIMIT 2",
        "SELECT id FROM runs ORDER BY created_at DESC, id DESC LIMIT 2 OFFSET 2",
        "SELECT id FROM runs WHERE project_id = 1 ORDER BY created_at DESC, id DESC LIMIT 2",
        "SELECT count(*) FROM runs WHERE status IN ('waiting')",
        "SELECT * FROM predictions WHERE adapter_id = 'a' AND id < 9 ORDER BY id DESC LIMIT 2",
    ],
)
def test_rows_of_a_page_are_found_by_an_index_that_has_their_order(registry, query):
    with registry.reading() as session:
        plan = [row[3] for row in session.execute(text(f"EXPLAIN QUERY PLAN {query}"))]

    assert len(plan) == 1
    assert "INDEX" in plan[0]


def test_every_page_of_a_large_registry_is_looked_at_before_it_is_copied(
    settings, registry, adapters, monkeypatch
):
    registry.close()
    monkeypatch.setattr(opening, "CHECKED_BYTES", 0)
    looked = []
    monkeypatch.setattr(opening, "_look_at_every_page", lambda *_: looked.append(1))

    Registry.open(settings).close()
    assert len(looked) == 1  # there was no copy yet
    Registry.open(settings).close()
    assert len(looked) == 1
    yesterday = time.time() - 90_000
    os.utime(backups(settings.home)[-1], (yesterday, yesterday))
    Registry.open(settings).close()
    assert len(looked) == 2
