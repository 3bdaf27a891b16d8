"""A run from files to an adapter's folder, and what a kill or a stop does to it."""

from __future__ import annotations

import dataclasses
import json
import re

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from fmstudio.adapters.probes import replay
from fmstudio.contracts import pipeline
from fmstudio.errors import BundleError, InputError, RunFailed
from fmstudio.prediction.for_evaluation import judge
from fmstudio.prediction.predictor import Predictor
from fmstudio.sandbox import Reader
from fmstudio.training.finetune import finetune
from fmstudio.training.reporter import Stopped
from fmstudio.training.saved import FILES
from fmstudio.types import Source, TaskSpec
from tests.training.conftest import Recorder, run_record

TABLE = "ehr"


@pytest.fixture(scope="module")
def finished(cohort, settings, tmp_path_factory):
    from datetime import UTC, datetime

    from fmstudio.records import ProjectRecord

    project = ProjectRecord(1, "Made", cohort.task, datetime.now(UTC))
    folder = tmp_path_factory.mktemp("run")
    return finetune(run_record(epochs=2), project, cohort, folder, settings, Recorder())


@pytest.fixture(scope="module")
def predictor(finished, settings):
    with Reader(settings.limits) as reader:
        yield Predictor("adapter-test", finished.adapter_folder, settings, reader)


def test_a_run_judges_every_rung_of_the_ladder_on_the_same_patients(finished, cohort):
    result = finished.result

    assert [candidate["name"] for candidate in result["ladder"]] == [
        "baseline: gradient boosting on table",
        "probe",
        "lora",
        "lora: trunk",
    ]
    assert result["n"] == {s: len(cohort.split(s)) for s in ("train", "validation", "test")}
    assert set(result["metrics"]) >= {"auroc", "auprc", "brier", "ece", "accuracy"}
    assert result["chosen"] in [candidate["name"] for candidate in result["ladder"]]
    assert result["subsets"][-1]["modalities"] == list(cohort.modalities)
    assert json.loads(json.dumps(result)) == result


def test_a_gain_is_claimed_only_over_the_modality_that_did_best_on_the_same_patients(finished):
    alone = {one["modalities"][0]: one["auroc"]["value"] for one in finished.result["subsets"][:-1]}

    assert alone[finished.result["fusion"]["best_single"]] == max(alone.values())


def test_the_folder_is_a_bundle_whose_probes_give_the_stored_answers(finished, settings):
    assert replay(finished.adapter_folder, settings) < 1e-5


def test_an_adapter_with_another_head_is_found_out(finished, settings, tmp_path):
    import shutil

    from safetensors.torch import save_file

    folder = tmp_path / "changed"
    shutil.copytree(finished.adapter_folder, folder)
    weights = load_file(folder / "adapter" / "adapter_model.safetensors")
    head = next(name for name in weights if name.endswith("task_head.bias"))
    save_file(weights | {head: weights[head] + 1}, folder / "adapter" / "adapter_model.safetensors")

    with pytest.raises(BundleError, match="stored probes differently"):
        replay(folder, settings)


def test_an_adapter_for_another_base_is_refused(finished, settings, tmp_path):
    import shutil

    folder = tmp_path / "elsewhere"
    shutil.copytree(finished.adapter_folder, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"base": "random"}))

    with pytest.raises(BundleError, match="made for the base 'random'"):
        replay(folder, settings)


def test_one_case_gets_the_answer_it_has_in_the_evaluation(finished, predictor, cohort):
    held = judge(predictor, cohort)

    assert held.test.outputs == pytest.approx(finished.held_out.test.outputs, abs=1e-6)
    assert held.validation.outputs == pytest.approx(finished.held_out.validation.outputs, abs=1e-6)
    assert held.missing == finished.held_out.missing
    alone = {tuple(e["modalities"]): e for e in held.subsets}
    assert len(alone) == 2 ** len(cohort.modalities) - 1
    name = cohort.modalities[0]
    has = [c.case_id for c in cohort.split("test") if name in c.sources]
    assert alone[name,]["n"] == len(has)
    for told in finished.result[
        "subsets"
    ]:  # of a rival's figure the adapter's own stands beside it
        own = told.get("adapter") or told["auroc"]
        assert own == pytest.approx(alone[tuple(told["modalities"])]["auroc"], abs=1e-6)
    case = cohort.split("test")[0]
    answer = predictor.predict(case.sources).probabilities[cohort.task.labels[1]]
    assert answer == pytest.approx(held.test.outputs[0], abs=1e-5)
    assert predictor.predict(case.sources).probabilities == pytest.approx(
        predictor.predict(case.sources).probabilities, abs=0
    )


@pytest.mark.parametrize("kept", [("film", "note_file"), ("breath_sound",), None])
def test_contributions_sum_to_the_predicted_probability_minus_the_baseline(predictor, cohort, kept):
    case = next(c for c in cohort.cases if len(c.sources) == len(cohort.modalities))
    sources = {
        name: found for name, found in case.sources.items() if kept is None or found[0].name in kept
    }

    answer = predictor.predict(sources, "case-1").as_dict()

    predicted = answer["probabilities"][answer["prediction"]]
    total = sum(answer["contributions"].values())
    assert total == pytest.approx(predicted - answer["baseline"], abs=1e-6)
    assert answer["used"] == [m for m in cohort.modalities if m in sources]
    assert set(answer["missing"]) == set(cohort.modalities) - set(sources)


def test_a_case_with_nothing_to_look_at_is_refused(predictor):
    with pytest.raises(InputError, match="nothing that the adapter can use"):
        predictor.predict({}, "case-2")


def test_stock_peft_loads_the_adapter_onto_the_base(finished, settings):
    from peft import PeftModel

    from fmstudio.adapters.lora import load
    from fmstudio.model.load import load_base

    base = load_base(finished.adapter_folder / "config.json", settings)
    stock = PeftModel.from_pretrained(base, str(finished.adapter_folder / "adapter"))

    ours = load(finished.adapter_folder, settings)
    theirs = stock.merge_and_unload()
    assert all(
        torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True)
    )


@pytest.mark.parametrize(
    ("steps", "damaged"),
    [(7, None), (20, "trunk")],
    ids=["on the first rung", "on the second, its newer state damaged"],
)
def test_a_stopped_run_goes_on_to_the_same_end(light, project, settings, tmp_path, steps, damaged):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir(), broken.mkdir()
    run = run_record(epochs=4, batch_size=8)
    straight = Recorder()
    finetune(run, project, light, whole, settings, straight)

    with pytest.raises(Stopped):
        finetune(run, project, light, broken, settings, Recorder(stop_after=steps))
    if damaged:
        saved = [broken / damaged / name for name in FILES]
        newer = max(saved, key=lambda path: path.stat().st_mtime_ns)
        newer.write_bytes(newer.read_bytes()[:-9] + bytes(9))
    resumed = Recorder()
    finetune(run, project, light, broken, settings, resumed)

    assert resumed.curve == straight.curve
    ours = load_file(whole / "adapter" / "adapter" / "adapter_model.safetensors")
    theirs = load_file(broken / "adapter" / "adapter" / "adapter_model.safetensors")
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    why = ", because the newer state is damaged" if damaged else ""
    assert any(re.match(rf"Resumed from step \d+{why}\.", said) for said in resumed.messages)


@pytest.mark.parametrize(
    ("task", "target", "figure"),
    [
        (TaskSpec("multiclass", ("y",), ("a", "b", "c")), lambda i: float(i % 3), "macro_auroc"),
        (
            TaskSpec("multilabel", ("y", "z"), ("y", "z")),
            lambda i: (float(i % 2), float("nan") if i % 5 == 0 else float(i % 3 == 0)),
            "macro_auroc",
        ),
        (TaskSpec("regression", ("y",), ("y",)), lambda i: 50.0 + i, "r2"),
    ],
)
def test_every_kind_of_task_trains_and_answers(
    light, project, settings, tmp_path, task, target, figure
):
    cases = tuple(dataclasses.replace(c, target=target(i)) for i, c in enumerate(light.cases))
    cohort = dataclasses.replace(light, cases=cases, task=task)

    run = run_record(epochs=1, folds=3)
    found = finetune(run, project, cohort, tmp_path, settings, Recorder())

    assert figure in found.result["metrics"]
    assert found.result["cross_validation"]["n"] == len(cases)
    assert figure in found.result["cross_validation"]
    with Reader(settings.limits) as reader:
        answer = Predictor("a", found.adapter_folder, settings, reader).predict(cases[0].sources)
    total = sum(answer.contributions.values())
    if task.kind == "regression":
        assert 0 < answer.value < 150
        assert total == pytest.approx(answer.value - answer.baseline, abs=1e-6)
    else:
        assert set(answer.probabilities) == set(task.labels)
        best = max(answer.probabilities.values())
        assert total == pytest.approx(best - answer.baseline, abs=1e-6)


def test_adapting_the_encoders_too_changes_them_and_replays(light, project, settings, tmp_path):
    run = run_record(
        epochs=1, scope="trunk and encoders", ladder=False, keep="lora", learning_rate=5e-3
    )

    found = finetune(run, project, light, tmp_path, settings, Recorder())

    weights = load_file(found.adapter_folder / "adapter" / "adapter_model.safetensors")
    assert any("encoders." in name for name in weights)
    assert replay(found.adapter_folder, settings) < 1e-5


def test_the_same_seed_gives_the_same_curve_and_leaves_the_first_adapter_as_it_is(
    light, project, settings, tmp_path
):
    curves, files = [], []
    for name in ("first", "again"):
        (tmp_path / name).mkdir()
        recorder = Recorder()
        run = run_record(epochs=2, seed=3)
        finetune(run, project, light, tmp_path / name, settings, recorder)
        curves.append(recorder.curve)
        first = sorted(path for path in (tmp_path / "first").rglob("*") if path.is_file())
        files.append({path: path.read_bytes() for path in first})

    assert curves[0] == curves[1]
    assert files[0] == files[1]  # a later training leaves every byte of an earlier one
    assert np.isfinite(list(curves[0].values())).all()


def test_boosting_that_is_asked_for_looks_at_the_table_alone(light, project, settings, tmp_path):
    run = run_record(keep="boosting")

    found = finetune(run, project, light, tmp_path, settings, Recorder())

    assert found.result["chosen"] == "baseline: gradient boosting on table"
    assert [candidate["name"] for candidate in found.result["ladder"]] == [
        found.result["chosen"],
        "probe",
    ]
    assert replay(found.adapter_folder, settings) < 1e-5
    case = next(c for c in light.cases if len(c.sources) > 1)
    with Reader(settings.limits) as reader:
        predictor = Predictor("a", found.adapter_folder, settings, reader)
        [table] = predictor.reads
        answer = predictor.predict(case.sources)
        other = next(name for name in predictor.modalities if name != table)
        with pytest.raises(InputError, match="nothing that the adapter can use"):
            predictor.predict({other: case.sources[other]})
    assert answer.used == (table,)
    assert any("boosted trees on a table" in remark for remark in answer.remarks)
    assert sum(answer.contributions.values()) == pytest.approx(
        max(answer.probabilities.values()) - answer.baseline, abs=1e-6
    )


def test_trees_read_series_too_but_boosting_alone_is_that_of_the_table(
    cohort, project, settings, tmp_path
):
    kinds = {name: pipeline(name).kind for name in cohort.modalities}
    table, series = ([name for name in kinds if kinds[name] == k] for k in ("table", "series"))
    two = dataclasses.replace(cohort, modalities=(*series, *table))
    trees = {}
    for keep in ("boosting", "probe"):
        folder = tmp_path / keep
        folder.mkdir()
        found = finetune(run_record(keep=keep), project, two, folder, settings, Recorder())
        card = json.loads((found.adapter_folder / "config.json").read_text())
        trees[keep] = set(card["trees"])
        assert replay(found.adapter_folder, settings) < 1e-5

    assert trees == {"boosting": {*table}, "probe": {*table, *series}}


def test_a_model_that_learned_nothing_is_a_failed_run(light, project, settings, tmp_path):
    rows = (Source(name="same", text="1"),)
    blank = tuple(
        dataclasses.replace(case, sources={name: rows for name in case.sources if name == TABLE})
        for case in light.cases
    )
    cohort = dataclasses.replace(light, cases=blank, modalities=(TABLE,))

    with pytest.raises(
        RunFailed, match=r"gives all .* training patients the same answer"
    ) as caught:
        finetune(run_record(keep="probe"), project, cohort, tmp_path, settings, Recorder())
    assert "labels" in caught.value.hint
    assert not (tmp_path / "adapter").exists()
