import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from fmstudio.errors import InputError
from fmstudio.registry.tables import now
from fmstudio.runs import launch, reconcile, resume, start, stop

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def spawned(monkeypatch):
    """The runs for which a worker process would have been started, and none is."""
    ids = []
    monkeypatch.setattr(launch, "_spawn", lambda settings, run: ids.append(run.id))
    return ids


@pytest.fixture
def dead_pid():
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait(timeout=120)
    return process.pid


def test_a_run_that_is_started_twice_gets_one_worker(settings, registry, run, spawned):
    assert start(settings, registry, run.id).status == "running"
    assert start(settings, registry, run.id).status == "running"
    assert spawned == [run.id]


def test_one_run_works_and_the_others_wait_their_turn(settings, registry, run, new_run, spawned):
    second, third = new_run(), new_run()
    for waiting in (run, third, second):
        start(settings, registry, waiting.id)

    assert spawned == [run.id]
    assert registry.run(second.id).status == "waiting"
    registry.attach_worker(run.id, os.getpid(), 0.0)
    registry.update_run(run.id, status="failed")
    reconcile(settings, registry)
    assert spawned == [run.id, second.id]


def test_a_waiting_run_stops_at_once(settings, registry, run, new_run, spawned):
    start(settings, registry, run.id)
    second = new_run()

    assert stop(settings, registry, second.id).status == "stopped"


def test_a_run_stopped_before_its_worker_came_makes_room_for_the_next(
    settings, registry, run, new_run, spawned
):
    second = new_run()
    start(settings, registry, run.id)

    assert stop(settings, registry, run.id).status == "stopped"
    assert spawned == [run.id, second.id]


def test_stopping_what_has_ended_changes_nothing(settings, registry, run, spawned):
    stop(settings, registry, run.id)

    assert stop(settings, registry, run.id).status == "stopped"


@pytest.mark.parametrize("status", ["stopped", "failed", "interrupted"])
def test_what_ended_early_can_be_resumed(settings, registry, run, spawned, status):
    registry.attach_worker(run.id, 7, 1.0)
    registry.update_run(run.id, status=status, error="x", hint="y")

    resumed = resume(settings, registry, run.id)

    assert (resumed.status, resumed.error, resumed.pid) == ("running", None, None)
    assert spawned == [run.id]


def test_what_ended_early_is_resumed_and_not_started(settings, registry, run, spawned):
    stop(settings, registry, run.id)

    with pytest.raises(InputError, match="is stopped") as caught:
        start(settings, registry, run.id)
    assert "Resume" in caught.value.hint


def test_a_finished_run_is_neither_started_nor_resumed(settings, registry, run, spawned):
    registry.attach_worker(run.id, 7, 1.0)
    registry.finish_run(run.id, {}, registry.new_adapter_id(), "first", {})

    for verb in (start, resume):
        with pytest.raises(InputError, match="is finished"):
            verb(settings, registry, run.id)
    assert spawned == []


def test_a_run_whose_worker_died_is_interrupted_and_the_next_begins(
    settings, registry, run, new_run, spawned, dead_pid
):
    second = new_run()
    registry.claim_next_run()
    registry.attach_worker(run.id, dead_pid, 1.0)

    [marked] = reconcile(settings, registry)

    assert (marked.id, marked.status) == (run.id, "interrupted")
    assert "Resume" in marked.hint
    assert spawned == [second.id]
    assert reconcile(settings, registry) == []


def test_a_worker_that_a_full_disk_silenced_is_told_by_the_disk(
    settings, registry, run, spawned, dead_pid, monkeypatch
):
    registry.claim_next_run()
    registry.attach_worker(run.id, dead_pid, 1.0)
    monkeypatch.setattr(launch, "NO_ROOM_BYTES", shutil.disk_usage(settings.home).free + 10**9)

    [marked] = reconcile(settings, registry)

    assert marked.error == "The disk is full."
    assert "resume" in marked.hint


def test_a_run_whose_worker_works_is_left_alone(settings, registry, run, spawned):
    registry.attach_worker(run.id, os.getpid(), launch.process_started(os.getpid()))

    assert reconcile(settings, registry) == []
    assert launch.alive(registry.run(run.id))


def test_another_process_with_the_same_id_is_not_taken_for_the_worker(
    settings, registry, run, spawned
):
    registry.attach_worker(run.id, os.getpid(), launch.process_started(os.getpid()) - 3600)
    assert not launch.alive(registry.run(run.id))

    registry.update_run(run.id, heartbeat_at=now() - timedelta(seconds=11))
    assert [marked.id for marked in reconcile(settings, registry)] == [run.id]


def test_another_process_with_the_same_id_is_never_sent_a_signal(
    settings, registry, run, monkeypatch
):
    registry.attach_worker(run.id, os.getpid(), launch.process_started(os.getpid()) - 3600)
    monkeypatch.setattr(os, "kill", lambda *given: pytest.fail(f"signal sent: {given}"))

    assert stop(settings, registry, run.id).status == "running"


def test_a_worker_that_hangs_is_ended_before_its_run_is_marked(
    settings, registry, run, spawned, monkeypatch
):
    monkeypatch.setattr(launch, "SECOND_LOOK_SECONDS", 0.1)
    hanging = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    registry.attach_worker(run.id, hanging.pid, launch.process_started(hanging.pid))
    registry.update_run(run.id, heartbeat_at=now() - timedelta(minutes=5))

    assert [marked.id for marked in reconcile(settings, registry)] == [run.id]
    assert hanging.wait(timeout=120) == -9


def test_a_worker_whose_computer_slept_goes_on(settings, registry, run, spawned, monkeypatch):
    registry.attach_worker(run.id, os.getpid(), launch.process_started(os.getpid()))
    registry.update_run(run.id, heartbeat_at=now() - timedelta(hours=8))
    monkeypatch.setattr(
        launch.time, "sleep", lambda _: registry.report(run.id, os.getpid(), None, [])
    )

    assert reconcile(settings, registry) == []
    assert registry.run(run.id).status == "running"


def test_a_worker_that_never_came_is_noticed(settings, registry, run, spawned):
    start(settings, registry, run.id)
    assert reconcile(settings, registry) == []

    registry.update_run(run.id, heartbeat_at=now() - timedelta(seconds=31))
    [marked] = reconcile(settings, registry)
    assert "did not start" in marked.error


def test_a_process_that_cannot_be_started_fails_the_run_at_once(
    settings, registry, run, monkeypatch
):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")

    failed = start(settings, registry, run.id)

    assert failed.status == "failed"
    assert "could not be started" in failed.error


def test_real_workers_do_the_runs_one_after_the_other_detached_from_us(
    settings, registry, run, new_run, manifest, wait
):
    manifest.write_text(manifest.read_text().replace("c7,0.7", "c7,9.9"))  # both will be refused
    second = new_run()

    started = start(settings, registry, run.id)

    assert started.status == "running"
    wait(lambda: registry.run(second.id).status == "failed")
    assert "changed since it was added" in registry.run(run.id).error
    assert "changed since it was added" in registry.run(second.id).error
    folder = settings.home / "runs" / run.id
    assert (folder / "config.json").read_text() == '{\n "rank": 8\n}'
    log = (folder / "log.txt").read_text()
    assert "InputError" in log
    assert f"{run.id} is failed" in log
    order = [e.subject for e in registry.events() if e.kind == "run started"]
    assert order == [second.id, run.id]
    assert registry.run(run.id).pid != os.getpid()


def test_a_run_goes_on_though_the_process_that_started_it_is_killed(settings, registry, run, wait):
    starting = (
        "import sys, time; from pathlib import Path; from fmstudio.registry import Registry\n"
        "from fmstudio.runs import launch; from fmstudio.settings import Settings\n"
        "launch.WORKER = 'tests.runs.counting'; settings = Settings(Path(sys.argv[1]))\n"
        "launch.start(settings, Registry.open(settings), sys.argv[2])\n"
        "print('started', flush=True); time.sleep(300)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", starting, settings.home, run.id], cwd=ROOT, stdout=subprocess.PIPE
    ) as app:
        app.stdout.readline()
        app.kill()

    wait(lambda: registry.run(run.id).status == "finished")

    assert len(registry.points(run.id)) == 40
    assert reconcile(settings, registry) == []


def test_the_worker_gets_the_studios_limits_and_no_network(settings):
    tight = replace(settings, limits=replace(settings.limits, read_seconds=7.5))

    environment = launch.worker_environment(tight)

    assert environment["FMSTUDIO_READ_SECONDS"] == "7.5"
    assert environment["HF_HUB_OFFLINE"] == "1"
    assert environment["GOMP_SPINCOUNT"] == "1000"
