"""The main job on the command line, with real workers and models: from a table to a colleague."""

from __future__ import annotations

import csv
import io
import json
import random
import zipfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from fmstudio.__main__ import main
from fmstudio.errors import BundleError, InputError
from fmstudio.studio import Studio

FIGURE = {"value", "low", "high"}


def fmstudio(home: Path, *words: object) -> dict:
    """The JSON of a command."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main([*map(str, words), "--home", str(home), "--json"])
    assert status == 0, err.getvalue()
    assert "Traceback" not in err.getvalue()
    return json.loads(out.getvalue())


@pytest.fixture(scope="module")
def story(tmp_path_factory) -> tuple[Path, Path, dict]:
    """A home in which forty patients with values and notes were learned from, and the result."""
    folder = tmp_path_factory.mktemp("story")
    draw = random.Random(7)
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["case_id", "age", "crp", "note", "label_ill"])
        for i in range(40):
            ill = i % 2
            crp = round(draw.gauss(20 + 60 * ill, 25), 1)
            words = (
                "short of breath and feverish" if draw.random() < 0.4 + 0.4 * ill else "no fever"
            )
            note = f"Seen on the ward this morning, {words}; slept well." if i % 5 else ""
            writer.writerow([f"c{i}", draw.randint(20, 90), crp, note, ill])
    home = folder / "home"
    fmstudio(home, "project", "create", "ill", "--task", "binary")
    fmstudio(home, "cohort", "add", "ill", folder / "manifest.csv")
    result = fmstudio(home, "finetune", "ill", "--preset", "quick", "--epochs", 2)
    return home, folder / "manifest.csv", result


def test_fine_tuning_ends_with_the_figures_of_the_contract(story):
    home, _, result = story
    assert (result["status"], result["task"]) == ("finished", "binary")
    assert result["n"] == {"train": 24, "validation": 8, "test": 8}
    assert {"auroc", "auprc", "brier", "ece", "accuracy"} <= result["metrics"].keys()
    more = {"auprc": {"prevalence"}, "ece": {"by_chance"}}
    assert all(
        set(figure) == FIGURE | more.get(name, set()) for name, figure in result["metrics"].items()
    )
    assert [rung["name"] for rung in result["ladder"]] == [
        "baseline: gradient boosting on table",
        "probe",
        "lora",
        "lora: trunk",
    ]
    assert all({"auroc", "seconds"} <= rung.keys() for rung in result["ladder"])
    assert result["chosen"] in ("probe", "lora")
    assert {tuple(s["modalities"]) for s in result["subsets"]} >= {("ehr",), ("ehr", "notes")}
    assert result["fusion"]["verdict"] in ("helps", "no evidence", "hurts")
    assert {"prepare", "train", "evaluate"} <= result["seconds"].keys()
    assert result["cases_per_second"] > 0
    assert result["peak_memory_mb"] > 0
    run = fmstudio(home, "run", "show", result["run"])
    assert (run["status"], run["adapter_id"]) == ("finished", result["adapter"])


def test_evaluating_on_held_out_patients_gives_the_figures_of_the_run(story):
    home, _, result = story
    again = fmstudio(home, "evaluate", "ill/champion")
    assert again["adapter"] == result["adapter"]
    for name, figure in result["metrics"].items():
        assert again["metrics"][name]["value"] == pytest.approx(figure["value"], abs=1e-4)
    parts = (
        "calibration",
        "operating_points",
        "decision_curve",
        "triage",
        "conformal",
        "subgroups",
        "learning_curve",
    )
    assert {part: again[part]["n"] for part in parts} == dict.fromkeys(parts, 8)
    assert again["subsets"] == result["subsets"]
    assert again["fusion"] == result["fusion"]
    assert again["learning_curve"] == result["learning_curve"]
    assert set(again["calibration"]["slope"]) == FIGURE


def test_another_manifest_is_judged_with_thresholds_from_the_validation_patients(story):
    home, manifest, _ = story
    found = fmstudio(home, "evaluate", "ill/champion", "--manifest", manifest)
    # A row that another patient's might equal is not kept, and is counted as such.
    known = found["overlap"]
    assert (found["n"], known["patients"], known["rows"] + known["plain_rows"]) == (8, 32, 32)
    assert found["operating_points"]["chosen_on"] == "validation patients"
    assert found["operating_points"]["n_chosen_on"] == 8


def test_an_adapter_is_compared_with_its_simpler_rivals_and_reported_on(story, tmp_path, capsys):
    home, _, result = story
    found = fmstudio(home, "adapter", "compare", "ill/champion", "ill/champion")
    models = [one["model"] for one in found["adapters"]]
    assert models[0] == "adapter"
    assert "baseline: gradient boosting on table" in models
    assert result["chosen"] not in models
    assert found["adapters"][1]["verdict"] in ("better", "worse", "no evidence")
    fmstudio(home, "evaluate", "ill/champion", "--report", tmp_path / "report")
    assert (tmp_path / "report" / "report.pdf").read_bytes().startswith(b"%PDF")
    assert main(["evaluate", "ill/champion", "--home", str(home)]) == 0
    told = capsys.readouterr().out
    assert "Cannot promise a PPV" in told
    assert "no group of 20 or more" in told


def test_an_answer_adds_up_and_says_what_was_missing(story):
    home, _, result = story
    answer = fmstudio(
        home, "predict", "ill/champion", "--set", "age=71", "--set", "crp=112", "--case", "new"
    )
    assert (answer["adapter"], answer["case_id"]) == (result["adapter"], "new")
    assert (answer["used"], answer["missing"]) == (["ehr"], ["notes"])
    chance = answer["probabilities"][answer["prediction"]]
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    assert sum(answer["contributions"].values()) == pytest.approx(
        chance - answer["baseline"], abs=1e-6
    )
    assert {"conformal_set", "coverage", "remarks", "warnings", "guard", "seconds"} <= answer.keys()
    doubted = any("better than guessing on the" in warning for warning in answer["warnings"])
    assert doubted is not (result["metrics"]["auroc"]["low"] > 0.5)


def test_a_colleague_who_imports_the_bundle_gets_the_same_answers(story, tmp_path):
    home, manifest, _ = story
    there = tmp_path / "there"
    bundle = tmp_path / "ill.zip"
    fmstudio(home, "export", "ill/champion", bundle)
    assert fmstudio(there, "verify", bundle)["whole"] is True
    fmstudio(there, "import", bundle)
    here_answers, there_answers = tmp_path / "here.csv", tmp_path / "there.csv"
    fmstudio(home, "predict", "ill/champion", "--manifest", manifest, "--out", here_answers)
    fmstudio(there, "predict", "ill/champion", "--manifest", manifest, "--out", there_answers)
    assert here_answers.read_bytes() == there_answers.read_bytes()
    with here_answers.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["case_id"] for row in rows] == [f"c{i}" for i in range(40)]
    assert {row["error"] for row in rows} == {""}
    single = fmstudio(
        there,
        "predict",
        "ill/champion",
        "--set",
        "age=50",
        "--set",
        "crp=99",
        "--notes",
        "Seen on the ward this morning, no fever; slept well.",
    )
    one = tmp_path / "one.csv"
    one.write_text(
        'case_id,age,crp,note\nx,50,99,"Seen on the ward this morning, no fever; slept well."\n'
    )
    out = tmp_path / "one_answer.csv"
    fmstudio(home, "predict", "ill/champion", "--manifest", one, "--out", out)
    with out.open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert float(row["probability:1"]) == pytest.approx(single["probabilities"]["1"], abs=1e-9)


def test_a_changed_bundle_is_refused_by_name_and_leaves_nothing(story, tmp_path):
    home, _, _ = story
    bundle, changed = tmp_path / "ill.zip", tmp_path / "changed.zip"
    fmstudio(home, "export", "ill/champion", bundle)
    with zipfile.ZipFile(bundle) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, content + b" " if name == "calibration.json" else content)
    with Studio.open(tmp_path / "there") as studio:
        with pytest.raises(BundleError, match=r"calibration\.json"):
            studio.adapters.import_bundle(changed)
        assert studio.projects.list() == []
        assert list((tmp_path / "there").glob("adapters/*")) == []


def test_a_bundle_goes_only_into_a_project_that_asks_the_same(story, tmp_path):
    home, _, _ = story
    bundle = tmp_path / "ill.zip"
    fmstudio(home, "export", "ill/champion", bundle)
    with Studio.open(tmp_path / "there") as studio:
        studio.projects.create("stay", "regression")
        with pytest.raises(InputError, match="stay"):
            studio.adapters.import_bundle(bundle, "stay")
        assert studio.adapters.list() == []
        studio.projects.create("mine", "binary")
        adapter = studio.adapters.import_bundle(bundle, "mine")
        assert studio.projects.get("mine").task.labels == ("0", "1")
        assert adapter.aliases == ("champion",)
        assert studio.adapters.import_bundle(bundle, "mine").aliases == ()
        assert studio.adapters.import_bundle(bundle).project_id == studio.projects.get("ill").id
        studio.projects.delete("mine")
        assert not studio.adapters.folder(adapter.id).exists()
