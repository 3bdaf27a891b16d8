"""`base add`, `list`, `show` and `remove`: what a person types, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fmstudio.errors import InputError
from tests.encoders.small import save_checkpoint
from tests.model.fake_hub import REVISION, Model


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint("bert", tmp_path_factory.mktemp("bert"))


@pytest.fixture
def kept(studio, bert):
    from fmstudio.checkpoints.store import keep

    return keep(bert, studio.settings, {"name": "notes-bert", "id": "lab/bert", "licence": "mit"})


def test_a_model_of_the_hub_is_checked_added_listed_and_removed(run, hub, bert, home):
    hub.models["lab/bert"] = Model.of_folder(bert, card={"license": "mit"})

    checked = json.loads(run("base", "add", "lab/bert", "--check", "--json").out)
    assert (checked["revision"], checked["kind"], checked["licence"]) == (REVISION, "text", "mit")
    assert not (home / "checkpoints").exists()

    said = run("base", "add", "lab/bert", "--kind", "text", "--revision", REVISION, "--json")
    added = json.loads(said.out)
    assert (added["name"], added["what"], added["kinds"]) == ("bert", "encoder", ["text"])
    assert (added["id"], added["revision"], added["licence"]) == ("lab/bert", REVISION, "mit")
    listed = json.loads(run("base", "list", "--json").out)
    assert [one["name"] for one in listed] == ["embedded", "random", "bert"]
    assert "bert" in run("base", "list").out
    assert "lab/bert" in run("base", "show", "bert").out

    assert "was not removed" in run("base", "remove", "bert").error
    assert json.loads(run("base", "remove", "bert", "--yes", "--json").out) == {"removed": "bert"}
    assert not (home / "checkpoints" / "bert").exists()


def test_a_refusal_is_one_line_and_one_hint_and_nothing_is_written(run, hub, bert, home):
    hub.models["lab/bert"] = Model.of_folder(bert)

    said = run("base", "add", "lab/bert", "--kind", "frames")

    assert (said.status, said.out) == (2, "")
    assert said.error == "lab/bert reads text, not frames."
    assert not (home / "checkpoints").exists()
    assert "'lab/none'" in run("base", "add", "lab/none", "--check").error


def test_an_encoder_that_an_adapter_was_made_with_stays(studio, kept):
    project = studio.projects.create("ill", "binary")
    adapter = studio.registry.add_adapter(
        studio.registry.new_adapter_id(),
        project.id,
        None,
        "ill",
        {"base": "embedded", "checkpoints": [{"name": "x", "sha256": kept.sha256}]},
    )

    with pytest.raises(InputError, match=f"ill/{adapter.id}"):
        studio.bases.remove("notes-bert")

    studio.adapters.delete(adapter.id)
    assert studio.bases.remove("lab/bert") == "notes-bert"


def test_an_encoder_that_a_run_may_still_need_stays(studio, kept, table):
    project = studio.projects.create("ill", "binary")
    cohort = studio.cohorts.add(project.id, table())
    run = studio.registry.create_run(
        project.id, cohort.id, "finetune", {"encoders": {"notes": "notes-bert"}}, "embedded"
    )
    studio.registry.cancel_run(run.id)

    with pytest.raises(InputError, match=f"{run.id}, which may go on"):
        studio.bases.remove("notes-bert")


def test_a_base_is_never_removed(run):
    assert "is a base" in run("base", "remove", "random", "--yes").error
