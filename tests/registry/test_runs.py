import math

import pytest

from fmstudio.errors import InputError, NotFound
from fmstudio.records import Point, Progress


def new_run(registry, project):
    return registry.create_run(project.id, None, "finetune", {}, "embedded")


def test_a_run_is_written_before_it_begins(registry, run, cohort):
    assert run.status == "waiting"
    assert run.config == {"rank": 8}
    assert run.cohort_id == cohort.id
    assert registry.run(run.id) == run
    assert run.id.startswith("run-")


def test_runs_are_claimed_in_the_order_in_which_they_came_and_one_at_a_time(registry, project, run):
    second = new_run(registry, project)

    assert registry.claim_next_run().id == run.id
    assert registry.claim_next_run() is None
    registry.attach_worker(run.id, 7, 1.0)
    registry.update_run(run.id, status="stopped")
    assert registry.claim_next_run().id == second.id


def test_a_resumed_run_goes_to_the_end_of_the_queue(registry, project, run):
    registry.cancel_run(run.id)
    second = new_run(registry, project)

    registry.requeue_run(run.id)

    assert registry.claim_next_run().id == second.id


def test_only_one_worker_gets_a_run(registry, run):
    registry.claim_next_run()

    assert registry.attach_worker(run.id, 7, 1.0)
    assert not registry.attach_worker(run.id, 8, 2.0)
    assert (registry.run(run.id).pid, registry.run(run.id).pid_started) == (7, 1.0)


def test_a_worker_does_not_take_a_waiting_run_while_another_is_running(registry, project, run):
    second = new_run(registry, project)
    registry.claim_next_run()

    assert not registry.attach_worker(second.id, 8, 2.0)
    assert registry.run(second.id).status == "waiting"


def test_a_cancelled_run_is_not_for_a_worker_that_comes_late(registry, run):
    registry.claim_next_run()

    assert registry.cancel_run(run.id)
    assert not registry.attach_worker(run.id, 7, 1.0)
    assert registry.run(run.id).status == "stopped"


def test_a_finished_run_never_changes_its_state(registry, run):
    registry.attach_worker(run.id, 7, 1.0)
    registry.finish_run(run.id, {"status": "finished"}, registry.new_adapter_id(), "first", {})

    for change in ("waiting", "running", "failed"):
        with pytest.raises(InputError, match="is finished"):
            registry.update_run(run.id, status=change)
    with pytest.raises(InputError, match="is finished"):
        registry.requeue_run(run.id)


def test_finishing_registers_adapter_alias_and_result_together(registry, project, run):
    registry.attach_worker(run.id, 7, 1.0)
    adapter = registry.new_adapter_id()

    finished = registry.finish_run(run.id, {"auroc": 0.9}, adapter, "first", {"rank": 8})

    assert (finished.status, finished.adapter_id) == ("finished", adapter)
    assert finished.result == {"auroc": 0.9}
    assert finished.progress.fraction == 1.0
    assert finished.ended_at >= finished.started_at
    assert registry.adapter("Sepsis/champion").run_id == run.id


def test_nothing_is_kept_of_a_finish_that_fails_halfway(registry, run):
    adapter = registry.new_adapter_id()

    with pytest.raises(InputError):  # it waits still: it cannot become finished
        registry.finish_run(run.id, {}, adapter, "first", {})

    assert registry.adapters() == []
    assert registry.run(run.id).status == "waiting"
    assert registry.verify_chain() == (True, None)


def test_the_second_adapter_of_a_project_is_the_candidate(registry, project, run):
    for place in ("first", "second", "third"):
        run_id = new_run(registry, project).id if place != "first" else run.id
        registry.attach_worker(run_id, 7, 1.0)
        registry.finish_run(run_id, {}, registry.new_adapter_id(), place, {})

    assert registry.adapter("Sepsis/champion").name == "first"
    assert registry.adapter("Sepsis/candidate").name == "third"


def test_resuming_forgets_the_failure(registry, run):
    registry.attach_worker(run.id, 7, 1.0)
    registry.update_run(run.id, status="failed", error="The disk is full.", hint="Free some.")

    again = registry.requeue_run(run.id)

    assert (again.status, again.error, again.hint, again.ended_at) == ("waiting", None, None, None)


def test_a_run_that_moved_on_since_it_was_seen_is_not_marked_interrupted(registry, run):
    registry.attach_worker(run.id, 7, 1.0)
    seen = registry.run(run.id)
    registry.report(run.id, 7, Progress("Training", 0.5), [])

    assert not registry.interrupt_run(seen, "gone", "resume")
    assert registry.run(run.id).status == "running"


def test_a_report_of_a_worker_that_lost_its_run_is_refused(registry, run):
    registry.attach_worker(run.id, 7, 1.0)
    registry.interrupt_run(registry.run(run.id), "gone", "resume")

    assert not registry.report(run.id, 7, Progress("Training", 0.9), [Point("loss", 1, 0.1)])
    assert registry.points(run.id) == []
    assert registry.run(run.id).progress.fraction == 0.0


def test_a_repeated_step_replaces_the_point_that_was_there(registry, run):
    registry.add_points(run.id, [Point("loss", step, 1.0 / step) for step in range(1, 6)])
    registry.add_points(run.id, [Point("loss", 4, 0.5), Point("loss", 4, 0.25)])

    values = [point.value for point in registry.points(run.id)]
    assert values == [1.0, 0.5, 1 / 3, 0.25, 0.2]


def test_a_value_that_is_not_a_number_comes_back_as_such(registry, run):
    registry.add_points(run.id, [Point("auroc", 1, math.nan), Point("loss", 1, math.inf)])

    first, second = registry.points(run.id)
    assert math.isnan(first.value)
    assert second.value == math.inf


def test_many_points_fit_in_one_call(registry, run):
    points = [Point("loss", step, float(step)) for step in range(20_000)]

    registry.add_points(run.id, points)

    assert registry.points(run.id) == points


def test_progress_is_not_logged_but_every_change_of_state_is(registry, run):
    registry.claim_next_run()
    registry.attach_worker(run.id, 7, 1.0)
    registry.update_run(run.id, progress=Progress("Training", 0.5, message="12 of 24"))
    registry.update_run(run.id, status="failed")

    of_run = [event.kind for event in registry.events() if event.subject == run.id]
    assert of_run == ["run failed", "run started", "run created"]
    assert registry.run(run.id).progress == Progress("Training", 0.5, message="12 of 24")


def test_fields_that_make_a_run_what_it_is_do_not_change(registry, run):
    with pytest.raises(TypeError, match="project_id"):
        registry.update_run(run.id, project_id=2)
    with pytest.raises(TypeError, match="colour"):
        registry.update_run(run.id, colour="red")


def test_an_unknown_run_is_named(registry):
    with pytest.raises(NotFound, match="run-000000"):
        registry.run("run-000000")
