"""A run's recipe runs again here, elsewhere and with changes; what does not fit is said."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from fmstudio.errors import InputError, NotFound
from fmstudio.records import RunRecord
from fmstudio.run_config import PRESETS, RunConfig
from fmstudio.studio import Studio

CONFIG = RunConfig.from_preset("balanced", rank=4, learning_rate=1e-3)


def run_of(studio: Studio, config: RunConfig = CONFIG, project: str = "ill") -> RunRecord:
    """A run that was asked for and stopped before its worker began."""
    record, cohort = studio.projects.get(project), studio.cohorts.newest(project)
    run = studio.registry.create_run(
        record.id, cohort.id, "finetune", config.as_dict(), config.base
    )
    studio.registry.cancel_run(run.id)
    return run


@pytest.fixture
def ward(studio, table) -> Studio:
    studio.projects.create("ill", "binary")
    studio.cohorts.add("ill", table())
    return studio


def test_a_recipe_gives_the_settings_of_its_run_back(ward, tmp_path):
    run = run_of(ward)

    ward.runs.recipe(run.id, tmp_path / "a.json")
    planned = ward.runs.plan_from_recipe("ill", tmp_path / "a.json")

    assert planned.config == CONFIG.with_modalities(("ehr",))
    assert planned.remarks == ()


def test_a_recipe_names_hashes_and_data_but_no_patient_and_no_folder(ward, tmp_path):
    text = ward.runs.recipe(run_of(ward).id).as_text()
    given = json.loads(text)

    assert given["base"] == {"name": "embedded", "sha256": ward.bases.get("embedded").sha256}
    assert given["cohort"] == ward.cohorts.newest("ill").fingerprint
    assert given["task"] == "binary"
    assert str(tmp_path) not in text
    assert "p1" not in text
    assert len(text) < 2000


def test_changes_win_over_the_recipe_and_a_preset_brings_its_own_values(ward, tmp_path):
    ward.runs.recipe(run_of(ward).id, tmp_path / "a.json")

    changed = ward.runs.plan_from_recipe("ill", tmp_path / "a.json", {"rank": 32, "epochs": None})
    preset = ward.runs.plan_from_recipe("ill", tmp_path / "a.json", {"preset": "quick", "folds": 3})

    assert changed.config == replace(CONFIG, rank=32, modalities=("ehr",))
    assert (preset.config.rank, preset.config.folds) == (PRESETS["quick"]["rank"], 3)
    assert preset.config.learning_rate == CONFIG.learning_rate


def test_other_data_and_another_kind_of_task_are_remarks(ward, table, tmp_path):
    ward.runs.recipe(run_of(ward).id, tmp_path / "a.json")
    ward.projects.create("old", "regression", label="label_age")
    ward.cohorts.add("old", table("old/m.csv", label_ill=None, label_age=[*range(30)]))

    planned = ward.runs.plan_from_recipe("old", tmp_path / "a.json")

    assert planned.config.rank == CONFIG.rank
    assert "made for a binary task; 'old' is a regression task" in planned.remarks[0]
    assert "made on other data" in planned.remarks[1]


def altered(ward: Studio, tmp_path, **parts):
    """The recipe of a run with parts replaced, in a file."""
    given = ward.runs.recipe(run_of(ward).id).as_dict() | parts
    path = tmp_path / "b.json"
    path.write_text(json.dumps(given), encoding="utf-8")
    return path


def test_another_base_of_the_same_name_is_refused_unless_one_is_chosen(ward, tmp_path):
    path = altered(ward, tmp_path, base={"name": "embedded", "sha256": "0" * 64})

    with pytest.raises(InputError, match="SHA-256 000000000000; here it has SHA-256") as fault:
        ward.runs.plan_from_recipe("ill", path)

    assert "--base NAME" in fault.value.hint
    assert ward.runs.plan_from_recipe("ill", path, {"base": "embedded"}).config.base == "embedded"


def test_the_same_base_under_another_name_is_used_and_remarked_on(ward, tmp_path):
    same = ward.bases.get("embedded").sha256
    path = altered(ward, tmp_path, base={"name": "theirs", "sha256": same})

    planned = ward.runs.plan_from_recipe("ill", path)

    assert planned.config.base == "embedded"
    assert planned.remarks == ("The recipe's base 'theirs' is called 'embedded' here.",)


def test_a_group_column_that_the_cohort_lacks_is_refused_unless_it_is_left_out(ward, tmp_path):
    settings = ward.runs.recipe(run_of(ward).id).as_dict()["settings"] | {"balance_by": "site"}
    path = altered(ward, tmp_path, settings=settings)

    with pytest.raises(InputError, match="no group column 'site'"):
        ward.runs.plan_from_recipe("ill", path)

    assert ward.runs.plan_from_recipe("ill", path, {"balance_by": ""}).config.balance_by == ""


def test_a_modality_that_the_cohort_lacks_is_refused_unless_it_is_left_out(ward, tmp_path):
    path = altered(ward, tmp_path, modalities=["ehr", "notes"])

    with pytest.raises(InputError, match="looks at notes, which the cohort") as fault:
        ward.runs.plan_from_recipe("ill", path)

    assert fault.value.hint.endswith("--modalities ehr.")
    planned = ward.runs.plan_from_recipe("ill", path, {"modalities": ("ehr",)})
    assert planned.config.modalities == ("ehr",)


def test_an_encoder_that_is_not_here_is_refused_unless_another_is_chosen(ward, tmp_path):
    path = altered(ward, tmp_path, encoders={"ehr": {"name": "forest", "sha256": "1" * 64}})

    with pytest.raises(InputError, match="reads ehr with the encoder 'forest'") as fault:
        ward.runs.plan_from_recipe("ill", path)

    assert "--encoder ehr=NAME" in fault.value.hint
    planned = ward.runs.plan_from_recipe("ill", path, {"encoders": {"ehr": "other"}})
    assert planned.config.encoders == {"ehr": "other"}


def test_an_encoder_of_the_same_weights_is_found_by_its_hash(ward, table, tmp_path):
    from fmstudio.checkpoints.store import keep
    from tests.encoders.small import save_checkpoint

    kept = keep(save_checkpoint("bert", tmp_path / "small-bert"), ward.settings, {})
    ward.projects.create("told", "binary")
    notes = [f"Cough and fever for {i % 5} days, chest clear on day {i}." for i in range(30)]
    ward.cohorts.add("told", table("told/m.csv", note=notes))
    config = replace(CONFIG, modalities=("notes",), encoders={"notes": kept.name})
    given = ward.runs.recipe(run_of(ward, config, "told").id).as_dict()
    assert given["encoders"] == {"notes": {"name": kept.name, "sha256": kept.sha256}}
    given["encoders"]["notes"]["name"] = "theirs"
    path = tmp_path / "b.json"
    path.write_text(json.dumps(given), encoding="utf-8")

    assert ward.runs.plan_from_recipe("told", path).config == config


def test_only_fine_tuning_runs_have_a_recipe(ward, tmp_path):
    record = ward.projects.get("ill")
    run = ward.registry.create_run(record.id, None, "pretrain", {"name": "new"}, "embedded")
    ward.registry.cancel_run(run.id)

    with pytest.raises(InputError, match="no fine-tuning run"):
        ward.runs.recipe(run.id)
    with pytest.raises(NotFound, match="no file"):
        ward.runs.plan_from_recipe("ill", tmp_path / "nothing.json")
    with pytest.raises(NotFound, match="no folder"):
        ward.runs.recipe(run_of(ward).id, tmp_path / "nowhere" / "a.json")


def test_a_file_that_is_not_text_is_refused(ward, tmp_path):
    (tmp_path / "a.json").write_bytes(b"\xff\xfe\x00\x81")

    with pytest.raises(InputError, match="not a text file"):
        ward.runs.plan_from_recipe("ill", tmp_path / "a.json")


def test_the_command_line_writes_a_recipe_and_runs_it_with_changes(
    ward, run, tmp_path, monkeypatch
):
    monkeypatch.setattr("fmstudio.runs.start", lambda settings, registry, run_id: None)
    made, path = run_of(ward), tmp_path / "a.json"

    shown, written = run("run", "recipe", made.id), run("run", "recipe", made.id, path)
    words = ["--recipe", path, "--rank", 2, "--no-balance", "--detach", "--json"]
    again = run("finetune", "ill", *words)

    assert json.loads(shown.out) == json.loads(path.read_text(encoding="utf-8"))
    assert (written.status, again.status, again.err) == (0, 0, "")
    started = RunConfig.from_dict(ward.registry.run(json.loads(again.out)["run"]).config)
    assert started == replace(CONFIG, rank=2, balance=False, modalities=("ehr",))


def test_the_command_line_tells_remarks_and_refuses_what_does_not_fit(
    ward, run, tmp_path, monkeypatch
):
    monkeypatch.setattr("fmstudio.runs.start", lambda settings, registry, run_id: None)
    elsewhere = altered(ward, tmp_path, cohort="0" * 64)
    told = run("finetune", "ill", "--recipe", elsewhere, "--detach")
    settings = {**ward.runs.recipe(run_of(ward).id).as_dict()["settings"], "rank": 900}
    refused = run("finetune", "ill", "--recipe", altered(ward, tmp_path, settings=settings))

    assert told.status == 0
    assert told.err.startswith("remark: The recipe was made on other data")
    assert refused.status == 2
    assert refused.error == "b.json: settings.rank is 900, expected between 1 and 128."


@pytest.mark.parametrize(
    "content", ['{"a":' * 50_000, "[" * 50_000, "null", "3", '"x"', "[]", "{}"]
)
def test_json_that_is_no_recipe_is_refused_by_its_file(ward, tmp_path, content):
    path = tmp_path / "deep.json"
    path.write_text(content, encoding="utf-8")

    with pytest.raises(InputError, match=r"deep\.json is not a recipe") as refused:
        ward.runs.plan_from_recipe("ill", path)
    assert refused.value.hint
