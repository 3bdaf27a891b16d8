"""A kept checkpoint as an encoder: from a run to a colleague who keeps the same checkpoint."""

from __future__ import annotations

import dataclasses
import json
import shutil
from datetime import UTC, datetime

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from fmstudio.adapters import lora
from fmstudio.adapters.bundle import export, unpack, verify
from fmstudio.adapters.probes import replay
from fmstudio.checkpoints.store import (
    checkpoint_folder,
    find_checkpoint,
    keep,
    list_checkpoints,
    remove_checkpoint,
)
from fmstudio.contracts import pipeline
from fmstudio.errors import BundleError, InputError, NotFound, ResourceError
from fmstudio.features.inputs import Preparation, encode
from fmstudio.features.outputs import logits_of
from fmstudio.model.load import load_base, task_config
from fmstudio.prediction.for_evaluation import judge
from fmstudio.prediction.predictor import Predictor
from fmstudio.records import ProjectRecord
from fmstudio.sandbox import Reader
from fmstudio.settings import Settings
from fmstudio.training.finetune import finetune
from fmstudio.training.reporter import Stopped
from fmstudio.training.saved import FILES
from tests.encoders.small import save_checkpoint
from tests.training.conftest import Recorder, run_record

FILM, NOTE = "radiology", "notes"
FACTS = {"id": "someone/small-vit", "revision": "ab" * 20, "licence": "cc-by-nc-4.0", "gated": True}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A small vision transformer and a small BERT, as somebody would copy them to a disk."""
    made = {name: tmp_path_factory.mktemp(name) for name in ("vit", "bert")}
    return {name: save_checkpoint(name, folder) for name, folder in made.items()}


def home_with(folders, place) -> Settings:
    settings = Settings(place)
    keep(folders["vit"], settings, FACTS)
    keep(folders["bert"], settings, {"name": "bert"})
    return settings


@pytest.fixture(scope="module")
def settings(folders, tmp_path_factory) -> Settings:
    return home_with(folders, tmp_path_factory.mktemp("home") / "home")


@pytest.fixture(scope="module")
def seen(cohort):
    """The cohort as films, notes and a table: both checkpoints beside an embedded encoder."""
    kept = tuple(m for m in cohort.modalities if m in (FILM, NOTE) or pipeline(m).kind == "table")
    return dataclasses.replace(cohort, modalities=kept)


@pytest.fixture(scope="module")
def asked(cohort) -> ProjectRecord:
    return ProjectRecord(1, "Made", cohort.task, datetime.now(UTC))


CHOSEN = {FILM: "someone/small-vit", NOTE: "bert"}


@pytest.fixture(scope="module")
def finished(seen, asked, settings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    run = run_record(epochs=2, learning_rate=3e-3, encoders=CHOSEN)
    return finetune(run, asked, seen, folder, settings, Recorder())


def answers(finished_folder, settings, cases):
    with Reader(settings.limits) as reader:
        predictor = Predictor("a", finished_folder, settings, reader)
        return [predictor.predict(case.sources).probabilities for case in cases]


def test_the_card_names_every_checkpoint_with_its_terms(finished, settings):
    made = {one["name"]: one for one in finished.card["checkpoints"]}

    assert made["small-vit"]["modalities"] == [FILM]
    for key, value in FACTS.items():
        assert made["small-vit"][key] == value
    assert made["bert"]["sha256"] == find_checkpoint("bert", settings).sha256
    assert "cc-by-nc-4.0" in finished.card["licence"]
    assert "someone/small-vit" in finished.card["intended_use"]
    page = (finished.adapter_folder / "README.md").read_text()
    assert made["small-vit"]["sha256"] in page
    assert "gated" in page


def test_a_colleague_with_the_same_checkpoints_gets_the_same_answers(
    finished, folders, seen, settings, tmp_path
):
    there = Settings(tmp_path / "there")
    keep(folders["vit"], there, {"name": "another-name"})
    keep(folders["bert"], there, {})
    export(finished.adapter_folder, tmp_path / "made.zip")

    facts = verify(tmp_path / "made.zip")
    unpack(tmp_path / "made.zip", tmp_path / "adapter")

    assert {one["id"] for one in facts["checkpoints"]} == {"someone/small-vit", None}
    assert replay(tmp_path / "adapter", there) < 1e-6
    cases = seen.split("test")[:3]
    assert answers(tmp_path / "adapter", there, cases) == answers(
        finished.adapter_folder, settings, cases
    )


def test_a_case_has_the_answer_alone_that_it_has_among_others(finished, seen, settings):
    held_out = dataclasses.replace(seen, cases=seen.split("test"))
    with Reader(settings.limits) as reader:
        predictor = Predictor("a", finished.adapter_folder, settings, reader)
        judged = judge(predictor, held_out)
        prepared = Preparation(reader, settings).run(
            predictor.model, predictor.processors, held_out.cases, frozen=True
        )
        ids = [case.case_id for case in held_out.cases]
        together = predictor.readout.outputs(seen.task, logits_of(predictor.model, prepared, ids))
        positive = seen.task.labels[1]
        alone = [predictor.predict(case.sources).probabilities[positive] for case in held_out.cases]

    assert alone == pytest.approx(list(together), abs=1e-5)
    assert judged.test.outputs == pytest.approx(finished.held_out.test.outputs, abs=1e-5)


def test_stock_peft_loads_adapter_head_and_bridges(finished, settings):
    from peft import PeftModel

    base = load_base(finished.adapter_folder / "config.json", settings)
    stock = PeftModel.from_pretrained(base, str(finished.adapter_folder / "adapter"))

    ours, theirs = lora.load(finished.adapter_folder, settings), stock.merge_and_unload()
    assert len(ours.checkpoints) == 2
    for (name, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert torch.equal(a, b), name
    assert all(ours.bridges[key].weight.abs().sum() > 0 for key in ours.checkpoints)


def test_bridges_are_trained_and_travel_in_the_adapter(finished, seen, settings):
    stored = load_file(finished.adapter_folder / "adapter" / "adapter_model.safetensors")
    keys = [find_checkpoint(name, settings).key for name in CHOSEN.values()]

    for key in keys:
        assert f"base_model.model.bridges.{key}.weight" in stored
    assert not any("encoders." in name for name in stored)


def test_what_a_checkpoint_made_of_the_inputs_is_never_made_again(
    seen, asked, settings, finished, tmp_path, monkeypatch
):
    def forbidden(*_):
        raise AssertionError("an encoder was run again")

    monkeypatch.setattr("fmstudio.features.inputs.encode", forbidden)
    monkeypatch.setattr("fmstudio.training.bridge.encode", forbidden)
    again = finetune(
        run_record(epochs=2, learning_rate=3e-3, encoders=CHOSEN),
        asked,
        seen,
        tmp_path,
        settings,
        Recorder(),
    )

    assert again.result["metrics"] == finished.result["metrics"]


def test_tokens_are_kept_for_a_checkpoint_whatever_the_base(seen, settings, finished, monkeypatch):
    case = seen.split("train")[:2]
    shape = task_config("random", [FILM], 1, settings, {FILM: "small-vit"})
    model = load_base(shape, settings)
    monkeypatch.setattr(
        "fmstudio.features.inputs.encode", lambda *_: pytest.fail("an encoder was run again")
    )
    with Reader(settings.limits) as reader:
        preparation = Preparation(reader, settings)
        prepared = preparation.run(model, preparation.fit(model, case), case, frozen=True)

    assert [set(keys) for keys in prepared.keys.values()] == [{FILM}] * 2


def test_a_stopped_run_goes_on_to_the_same_end(seen, asked, settings, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir(), broken.mkdir()
    run = run_record(epochs=3, batch_size=8, encoders=CHOSEN)
    straight, resumed = Recorder(), Recorder()
    finetune(run, asked, seen, whole, settings, straight)

    with pytest.raises(Stopped):
        finetune(run, asked, seen, broken, settings, Recorder(stop_after=7))
    finetune(run, asked, seen, broken, settings, resumed)

    assert resumed.curve == straight.curve
    ours, theirs = (
        load_file(place / "adapter" / "adapter" / "adapter_model.safetensors")
        for place in (whole, broken)
    )
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_adapting_the_encoders_too_trains_lora_in_the_checkpoint(seen, asked, settings, tmp_path):
    run = run_record(
        epochs=1,
        scope="trunk and encoders",
        learning_rate=5e-3,
        encoders=CHOSEN,
        batch_size=4,
        patience=9,
        ladder=False,
        keep="lora",
    )

    found = finetune(run, asked, seen, tmp_path, settings, Recorder())

    state = load_file(tmp_path / "trunk-and-encoders" / FILES[0])
    key = find_checkpoint("small-vit", settings).key
    trained = [
        value
        for name, value in state.items()
        if name.startswith("now/") and f"encoders.{key}." in name and "lora_B" in name
    ]
    assert trained
    assert all(value.abs().max() > 0 for value in trained)
    assert replay(found.adapter_folder, settings) < 1e-5


def test_the_same_checkpoint_for_two_modalities_is_one_encoder(settings):
    shape = task_config(
        "embedded", [FILM, "video"], 1, settings, {FILM: "small-vit", "video": "small-vit"}
    )

    assert len(shape.encoders) == 1
    assert len(set(shape.routes.values())) == 1


def test_an_encoder_for_another_kind_of_data_is_refused(settings):
    with pytest.raises(InputError, match=r"'bert' reads text, but radiology is frames"):
        task_config("embedded", [FILM], 1, settings, {FILM: "bert"})


def test_an_encoder_for_a_modality_that_is_not_looked_at_is_refused(
    seen, asked, settings, tmp_path
):
    with pytest.raises(InputError, match="An encoder was chosen for audio"):
        finetune(
            run_record(epochs=1, encoders={"audio": "bert"}),
            asked,
            seen,
            tmp_path,
            settings,
            Recorder(),
        )


def test_a_checkpoint_that_is_not_kept_is_refused_and_said_how_to_add(settings):
    with pytest.raises(NotFound, match="no checkpoint 'google/other'") as caught:
        task_config("embedded", [FILM], 1, settings, {FILM: "google/other"})
    assert "base add google/other" in caught.value.hint


def test_an_import_without_the_checkpoint_names_it_and_how_to_get_it(finished, folders, tmp_path):
    there = Settings(tmp_path / "there")
    keep(folders["bert"], there, {})

    with pytest.raises(
        BundleError, match=r"'someone/small-vit'.* is not on this machine"
    ) as caught:
        replay(finished.adapter_folder, there)
    assert "base add someone/small-vit --kind frames" in caught.value.hint


def test_another_version_of_a_checkpoint_is_refused(finished, folders, tmp_path):
    there, other = Settings(tmp_path / "there"), tmp_path / "other"
    shutil.copytree(folders["vit"], other)
    weights = load_file(other / "model.safetensors")
    save_file(
        {k: v + 0.01 for k, v in weights.items()}, other / "model.safetensors", {"format": "pt"}
    )
    keep(other, there, FACTS)
    keep(folders["bert"], there, {})

    with pytest.raises(BundleError, match=r"'small-vit' on this machine has") as caught:
        replay(finished.adapter_folder, there)
    assert "ab" * 20 in caught.value.hint


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda folder: (folder / "model.safetensors").unlink(), "lacks its file"),
        (
            lambda folder: (folder / "preprocessor_config.json").write_text("{}"),
            "'preprocessor_config.json' of the checkpoint 'vit' was changed",
        ),
        (shutil.rmtree, "not on this machine"),
    ],
)
def test_a_checkpoint_deleted_or_changed_after_training_is_found_out(
    finished, folders, tmp_path, harm, said
):
    there = Settings(tmp_path / "there")
    keep(folders["vit"], there, {"name": "vit"})
    keep(folders["bert"], there, {})
    assert replay(finished.adapter_folder, there) < 1e-6

    harm(checkpoint_folder("vit", there))

    with pytest.raises(BundleError, match=said):
        replay(finished.adapter_folder, there)


def test_adding_a_damaged_checkpoint_again_makes_it_whole(finished, folders, tmp_path):
    there = Settings(tmp_path / "there")
    keep(folders["bert"], there, {})
    kept = keep(folders["vit"], there, {"name": "vit"})
    (checkpoint_folder("vit", there) / "model.safetensors").unlink()

    again = keep(folders["vit"], there, {"name": "another"})

    assert (again.name, again.sha256) == ("vit", kept.sha256)
    assert len(list_checkpoints(there)) == 2
    assert replay(finished.adapter_folder, there) < 1e-6


def test_a_checkpoint_that_does_not_fit_into_memory_is_refused_before_it_is_loaded(
    folders, tmp_path, monkeypatch
):
    monkeypatch.setattr("fmstudio.checkpoints.memory.free_mb", lambda: 0.01)

    with pytest.raises(ResourceError, match=r"'vit.*' needs about .* MB of memory"):
        keep(folders["vit"], Settings(tmp_path), {"name": "vit"})
    assert list_checkpoints(Settings(tmp_path)) == []


def test_a_bundle_with_a_config_that_describes_another_network_is_refused(
    finished, settings, tmp_path
):
    shutil.copytree(finished.adapter_folder, tmp_path / "changed")
    path = tmp_path / "changed" / "config.json"
    config = json.loads(path.read_text())
    key = find_checkpoint("small-vit", settings).key
    config["encoders"][key]["config"]["model"]["hidden_size"] = 2**20
    path.write_text(json.dumps(config))

    with pytest.raises(BundleError, match="does not describe the checkpoint 'small-vit'"):
        load_base(path, settings)


def test_a_bundle_that_asks_for_a_larger_sketch_is_refused(finished, settings, tmp_path):
    config = json.loads((finished.adapter_folder / "config.json").read_text())
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config | {"sketches": {NOTE: 2**30}}))

    with pytest.raises(BundleError, match="does not describe the base"):
        load_base(path, settings)


def test_removing_a_checkpoint_leaves_the_others(folders, tmp_path):
    settings = home_with(folders, tmp_path / "home")

    remove_checkpoint("bert", settings)

    assert [info.name for info in list_checkpoints(settings)] == ["small-vit"]


def test_tokens_before_the_bridge_do_not_depend_on_it(settings, seen):
    shape = task_config("embedded", [FILM], 1, settings, {FILM: "small-vit"})
    model = load_base(shape, settings)
    case = seen.split("train")[0]
    with Reader(settings.limits) as reader:
        preparation = Preparation(reader, settings)
        processor = preparation.fit(model, [case])[FILM]
        (_, given) = next(iter(preparation.inputs(FILM, [case], keep=False)))
    prepared = processor.preparer("embedded", settings).prepare(given)
    before = encode(model, FILM, prepared).arrays["tokens"]

    torch.nn.init.ones_(model.bridges[shape.routes[FILM]].weight)

    assert before.shape[1] == find_checkpoint("small-vit", settings).width
    assert np.array_equal(encode(model, FILM, prepared).arrays["tokens"], before)
