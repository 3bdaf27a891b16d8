"""What is deleted is gone: no byte of it is left in the home folder."""

from __future__ import annotations

import json
import logging

import pytest

from fmstudio.errors import InputError, NotFound
from fmstudio.features.inputs import Preparation
from fmstudio.registry.backups import back_up
from fmstudio.registry.faults import FILE
from fmstudio.studio import deletion
from fmstudio.studio.sample import ANSWERS, BUNDLE
from tests.studio.planted import FILES, holding, plant, words_of


@pytest.fixture
def cohort(studio, table):
    """A copied cohort of patients called after a bone, cleaned once."""
    studio.projects.create("ill", "binary")
    names = [f"zygomatic{i}" for i in range(30)]
    path = table(patient_id=names, ward=["North"] * 15 + ["north"] * 15)
    studio.cohorts.add("ill", path, copy=True, roles={"ward": "ehr"})
    return studio.cohorts.clean("ill", "spelling")


def test_a_deleted_cohort_takes_all_that_it_was_cleaned_to(studio, cohort, home):
    assert holding(home, "zygomatic")

    deleted = studio.cohorts.delete("ill")

    assert studio.cohorts.list("ill") == []
    assert holding(home, "zygomatic") == []
    assert list((home / "cohorts").iterdir()) == []
    assert deleted.what == cohort.name
    assert studio.audit()["whole"]


def test_a_cohort_of_another_table_stays(studio, cohort, table, home):
    other = studio.cohorts.add("ill", table("other/manifest.csv"), copy=True)

    studio.cohorts.delete(cohort.id)

    assert [one.id for one in studio.cohorts.list("ill")] == [other.id]
    assert len(studio.cohorts.cases("ill")) == 30


def test_stored_predictions_for_its_cases_go_with_a_cohort(studio, adapter, table):
    studio.predictions.predict_manifest(adapter.id, table(), table().with_name("out.csv"))
    studio.predictions.predict(
        adapter.id, {"ehr": studio.cohorts.cases("ill")[0].sources["ehr"]}, "another"
    )
    studio.predictions.predict(
        adapter.id, {"ehr": studio.cohorts.cases("ill")[0].sources["ehr"][:1]}, "somebody"
    )

    studio.cohorts.delete("ill")

    assert [one.case_id for one in studio.predictions.list()] == ["somebody"]


def test_what_is_used_is_not_deleted_and_the_reason_is_given(studio, adapter):
    run = studio.registry.create_run(
        adapter.project_id, studio.cohorts.newest("ill").id, "finetune", {}, "embedded"
    )
    with pytest.raises(InputError, match=run.id):
        studio.registry.delete_cohorts(adapter.project_id, [run.cohort_id], lambda one: False)
    studio.registry.cancel_run(run.id)

    with deletion.answering(studio.settings, adapter.id):
        for delete in (studio.adapters.delete, lambda _: studio.projects.delete("ill")):
            with pytest.raises(InputError, match="is answering or being evaluated"):
                delete(adapter.id)
    studio.adapters.delete(adapter.id)
    with pytest.raises(NotFound):
        studio.adapters.get(adapter.id)


def test_the_command_line_deletes_only_when_it_is_sure(studio, adapter, run):
    number = str(studio.cohorts.newest("ill").id)
    removed = run("cohort", "remove-patient", "ill", "p7", "--yes", "--json")
    assert json.loads(removed.out)["what"] == "p7"
    for words in (("cohort", "delete", number), ("adapter", "delete", adapter.id)):
        assert "was not deleted" in run(*words).error
        said = run(*words, "--yes")
        assert said.status == 0
        assert "Deleted the" in said.out
    assert studio.cohorts.list("ill") == []
    assert studio.adapters.list() == []


def test_a_patient_is_removed_and_all_others_stay_what_they_were(studio, cohort, home):
    before = {case.case_id: case.split for case in studio.cohorts.cases("ill")}

    removed = studio.cohorts.remove_patient("ill", "zygomatic7")

    after = {case.case_id: case.split for case in studio.cohorts.cases("ill")}
    assert after == {name: split for name, split in before.items() if name != "c7"}
    assert holding(home, "zygomatic7") == []
    assert removed.adapters == ()
    assert len(studio.cohorts.list("ill")) == 2
    studio.cohorts.undo_cleaning("ill")
    assert {case.case_id for case in studio.cohorts.cases("ill")} == set(after)
    with pytest.raises(NotFound, match="zygomatic7"):
        studio.cohorts.remove_patient("ill", "zygomatic7")


def test_a_table_that_was_not_copied_stays_and_its_rows_are_left_out(studio, table, home):
    studio.projects.create("ill", "binary")
    path = table()
    studio.cohorts.add("ill", path)
    content = path.read_bytes()

    removed = studio.cohorts.remove_patient("ill", "p7")

    assert path.read_bytes() == content
    assert "still name the patient" in removed.remarks[0]
    assert "c7" not in {case.case_id for case in studio.cohorts.cases("ill")}


@pytest.fixture
def logged(home):
    """All that is logged, kept in the home folder as the app does."""
    (home / "logs").mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(home / "logs" / "studio.log")
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)
    handler.close()


def learned(studio, cohort, card):
    """An adapter that a run on the cohort has made, with its answers to held-out cases."""
    answers = json.loads(ANSWERS.read_text(encoding="utf-8"))
    ids = [case.case_id for case in studio.cohorts.cases(cohort.project_id)]
    for part in ("test", "validation"):
        answers[part]["case_ids"] = (ids * 9)[: len(answers[part]["case_ids"])]
    run = studio.registry.create_run(cohort.project_id, cohort.id, "finetune", {}, "embedded")
    studio.registry.attach_worker(run.id, 7, 1.0)
    made = studio.registry.new_adapter_id()
    studio.registry.finish_run(run.id, {}, made, "trained", card, answers)
    return made


def test_of_a_patient_a_cohort_and_a_project_that_are_deleted_no_byte_stays(
    studio, home, logged, tmp_path
):
    """Words in every place that can hold one, searched for in every byte of the home folder."""
    patients = {"anna": 0, "bert": 10}
    studio.projects.create("projectquux", "binary", "label_deterioration")
    cohort = studio.cohorts.add(
        "projectquux",
        plant(tmp_path / "cases", patients, 24),
        {"site": "group"},
        "cohortquux",
        copy=True,
    )
    asked = studio.adapters.import_bundle(BUNDLE, "projectquux")
    trained = learned(studio, cohort, asked.card)
    cohort = studio.cohorts.confirm_identifiers("projectquux", "Ada")
    both = [case for case in studio.cohorts.cases("projectquux") if len(case.sources) > 1]
    ready = Preparation(studio.context.reader(), studio.settings)
    for modality in both[0].sources:
        assert len(list(ready.inputs(modality, both, keep=True))) == len(both)
    del ready
    for case in both:
        studio.predictions.predict(asked.id, case.sources, case.case_id)
        studio.predictions.preview("notes", case.sources["notes"])
    back_up(home / FILE)
    anna, bert = (list(words_of(name).values()) for name in patients)
    for place in ("case", "patient", "site", "note", "channel", *FILES):
        assert holding(home, words_of("anna")[place]), place

    removed = studio.cohorts.remove_patient(cohort.id, words_of("anna")["patient"])
    assert holding(home, *anna) == []
    assert holding(home, *bert)
    assert [one.case_id for one in studio.predictions.list()] == [words_of("bert")["case"]]
    assert removed.adapters in ((), (trained,))
    kept = studio.registry.held_out(trained)["test"]["case_ids"]
    assert kept
    assert words_of("anna")["case"] not in kept

    deleted = studio.cohorts.delete(cohort.id)
    assert deleted.adapters == (trained,)
    assert holding(home, *anna, *bert, "cohortquux") == []

    studio.projects.delete("projectquux")
    assert holding(home, "quux") == []
    assert studio.audit()["whole"]
