"""What is deleted is gone: no byte of it is left in the home folder."""

from __future__ import annotations

import pytest

from fmstudio.errors import InputError, NotFound
from fmstudio.studio import deletion


def holding(home, *words):
    """The files below home in which one of the words stands, in any of its bytes or its name."""
    found = []
    for path in sorted(home.rglob("*")):
        content = path.read_bytes() if path.is_file() else b""
        name = path.relative_to(home).as_posix()
        found += [name for word in words if word.encode() in content or word in name]
    return found


@pytest.fixture
def cohort(studio, table):
    """A copied cohort of patients called after a bone, cleaned once."""
    studio.create_project("ill", "binary")
    names = [f"zygomatic{i}" for i in range(30)]
    path = table(patient_id=names, ward=["North"] * 15 + ["north"] * 15)
    studio.add_cohort("ill", path, copy=True, roles={"ward": "ehr"})
    return studio.mend_cohort("ill", "spelling")


def test_a_deleted_cohort_takes_all_that_it_was_cleaned_to(studio, cohort, home):
    assert holding(home, "zygomatic")

    deleted = studio.delete_cohort("ill")

    assert studio.cohorts("ill") == []
    assert holding(home, "zygomatic") == []
    assert list((home / "cohorts").iterdir()) == []
    assert deleted.what == cohort.name
    assert studio.audit()["whole"]


def test_a_cohort_of_another_table_stays(studio, cohort, table, home):
    other = studio.add_cohort("ill", table("other/manifest.csv"), copy=True)

    studio.delete_cohort(cohort.id)

    assert [one.id for one in studio.cohorts("ill")] == [other.id]
    assert len(studio.cases("ill")) == 30


def test_stored_predictions_for_its_cases_go_with_a_cohort(studio, adapter, table):
    studio.predict_manifest(adapter.id, table(), table().with_name("out.csv"))
    studio.predict(adapter.id, {"ehr": studio.cases("ill")[0].sources["ehr"]}, "another")
    studio.predict(adapter.id, {"ehr": studio.cases("ill")[0].sources["ehr"][:1]}, "somebody")

    studio.delete_cohort("ill")

    assert [one.case_id for one in studio.predictions()] == ["somebody"]


def test_what_is_used_is_not_deleted_and_the_reason_is_given(studio, adapter):  # abuse row 29
    run = studio.registry.create_run(adapter.project_id, studio.cohort("ill").id, "finetune", {},
                                     "embedded")  # fmt: skip
    with pytest.raises(InputError, match=run.id):
        studio.registry.delete_cohorts(adapter.project_id, [run.cohort_id], lambda one: False)
    studio.registry.cancel_run(run.id)

    with deletion.answering(studio.settings, adapter.id):
        for delete in (studio.delete_adapter, lambda _: studio.delete_project("ill")):
            with pytest.raises(InputError, match="is answering"):
                delete(adapter.id)
    studio.delete_adapter(adapter.id)
    with pytest.raises(NotFound):
        studio.adapter(adapter.id)


def test_the_command_line_deletes_only_when_it_is_sure(studio, adapter, run):
    number = str(studio.cohort("ill").id)
    for words in (("cohort", "delete", number), ("adapter", "delete", adapter.id)):
        assert "was not deleted" in run(*words).error
        said = run(*words, "--yes")
        assert said.status == 0
        assert "Deleted the" in said.out
    assert studio.cohorts("ill") == []
    assert studio.adapters() == []
