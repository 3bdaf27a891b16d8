"""What logs leave open is asked once for a cohort, and every later reading knows the answer."""

from __future__ import annotations

import json

import numpy as np
import pytest

from fmstudio.errors import InputError, UnreadableFile
from fmstudio.features.keys import source_key
from fmstudio.run_config import RunConfig
from fmstudio.studio import cohort_cases
from fmstudio.studio.predictions import named
from fmstudio.types import Source

ROWS = 30
SAMPLES = 40


def logs(folder, header="sample,ecg", broken=()):
    """Names of 30 logs whose first column numbers the samples; those of `broken` are PDFs."""
    folder.mkdir(exist_ok=True, parents=True)
    draw = np.random.default_rng(4)
    for n in range(ROWS):
        rows = "\n".join(f"{i},{draw.normal():.3f}" for i in range(SAMPLES))
        text = "%PDF-1.4\n%%EOF" if n in broken else f"{header}\n{rows}\n"
        (folder / f"log{n}.csv").write_text(text)
    return [f"log{n}.csv" for n in range(ROWS)]


@pytest.fixture
def ward(studio, table, tmp_path):
    """A project whose logs do not say how fast they were sampled."""
    path = table(log=logs(tmp_path / "cases"))
    studio.projects.create("ill", "binary")
    studio.cohorts.add("ill", path)
    return path


def findings(report, kind="open_question"):
    return [one for one in report["findings"] if one["kind"] == kind]


def step(studio, given):
    """Seconds between the first two samples of what a case gives."""
    at = studio.context.reader().read("device_logs", given).facts["seconds"]
    return at[1] - at[0]


def test_a_cohort_of_logs_without_times_asks_at_import_and_is_not_learned_from(studio, ward):
    (finding,) = findings(studio.cohorts.newest("ill").summary)

    assert finding["severity"] == "stop"
    assert finding["rows"] == list(range(ROWS))
    assert "30 of 30 cases" in finding["message"]
    assert "log0.csv has no time column" in finding["message"]
    assert "--log-rate HZ" in finding["fix"]
    assert [one["key"] for one in finding["asks"]] == ["log_time", "log_rate"]
    assert finding["asks"][0]["choices"] == ["sample:samples"]
    with pytest.raises(InputError, match="before a question is answered"):
        studio.runs.start("ill", RunConfig.from_preset("quick"))
    assert findings(studio.cohorts.newest("ill").summary, "unreadable") == []


def test_one_answer_is_kept_with_the_cohort_and_every_file_is_read_with_it(studio, ward):
    before = studio.cohorts.newest("ill")
    after = studio.cohorts.answer_questions("ill", {"log_rate": "250 Hz"}, by="Dr Ada")

    assert findings(after.summary) == []
    (said,) = findings(after.summary, "answered")
    assert "250 (Dr Ada, " in said["message"]
    assert after.fingerprint != before.fingerprint
    cohort_cases.check_ready(after, ["device_logs"])
    cohort = cohort_cases.load(studio.settings, studio.projects.get("ill"), after)
    assert cohort.answers == {"log_rate": "250"}
    assert all(
        step(studio, case.sources["device_logs"]) == pytest.approx(0.004)
        for case in cohort.cases[:2]
    )
    assert studio.cohorts.undo_cleaning("ill").fingerprint == before.fingerprint


def test_an_answer_that_settles_nothing_or_cannot_be_one_changes_nothing(studio, ward):
    before = studio.cohorts.newest("ill")
    for answers, said in (
        ({"log_time": "when:ms"}, "No more files can be read"),
        ({"log_rate": "fast"}, "'fast' is no sampling rate"),
        ({"log_colour": "red"}, "asks for 'log_colour'"),
        ({}, "Nothing was answered"),
    ):
        with pytest.raises(InputError, match=said):
            studio.cohorts.answer_questions("ill", answers)
    assert studio.cohorts.newest("ill") == before
    assert list((studio.settings.home / "cohorts").iterdir()) == []


def test_a_unit_that_was_assumed_is_asked_for_and_does_not_stop_anyone(studio, table, tmp_path):
    path = table(log=logs(tmp_path / "cases", "time,ecg"))
    studio.projects.create("ill", "binary")
    (finding,) = findings(studio.cohorts.add("ill", path).summary)

    assert finding["severity"] == "warning"
    assert finding["asks"][0]["choices"] == ["time:s", "time:ms", "time:min"]
    assert findings(studio.cohorts.answer_questions("ill", {"log_time": "time:ms"}).summary) == []
    case = studio.cohorts.cases("ill")[0]
    assert step(studio, case.sources["device_logs"]) == pytest.approx(0.001)


@pytest.mark.parametrize("copy", [True, False])
def test_an_answer_given_with_the_table_is_never_asked_for(run, studio, table, tmp_path, copy):
    path = table(log=logs(tmp_path / "cases"))
    run("project", "create", "ill", "--task", "binary")
    words = ["cohort", "add", "ill", path, "--log-rate", "100", *(["--copy"] if copy else [])]
    added = json.loads(run(*words, "--json").out)

    assert findings(added["summary"]) == []
    case = studio.cohorts.cases("ill")[3]
    assert step(studio, case.sources["device_logs"]) == pytest.approx(0.01)
    inside = case.sources["device_logs"][0].path.is_relative_to(studio.settings.home)
    assert inside == copy


def test_the_command_line_asks_and_takes_the_answer(run, ward):
    asked = run("cohort", "report", "ill", "--quick").out
    assert "--log-rate HZ: How many rows a second do the logs have?" in asked
    assert "Likely: sample:samples." in asked
    answered = run("cohort", "answer", "ill", "--log-rate", "50", "--by", "Dr Ada")

    assert answered.status == 0
    assert "Answered for all files: 50 (Dr Ada, " in answered.out
    assert run("cohort", "answer", "ill").error == "Nothing was answered."


def test_a_new_case_is_read_as_was_said_of_the_training_cohort(
    studio, adapter, tmp_path, monkeypatch
):
    logs(tmp_path / "new")
    given = [Source("log", path=tmp_path / "new" / "log0.csv")]
    with pytest.raises(UnreadableFile, match="no time column"):
        studio.context.reader().read("device_logs", given)
    adapter.card["answers"] = {"log_rate": "20"}

    assert step(studio, named("device_logs", given, adapter)) == pytest.approx(0.05)
    own = [Source("log", path=given[0].path, answers=(("log_rate", "10"),))]
    assert step(studio, named("device_logs", own, adapter)) == pytest.approx(0.1)
    monkeypatch.setattr(studio.adapters, "get", lambda ref: adapter)
    assert studio.predictions.preview("device_logs", given, adapter.id).table[1][0] == "ecg"


def test_a_table_to_predict_is_read_as_was_said_of_the_training_cohort(
    studio, adapter, table, tmp_path
):
    path = table("new/manifest.csv", log=logs(tmp_path / "new"))
    adapter.card["answers"] = {"log_rate": "20"}
    cohort, _ = cohort_cases.read_cases(studio, adapter, path, require_label=False)

    assert step(studio, cohort.cases[0].sources["device_logs"]) == pytest.approx(0.05)


def test_a_recipe_brings_the_answer_along_and_says_where_another_was_given(studio, ward):
    answered = studio.cohorts.answer_questions("ill", {"log_rate": "250"})
    config = RunConfig.from_preset("quick")
    run = studio.registry.create_run(
        answered.project_id, answered.id, "finetune", config.as_dict(), config.base
    )
    recipe = studio.runs.recipe(run.id, ward.parent / "a.json")
    assert recipe.answers == {"log_rate": "250"}
    studio.cohorts.answer_questions("ill", {"log_rate": "125"})

    said = studio.runs.plan_from_recipe("ill", ward.parent / "a.json").remarks
    assert any("read with log_rate 250; those of" in remark for remark in said)


def test_what_was_prepared_before_an_answer_is_not_taken_for_what_is_read_after_it(tmp_path):
    logs(tmp_path)
    path = tmp_path / "log0.csv"
    keys = {
        source_key("device_logs", [Source("log", path=path, answers=answers)])
        for answers in ((), (("log_rate", "20"),), (("log_rate", "25"),))
    }
    assert len(keys) == 3


def test_files_that_mostly_cannot_be_read_stop_at_import_with_reason_and_way_out(
    studio, table, tmp_path
):
    path = table(log=logs(tmp_path / "cases", "time_s,ecg", broken=range(20)))
    studio.projects.create("ill", "binary")
    record = studio.cohorts.add("ill", path)
    (finding,) = findings(record.summary, "unreadable")

    assert finding["severity"] == "stop"
    assert "Device logs: 20 of 30 cases cannot be read" in finding["message"]
    assert "20 like this: log0.csv" in finding["message"]
    assert "log1.csv" not in finding["message"]
    assert finding["fix"].endswith("Or go on without these files.")
    with pytest.raises(InputError, match="20 of 30 cases cannot be read"):
        studio.runs.start("ill", RunConfig.from_preset("quick"))
    accepted = studio.cohorts.clean("ill", finding["id"], 1)
    cohort_cases.check_ready(accepted, ["device_logs"])
