"""From cases without labels to an adapter on a base of one's own, on the command line."""

from __future__ import annotations

import hashlib
import json

import pytest

from fmstudio.__main__ import main
from fmstudio.errors import NotFound
from fmstudio.training.estimate import STARTING_SECONDS

NOTE = "Cough and fever for {} days; the chest is {} on day {}."
TO_FINETUNE = ("finetune", "ill", "--base", "mine", "--epochs", "1", "--modalities", "ehr,notes")


@pytest.fixture
def unlabelled(table):
    """40 labelled patients, 12 without an outcome, each with two values and a note."""
    rows = range(52)
    return table(
        rows=52,
        note=[NOTE.format(i % 5, ("clear", "full of crackles")[i % 3 == 0], i) for i in rows],
        label_ill=[int(i % 3 == 0) if i < 40 else "" for i in rows],
    )


def test_unlabelled_cases_make_a_base_and_an_adapter_that_needs_it(
    run, studio, unlabelled, home, tmp_path, capsys
):
    assert run("project", "create", "ill", "--task", "binary").status == 0
    assert run("cohort", "add", "ill", unlabelled).status == 0
    said = run(
        "pretrain",
        "ill",
        "--name",
        "mine",
        "--modalities",
        "ehr,notes",
        "--epochs",
        "2",
        "--batch-size",
        "16",
        "--objectives",
        "masked,known,groups",
        "--json",
    )
    assert (said.status, "Traceback" in said.err) == (0, False)
    result = json.loads(said.out)

    # What was learned from: training patients and those without a label.
    report = studio.cohorts.report("ill")
    assert result["n"] == {
        "labelled training cases": report.splits["train"],
        "cases without a label": 12,
        "left out": 0,
    }
    assert result["learned_from"] == report.splits["train"] + 12
    assert {name for name in result["curves"] if name.startswith("loss: ")} == {
        "loss: masked",
        "loss: known",
        "loss: groups",
    }
    assert "probe auroc: notes" in result["curves"]
    assert result["verdict"]["verdict"] in ("better", "no evidence", "worse")
    assert result["verdict"]["n"]["test"] == report.splits["test"]
    assert {point["case"] for point in result["groups"]["points"]} >= {
        f"c{i}" for i in range(40, 52)
    }

    # The base: its files, its card, its place in the log.
    base = home / "bases" / "mine"
    card = json.loads((base / "card.json").read_text())
    content = (base / "model.safetensors").read_bytes()
    assert card["sha256"] == result["base_sha256"] == hashlib.sha256(content).hexdigest()
    assert card["lineage"] == [{"name": "embedded", "sha256": studio.bases.get("embedded").sha256}]
    assert card["licence"] == studio.bases.get("embedded").licence
    assert card["trained_on"][0]["fingerprints"] == [studio.cohorts.newest("ill").fingerprint]
    assert card["verdict"] == result["verdict"]
    assert not any(f"c{i}" in (base / "card.json").read_text().split('"') for i in range(52))
    assert studio.bases.get("mine").sha256 == card["sha256"]
    made = [event for event in studio.audit()["events"] if event.kind == "base made"]
    assert [(event.subject, event.details["sha256"]) for event in made] == [
        ("mine", card["sha256"])
    ]
    assert "Base mine, from embedded" in run("run", "show", result["run"]).out
    again = run("pretrain", "ill", "--name", "mine")
    assert (again.status, again.error) == (
        2,
        "There is a base 'mine', or a run that makes one, already.",
    )

    # An adapter on it, and a home that does not have it.
    tuned = json.loads(run(*TO_FINETUNE, "--json").out)
    assert studio.adapters.get(tuned["adapter"]).card["base_sha256"] == card["sha256"]
    bundle = tmp_path / "ill.zip"
    assert run("export", tuned["adapter"], bundle).status == 0
    capsys.readouterr()
    assert main(["import", str(bundle), "--home", str(tmp_path / "other")]) == 2
    refused = capsys.readouterr().err
    assert "was made for the base 'mine'" in refused
    assert "which is not on this machine" in refused
    assert "Copy the folder bases/mine" in refused


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("pretrain", "ill", "--objectives", "dreaming"), "There is no objective 'dreaming'."),
        (("pretrain", "ill", "--base", "nowhere"), "There is no base 'nowhere'."),
        (("pretrain", "ill", "--name", "Mine!"), "'Mine!' cannot be the name of a base."),
        (
            ("pretrain", "ill", "--modalities", "audio"),
            "No case to learn from has the modality 'audio'.",
        ),
        (("pretrain",), "Neither a project nor a recipe was given."),
        (("pretrain", "--recipe", "r.json"), "--data is missing."),
        (
            ("pretrain", "--recipe", "r.json", "--data", "d", "--work", "w", "--out", "o"),
            "There is no 'r.json'.",
        ),
    ],
)
def test_a_mistake_is_said_before_anything_is_started(run, studio, unlabelled, words, said):
    studio.projects.create("ill", "binary")
    studio.cohorts.add("ill", unlabelled)
    answer = run(*words)

    assert (answer.status, answer.error) == (2, said)
    assert studio.runs.list() == []


def test_a_project_without_any_cases_asks_for_a_table(run, studio):
    studio.projects.create("ill", "binary")

    assert run("pretrain", "ill").error == "The project 'ill' has no cases to learn from."


def test_a_table_alone_is_enough_and_an_upload_of_it_goes_with_the_project(
    studio, table, monkeypatch
):
    monkeypatch.setattr("fmstudio.runs.start", lambda *given: None)
    studio.projects.create("ill", "binary")
    path = table("more/manifest.csv", label_ill=None)
    planned = studio.pretraining.plan("ill", _config(), path)
    begun = studio.pretraining.start("ill", _config(), path, copy=True)

    assert (planned.cases, planned.labelled) == (30, False)
    assert planned.estimate.seconds > STARTING_SECONDS
    kept = studio.settings.home / begun.config["manifest"]
    assert kept.is_relative_to(studio.settings.home / "cohorts")
    assert studio.pretraining.learned_case(begun.id, "c7").sources["ehr"][0].text == "79"
    studio.registry.cancel_run(begun.id)
    studio.projects.delete("ill")
    assert not kept.exists()
    with pytest.raises(NotFound):
        studio.projects.get("ill")


def _config():
    from fmstudio.pretrain_config import PretrainConfig

    return PretrainConfig(name="mine", epochs=1)
