"""`finetune --encoder`: a folder is kept first; what does not fit is refused before a run starts."""

from __future__ import annotations

import json

import pytest

from fmstudio.checkpoints.store import keep, list_checkpoints
from fmstudio.errors import ResourceError
from fmstudio.settings import Limits, Settings
from tests.encoders.small import save_checkpoint


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return save_checkpoint("bert", tmp_path_factory.mktemp("checkpoints") / "bert-small")


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    return save_checkpoint("vit", tmp_path_factory.mktemp("checkpoints") / "vit-small")


@pytest.fixture
def project(run, table):
    """A project whose patients have values and notes."""
    notes = [f"Seen on the ward on day {i}, no fever, slept well." for i in range(30)]
    run("project", "create", "ill", "--task", "binary")
    assert run("cohort", "add", "ill", table(note=notes)).status == 0
    return "ill"


@pytest.fixture
def unstarted(monkeypatch):
    """Runs are registered and wait; no worker is started."""
    monkeypatch.setattr("fmstudio.runs.start", lambda settings, registry, run_id: None)


def test_a_folder_is_kept_and_its_name_is_what_the_run_remembers(
    run, studio, project, bert, unstarted
):
    said = run("finetune", project, "--encoder", f"notes={bert}", "--detach", "--json")

    assert said.status == 0, said.err
    stored = studio.runs.get(json.loads(said.out)["run"]).config
    assert stored["encoders"] == {"notes": "bert-small"}
    (kept,) = list_checkpoints(studio.settings)
    assert (kept.name, kept.kind, kept.source, kept.id) == ("bert-small", "text", "folder", None)
    again = run("finetune", project, "--encoder", f"notes={bert}", "--detach", "--json")
    assert again.status == 0
    assert len(list_checkpoints(studio.settings)) == 1
    by_name = run("finetune", project, "--encoder", "notes=bert-small", "--detach", "--json")
    assert by_name.status == 0


@pytest.mark.parametrize(
    ("words", "said", "hint"),
    [
        (["notes=google/none"], "no checkpoint 'google/none'", "base add google/none"),
        (["radiology=some"], "chosen for 'radiology', which the model does not", "ehr, notes"),
        (["notes=a", "notes=b"], "Two encoders were given for notes", "one for each"),
        (["smell=a"], "no modality 'smell'", "Use one of"),
        (["notes"], "two parts", "--help"),
    ],
)
def test_an_encoder_that_cannot_be_is_refused_before_a_run_starts(
    run, studio, project, words, said, hint
):
    options = [word for one in words for word in ("--encoder", one)]
    answer = run("finetune", project, *options)

    assert answer.status == 2
    assert said in answer.error
    assert hint in answer.err
    assert studio.runs.list() == []


def test_a_folder_with_an_encoder_for_another_kind_is_refused_and_not_kept(
    run, studio, project, vit
):
    answer = run("finetune", project, "--encoder", f"notes={vit}")

    assert answer.status == 2
    assert "reads frames, not text" in answer.error
    assert list_checkpoints(studio.settings) == []
    assert list((studio.settings.home / "checkpoints").glob("*")) == []


def test_a_run_for_which_memory_is_short_is_refused_before_it_starts(
    run, studio, project, bert, monkeypatch
):
    monkeypatch.setattr("fmstudio.training.estimate.free_mb", lambda: 700.0)
    answer = run("finetune", project, "--encoder", f"notes={bert}")

    assert answer.status == 2
    assert "A run with bert-small needs about" in answer.error
    assert "700 MB are free" in answer.error
    assert studio.runs.list() == []


def test_a_disk_without_room_leaves_nothing_of_a_checkpoint(studio, bert):
    short = Settings(studio.settings.home, Limits(free_disk_mb=10**9))

    with pytest.raises(ResourceError, match=r"MB free, but the checkpoint needs 1000000"):
        keep(bert, short, {})
    assert list((studio.settings.home / "checkpoints").glob("*")) == []
