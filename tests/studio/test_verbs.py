"""The studio's verbs on projects, cohorts, runs, the sample and itself."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sqlalchemy import func, select

from fmstudio.adapters.readout import Readout
from fmstudio.errors import InputError, NotFound, ResourceError, RunFailed, StudioError
from fmstudio.evaluation.conformal import fit_conformal
from fmstudio.evaluation.labelled_predictions import HeldOut, LabelledPredictions
from fmstudio.records import Progress
from fmstudio.registry.tables import HeldOut as KeptAnswers
from fmstudio.run_config import RunConfig
from fmstudio.studio import Studio, sample, starting
from fmstudio.types import Source


def test_the_first_cohort_fixes_what_a_project_predicts(studio, table):
    studio.projects.create("ill", "binary")
    record = studio.cohorts.add("ill", table(label_ill=["sick", "well", "well"] * 10))
    task = studio.projects.get("ill").task
    assert task.columns == ("label_ill",)
    assert set(task.labels) == {"sick", "well"}
    assert studio.cohorts.newest("ill") == record
    assert record.roles["age"] == "ehr"
    assert len(studio.cohorts.cases("ill")) == 30


def test_a_later_cohort_must_have_the_same_label_column(studio, table):
    studio.projects.create("ill", "binary")
    studio.cohorts.add("ill", table())
    other = table("other/manifest.csv", label_ill=None, label_dead=[0, 1] * 15)
    with pytest.raises(InputError, match="label_ill"):
        studio.cohorts.add("ill", other)
    assert studio.cohorts.newest("ill").name == "cases"


def test_a_given_role_wins_over_the_proposed_one(studio, table):
    studio.projects.create("ill", "binary")
    path = table(died=[0, 1] * 15)
    record = studio.cohorts.add("ill", path, roles={"died": "label", "label_ill": "ignore"})
    assert studio.projects.get("ill").task.columns == ("died",)
    assert record.roles["label_ill"] == "ignore"


def test_a_cohort_that_is_refused_leaves_no_trace(studio, table, home):
    studio.projects.create("ill", "binary")
    before = studio.projects.get("ill"), len(studio.audit()["events"])
    with pytest.raises(InputError):
        studio.cohorts.add("ill", table(rows=12), copy=True)
    assert (studio.projects.get("ill"), len(studio.audit()["events"])) == before
    assert studio.cohorts.newest("ill") is None
    assert not list(home.glob("cohorts/*"))


def test_a_cohort_that_cannot_be_registered_leaves_labels_and_files_as_they_were(
    studio, table, home, monkeypatch
):
    studio.projects.create("ill", "binary")
    task = studio.projects.get("ill").task

    def full(*_args):
        raise ResourceError("The disk is full.", hint="Free some space.")

    monkeypatch.setattr(studio.registry, "add_cohort", full)
    with pytest.raises(ResourceError):
        studio.cohorts.add("ill", table(), copy=True)
    assert studio.projects.get("ill").task == task
    assert not list(home.glob("cohorts/*"))


def test_an_uploaded_cohort_outlives_the_folder_it_came_in(studio, table, home):
    studio.projects.create("ill", "binary")
    path = table()
    record = studio.cohorts.add("ill", path, copy=True)
    path.unlink()
    assert len(studio.cohorts.cases("ill")) == 30
    assert not record.manifest.startswith("/")
    studio.projects.delete("ill")
    assert not list(home.glob("cohorts/*"))


def test_deleting_a_project_leaves_files_that_were_not_copied(studio, table):
    studio.projects.create("ill", "binary")
    path = table()
    studio.cohorts.add("ill", path)
    studio.projects.delete("ill")
    assert path.is_file()
    assert studio.projects.list() == []


def test_cases_of_a_manifest_that_changed_are_refused(studio, table):
    studio.projects.create("ill", "binary")
    studio.cohorts.add("ill", table())
    table(age=[1] * 29 + [2])
    with pytest.raises(InputError, match="changed since"):
        studio.cohorts.cases("ill")


@pytest.mark.parametrize(
    ("kind", "more", "named"),
    [
        ("binry", {}, "binry"),
        ("multiclass", {"positive": "yes"}, "yes"),
        ("regression", {"label": ["a", "b"]}, "a, b"),
    ],
)
def test_a_task_that_does_not_fit_together_is_refused(studio, kind, more, named):
    with pytest.raises(InputError, match=named):
        studio.projects.create("ill", kind, **more)
    assert studio.projects.list() == []


def test_a_run_needs_a_cohort_a_known_base_and_modalities_that_are_there(studio, table):
    studio.projects.create("ill", "binary")
    with pytest.raises(NotFound, match="no cohort"):
        studio.runs.start("ill", RunConfig())
    studio.cohorts.add("ill", table())
    with pytest.raises(NotFound, match="no base 'nosuch'"):
        studio.runs.start("ill", RunConfig(base="nosuch"))
    with pytest.raises(InputError, match="'video'"):
        studio.runs.start("ill", RunConfig(modalities=("video",)))
    assert studio.runs.list() == []


def test_groups_are_balanced_by_a_group_column_of_the_cohort_alone(studio, table):
    studio.projects.create("ill", "binary")
    assert studio.cohorts.group_columns("ill") == []
    studio.cohorts.add("ill", table(site=["A", "B"] * 15))
    assert studio.cohorts.group_columns("ill") == ["site"]
    with pytest.raises(InputError, match="no group column 'age'") as caught:
        studio.runs.start("ill", RunConfig(balance_by="age"))
    assert "Its group columns: site." in caught.value.hint
    assert studio.runs.list() == []


def test_a_run_is_refused_while_a_finding_must_be_mended(studio, table, tmp_path):
    studio.projects.create("ill", "binary")
    for i in range(30):
        (tmp_path / "cases" / "films").mkdir(parents=True, exist_ok=True)
        (tmp_path / "cases" / "films" / f"{i}.png").write_bytes(b"no picture at all")
    studio.cohorts.add("ill", table(film=[f"films/{i}.png" for i in range(30)]))
    with pytest.raises(InputError, match="cannot be read"):
        studio.runs.start("ill", RunConfig())
    assert studio.runs.list() == []


def test_waiting_ends_with_the_reason_why_a_run_failed(studio, table, monkeypatch):
    studio.projects.create("ill", "binary")
    cohort = studio.cohorts.add("ill", table())
    project = studio.projects.get("ill").id
    run = studio.registry.create_run(project, cohort.id, "finetune", {}, "embedded")
    ends = iter(
        [
            run,
            replace(run, status="running", progress=Progress("Reading", 0.5)),
            replace(run, status="failed", error="The disk is full.", hint="Free it."),
        ]
    )
    seen = []
    monkeypatch.setattr("fmstudio.studio.runs.Runs.get", lambda self, ref: next(ends))
    monkeypatch.setattr("fmstudio.studio.waiting.POLL_SECONDS", 0)
    with pytest.raises(RunFailed, match="disk is full") as caught:
        studio.runs.wait(run.id, seen.append)
    assert caught.value.hint == "Free it."
    assert [one.status for one in seen] == ["waiting", "running"]


def test_a_prediction_leaves_hashes_and_figures_in_the_registry_and_no_content(
    studio, adapter, home
):
    age = Source("age", text="63.077")
    studio.predictions.predict(adapter.id, {"ehr": [age]}, "c7")
    (kept,) = studio.predictions.list(adapter.id)
    assert kept.case_id == "c7"
    assert all(len(one) == 64 for one in kept.inputs["ehr"])
    assert b"63.077" not in (home / "registry.sqlite").read_bytes()
    assert "Read with care" not in json.dumps(dict(kept.output))


def test_nothing_is_predicted_from_nothing_or_an_unknown_modality(studio, adapter):
    with pytest.raises(InputError, match="Nothing was given"):
        studio.predictions.predict(adapter.id, {"ehr": []})
    with pytest.raises(NotFound, match="smell"):
        studio.predictions.predict(adapter.id, {"smell": [Source("a", text="b")]})


def test_a_file_given_without_its_column_bears_the_only_one_that_the_adapter_knows(
    studio, adapter, tmp_path
):
    from fmstudio.studio.predictions import named

    sound = Source("recording", path=tmp_path / "a.wav")
    known = replace(adapter, card={**adapter.card, "columns": {"audio": ["heart"]}})
    assert [s.name for s in named("audio", [sound], known)] == ["heart"]
    several = replace(adapter, card={**adapter.card, "columns": {"audio": ["left", "right"]}})
    assert named("audio", [sound], several) == (sound,)
    assert named("audio", [sound], adapter) == (sound,)


def calibrated(studio, monkeypatch):
    """Stands for what a judgement reads of an adapter's files."""
    chances, truth = np.linspace(0.01, 0.99, 40), np.tile([0.0, 1.0], 20)
    fitted = fit_conformal(studio.projects.get("ill").task, chances, truth)
    contents = SimpleNamespace(readout=Readout(conformal=fitted))
    monkeypatch.setattr(studio.adapters, "contents", lambda adapter: contents)


def by_age(predictor, cohort, cache=None):
    """What `judge` gives where the probability is the age in hundreds."""
    parts = {}
    for split in ("validation", "test"):
        cases = cohort.split(split)
        ages = [next(float(s.text) for s in c.sources["ehr"] if s.name == "age") for c in cases]
        parts[split] = LabelledPredictions.of(
            cases, np.array(ages) / 100, np.ones((len(cases), 1), bool)
        )
    before = parts["validation"] if len(parts["validation"]) else None
    return HeldOut(cohort.task, ("ehr",), parts["test"], before)


def judged_adapter(studio, adapter, table, monkeypatch, **columns):
    """The adapter as made from the project's cohort, so that its held-out patients are known."""
    record = studio.cohorts.add("ill", table("own/manifest.csv", 120, **columns))
    card = {**adapter.card, "fingerprint": record.fingerprint}
    project = studio.projects.get("ill").id
    made = studio.registry.add_adapter(
        studio.registry.new_adapter_id(), project, None, "judged", card
    )
    calibrated(studio, monkeypatch)
    monkeypatch.setattr("fmstudio.prediction.for_evaluation.judge", by_age)
    return made


def test_an_adapter_is_asked_once_about_its_held_out_patients_and_judged_from_what_is_kept(
    studio, adapter, table, monkeypatch
):
    made = judged_adapter(studio, adapter, table, monkeypatch)
    first = studio.evaluation.evaluate(made.id)
    monkeypatch.setattr("fmstudio.prediction.for_evaluation.judge", None)
    studio.evaluation._evaluations.clear()

    assert studio.evaluation.evaluate(made.id) == first
    assert first.n == len(studio.evaluation.held_out(made.id).test) > 10
    assert studio.evaluation.held_out(made.id).validation is not None
    kept = json.dumps(studio.registry.held_out(made.id))
    assert "patient_id" not in kept
    assert '"p1"' not in kept


def test_what_is_being_evaluated_is_not_deleted_until_that_is_over(
    studio, adapter, table, monkeypatch
):
    made = judged_adapter(studio, adapter, table, monkeypatch)
    tried = []

    def evaluated(*given):
        deletes = (
            lambda: studio.adapters.delete(made.id),
            lambda: studio.cohorts.delete("ill"),
            lambda: studio.projects.delete("ill"),
        )
        for delete in deletes:
            with pytest.raises(InputError, match=f"{made.id} is answering or being evaluated"):
                delete()
            tried.append(delete)
        return by_age(*given)

    monkeypatch.setattr("fmstudio.prediction.for_evaluation.judge", evaluated)
    studio.evaluation.evaluate(made.id)
    studio.evaluation.evaluate(made.id, table("new/manifest.csv", 40))

    assert len(tried) == 6
    studio.projects.delete("ill")
    assert studio.registry.counts()["adapters"] == 0
    assert list((studio.settings.home / "temp").iterdir()) == []


def test_an_evaluation_whose_adapter_is_gone_says_so_and_leaves_no_row(
    studio, adapter, table, monkeypatch
):
    made = judged_adapter(studio, adapter, table, monkeypatch)

    def deleted_meanwhile(*given):
        studio.registry.delete_adapter(made.id)
        return by_age(*given)

    monkeypatch.setattr("fmstudio.prediction.for_evaluation.judge", deleted_meanwhile)
    with pytest.raises(NotFound, match=made.id):
        studio.evaluation.evaluate(made.id)

    with studio.registry.reading() as session:
        assert session.scalar(select(func.count()).select_from(KeptAnswers)) == 0
    assert made.id not in studio.evaluation._evaluations


def test_sliders_recompute_from_what_is_kept(studio, adapter, table, monkeypatch):
    made = judged_adapter(studio, adapter, table, monkeypatch)
    threshold = studio.evaluation.threshold_for(made.id, "sensitivity", 0.9)
    here, there = (studio.evaluation.at_threshold(made.id, threshold, p) for p in (None, 0.02))

    assert here.sensitivity == there.sensitivity
    assert there.ppv.value < here.ppv.value
    assert there.prevalence == 0.02
    assert studio.evaluation.decision_curve(made.id, 0.02).prevalence == 0.02
    assert studio.evaluation.triage(made.id, 0.5, 0.5).rule_in.target == 0.5
    with pytest.raises(InputError, match="no question 'other'"):
        studio.evaluation.at_threshold(made.id, 0.5, label="other")


def test_adapters_are_compared_on_the_same_cases(studio, adapter, table, monkeypatch):
    one = judged_adapter(studio, adapter, table, monkeypatch)
    two = judged_adapter(studio, adapter, table, monkeypatch)
    found = studio.evaluation.compare([one.id, two.id])

    assert found["adapters"][1]["differences"]["auroc"] == {"value": 0, "low": 0, "high": 0}
    assert found["adapters"][1]["verdict"] == "no evidence"
    assert len(studio.evaluation.compare([one.id, one.id])["adapters"]) == 1
    other = [f"x{i}" for i in range(120)]
    strange = judged_adapter(studio, adapter, table, monkeypatch, case_id=other)
    with pytest.raises(InputError, match="not evaluated on the same patients"):
        studio.evaluation.compare([one.id, strange.id])


def test_evaluation_takes_all_cases_of_another_manifest_and_needs_their_label(
    studio, adapter, table, monkeypatch
):
    calibrated(studio, monkeypatch)
    monkeypatch.setattr("fmstudio.prediction.for_evaluation.judge", by_age)
    found = studio.evaluation.evaluate(adapter.id, table("new/manifest.csv"))
    assert found.n == 30
    with pytest.raises(InputError, match="label_ill"):
        studio.evaluation.evaluate(adapter.id, table("bare/manifest.csv", label_ill=None))
    with pytest.raises(NotFound, match="imported"):
        studio.evaluation.evaluate(adapter.id)


def test_a_sample_without_its_files_says_so_and_makes_nothing(studio, monkeypatch, tmp_path):
    monkeypatch.setattr(sample, "MANIFEST", Path(__file__))
    monkeypatch.setattr(sample, "BUNDLE", tmp_path / "sample_adapter.zip")
    with pytest.raises(NotFound, match=r"sample_adapter\.zip"):
        studio.demo()
    assert studio.projects.list() == []
    assert studio.sample() is None


def test_the_samples_adapter_comes_with_what_it_answered_to_those_it_was_judged_on(studio):
    studio.demo()
    shown = studio.sample()
    assert shown is not None

    found = studio.evaluation.evaluate(shown.adapter)

    card = studio.adapters.get(shown.adapter).card
    assert found.n == card["n"]["test"]
    stated = card["metrics"]["auroc"]["value"]
    assert found.metrics["auroc"].value == pytest.approx(stated, abs=1e-4)


def test_the_first_start_goes_on_after_a_fault_and_a_deleted_sample_stays_deleted(
    studio, monkeypatch, caplog
):
    asked = threading.Event()

    def demo(self):
        asked.set()
        raise StudioError("The sample is missing.", hint="Clone again.")

    monkeypatch.setattr(Studio, "demo", demo)
    starting.first_start(studio).join(120)
    assert asked.is_set()
    assert studio.ready
    assert "The sample is missing." in caplog.text
    asked.clear()
    studio.projects.create("mine", "binary")
    starting.first_start(studio).join(120)
    assert not asked.is_set()


def test_the_audit_shows_every_event_and_a_change_by_hand(studio):
    import sqlite3

    studio.projects.create("ill", "binary")
    studio.projects.create("well", "binary")
    found = studio.audit()
    assert (found["whole"], [e.kind for e in found["events"]]) == (True, ["project created"] * 2)
    with sqlite3.connect(studio.settings.home / "registry.sqlite") as file:
        for trigger in file.execute("SELECT name FROM sqlite_master WHERE type='trigger'"):
            file.execute(f"DROP TRIGGER {trigger[0]}")
        file.execute("UPDATE events SET subject = 'project 9' WHERE id = 1")
    file.close()
    assert studio.audit()["whole"] is False
