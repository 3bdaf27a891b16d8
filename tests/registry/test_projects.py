import pytest

from fmstudio.errors import InputError, NotFound
from fmstudio.types import TaskSpec


def test_a_project_comes_back_as_it_was_made(registry, project):
    again = registry.project("Sepsis")

    assert again == project == registry.project(project.id) == registry.project(str(project.id))
    assert again.task.labels == ("no", "yes")
    assert again.created_at.utcoffset().total_seconds() == 0


def test_a_name_that_looks_like_a_number_is_still_a_name(registry, project):
    named = registry.create_project(str(project.id), TaskSpec("regression"))

    assert registry.project(str(project.id)) == named
    assert registry.project(project.id) == project


def test_two_projects_cannot_share_a_name(registry, project):
    with pytest.raises(InputError, match="already a project 'Sepsis'"):
        registry.create_project(" Sepsis ", TaskSpec("binary"))


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 121])
def test_a_name_that_cannot_be_shown_is_refused(registry, name):
    with pytest.raises(InputError, match="cannot be called"):
        registry.create_project(name, TaskSpec("binary"))
    assert registry.projects() == []


def test_an_unknown_project_is_answered_with_those_there_are(registry, project):
    with pytest.raises(NotFound) as caught:
        registry.project("Sepsys")
    assert "Sepsys" in caught.value.message
    assert "Sepsis" in caught.value.hint


def test_the_task_follows_the_labels_of_the_cohort(registry, project):
    task = TaskSpec("multiclass", ("grade",), ("1", "2", "3"))

    assert registry.update_project_task(project.id, task).task == task
    assert registry.project("Sepsis").task == task


def test_a_manifest_below_home_is_kept_relative_so_that_the_home_can_be_moved(registry, project):
    inside = registry.home / "cohorts" / "a1" / "manifest.csv"

    kept = registry.add_cohort(project.id, "uploaded", inside, {}, "0" * 64, {})
    outside = registry.add_cohort(project.id, "elsewhere", "/data/m.csv", {}, "0" * 64, {})

    assert registry.cohort(kept.id).manifest == "cohorts/a1/manifest.csv"
    assert registry.cohort(outside.id).manifest == "/data/m.csv"
    assert [c.name for c in registry.cohorts(project.id)] == ["elsewhere", "uploaded"]


def test_deleting_a_project_takes_its_rows_along_and_leaves_the_log(registry, project, run):
    registry.claim_next_run()
    registry.attach_worker(run.id, 1, 0.0)
    adapter = registry.new_adapter_id()
    registry.finish_run(run.id, {}, adapter, "first", {})
    registry.add_prediction(adapter, "case 1", {"film": ["a" * 64]}, {"value": 1.0})
    other = registry.create_project("Other", TaskSpec("binary"))

    registry.delete_project(project.id)

    assert registry.projects() == [other]
    assert (registry.runs(), registry.adapters(), registry.predictions()) == ([], [], [])
    assert registry.cohorts(project.id) == []
    kinds = [event.kind for event in registry.events()]
    assert kinds[:3] == ["project deleted", "run deleted", "adapter deleted"]
    assert "run created" in kinds
    assert registry.verify_chain() == (True, None)


def test_a_project_with_a_live_run_is_not_deleted(registry, project, run):
    with pytest.raises(InputError, match=run.id):
        registry.delete_project(project.id)

    registry.cancel_run(run.id)
    registry.delete_project(project.id)
    assert registry.projects() == []


def test_the_id_of_a_deleted_project_is_never_given_again(registry, project):
    registry.delete_project(project.id)

    assert registry.create_project("Next", TaskSpec("binary")).id > project.id


def test_roles_keep_the_order_of_the_columns(registry, project):
    roles = {"zeta": "ehr", "outcome": "label", "alpha": "ehr"}

    kept = registry.add_cohort(project.id, "2024", "/data/m.csv", roles, "0" * 64, {})

    assert list(registry.cohort(kept.id).roles) == ["zeta", "outcome", "alpha"]
