"""A run that searches for settings and averages seeds: what it tells, and what a stop does to it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from fmstudio.adapters.probes import replay
from fmstudio.errors import InputError
from fmstudio.training import lora_stages
from fmstudio.training import search as searching
from fmstudio.training.finetune import Finetuned, finetune
from fmstudio.training.lora_candidate import tune
from fmstudio.training.reporter import Stopped
from tests.training.conftest import Recorder, run_record

CHANGES = {
    "epochs": 2,
    "seeds": 2,
    "search_minutes": 0.25,
    "keep": "lora",
    "ladder": False,
    "scope": "upper trunk",
}


class Clock:
    """A clock by which each trial takes five seconds, so that three are tried in a quarter."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 5.0
        return self.now


@pytest.fixture
def searched(light, project, settings, monkeypatch):
    monkeypatch.setattr(searching, "time", Clock())

    def run(folder: Path, reporter: Recorder, **more) -> Finetuned:
        record = run_record(**(CHANGES | more))
        return finetune(record, project, light, folder, settings, reporter)

    return run


def weights(done: Finetuned) -> dict[str, torch.Tensor]:
    return load_file(done.adapter_folder / "adapter" / "adapter_model.safetensors")


def test_a_stopped_search_over_seeds_ends_as_the_undisturbed_one(searched, settings, tmp_path):
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    recorder = Recorder()
    whole = searched(tmp_path / "whole", recorder)
    asked = recorder.asked
    for share in (0.3, 0.55):  # within the search, and within the seeds
        with pytest.raises(Stopped):
            searched(tmp_path / "parts", Recorder(stop_after=int(share * asked)))
    kept = json.loads((tmp_path / "parts" / "search" / searching.FILE).read_text(encoding="utf-8"))
    assert len(kept["trials"]) == 3
    parts = searched(tmp_path / "parts", Recorder())

    first, second = weights(whole), weights(parts)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    for done in (whole, parts):
        assert [trial["loss"] for trial in done.result["search"]["trials"]] == [
            trial["loss"] for trial in kept["trials"]
        ]
        assert done.result["seeds"] == whole.result["seeds"]
        assert replay(done.adapter_folder, settings) < 1e-5


def test_the_result_tells_what_was_tried_and_what_became_of_the_seeds(searched, tmp_path):
    recorder = Recorder()

    done = searched(tmp_path, recorder)

    found = done.result["search"]
    best = found["trials"][found["best"]]
    assert best["loss"] == min(trial["loss"] for trial in found["trials"])
    assert {name: done.card["config"][name] for name in best["settings"]} == best["settings"]
    soup = done.result["seeds"]["lora"]
    assert len(soup["losses"]) == CHANGES["seeds"]
    # The first seed is that of the trials: trained again, it comes to the same loss.
    assert soup["losses"][0] == pytest.approx(best["loss"], abs=1e-9)
    assert soup["averaged"] == (soup["averaged_loss"] <= min(soup["losses"]))
    steps = [step for name, step in recorder.curve if name.startswith("validation loss")]
    assert steps == [1, 2]  # of the first seed alone
    assert [path.name for path in (tmp_path / "search").iterdir()] == [searching.FILE]
    assert done.result["seconds"]["search"] == pytest.approx(15.0)
    assert json.loads(json.dumps(done.result)) == done.result


def test_in_an_ensemble_of_folds_each_seed_learns_without_other_patients(
    searched, light, tmp_path, monkeypatch
):
    given = []

    def spied(name, start, data, config, folder, reporter, rows):
        made = tune(name, start, data, config, folder, reporter, rows)
        given.append((rows, made.trained.cases))
        return made

    monkeypatch.setattr(lora_stages, "tune", spied)
    done = searched(tmp_path, Recorder(), search_minutes=0.0, epochs=1, seeds=3, fold_ensemble=True)

    patients = [case.patient_id for case in light.split("train")]
    left_out = [set(patients) - {patients[row] for row in rows} for rows, _ in given]
    assert set.union(*left_out) == set(patients)
    assert sum(map(len, left_out)) == len(set(patients))
    assert [cases for _, cases in given] == [len(rows) for rows, _ in given]
    assert len(done.result["seeds"]["lora"]["losses"]) == 3


def test_more_folds_than_training_patients_are_refused(project, light, settings, tmp_path):
    few = light.split("train")[:6]
    small = replace(light, cases=(*few, *light.split("validation"), *light.split("test")))
    record = run_record(**(CHANGES | {"search_minutes": 0.0, "seeds": 9, "fold_ensemble": True}))
    with pytest.raises(InputError, match="training patients do not make 9 folds"):
        finetune(record, project, small, tmp_path, settings, Recorder())


def test_without_search_and_with_one_seed_nothing_is_told_of_either(searched, tmp_path):
    done = searched(tmp_path, Recorder(), seeds=1, search_minutes=0.0, epochs=1)

    assert (done.result["search"], done.result["seeds"]) == (None, None)
    assert not (tmp_path / "search").exists()
