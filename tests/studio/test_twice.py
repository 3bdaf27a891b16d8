"""A button that is pressed twice, or a command that is given again, does its work once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from fmstudio import runs
from fmstudio.errors import NotFound
from fmstudio.run_config import RunConfig

QUICK = RunConfig.from_preset("quick")


def test_train_pressed_twice_or_in_two_tabs_is_one_run(studio, table, monkeypatch):
    studio.projects.create("ill", "binary", "label_ill")
    studio.cohorts.add("ill", table())
    monkeypatch.setattr(runs, "start", lambda *_: None)  # the run waits for its turn

    with ThreadPoolExecutor(4) as tabs:
        started = list(tabs.map(lambda _: studio.runs.start("ill", QUICK).id, range(4)))
    other = studio.runs.start("ill", RunConfig.from_preset("quick", seed=QUICK.seed + 1))

    assert len(set(started)) == 1
    assert {run.id for run in studio.runs.list("ill")} == {started[0], other.id}
    studio.runs.stop(started[0])
    assert studio.runs.start("ill", QUICK).id not in started  # it has ended: a new one


def test_what_is_deleted_twice_is_gone_and_nothing_else_is(studio):
    project = studio.projects.create("ill", "binary")
    adapter, other = (
        studio.registry.add_adapter(f"adapter-{n}", project.id, None, "A", {}) for n in "ab"
    )

    studio.adapters.delete(adapter.id)
    with pytest.raises(NotFound, match=adapter.id):
        studio.adapters.delete(adapter.id)

    assert [one.id for one in studio.adapters.list()] == [other.id]


def test_adapters_of_one_name_are_two_and_of_one_role_the_later_has_it(studio):
    project = studio.projects.create("ill", "binary")
    for adapter in ("adapter-a", "adapter-b"):
        studio.registry.add_adapter(adapter, project.id, None, "The best", {})
    with ThreadPoolExecutor(2) as tabs:
        list(
            tabs.map(
                lambda one: studio.adapters.set_alias(one, "champion"), ["adapter-a", "adapter-b"]
            )
        )

    aliases = {one.id: one.aliases for one in studio.adapters.list()}
    assert sorted(aliases.values()) == [(), ("champion",)]
    assert aliases[studio.adapters.get("ill/champion").id] == ("champion",)
