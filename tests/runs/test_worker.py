import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from fmstudio.cohort import build_cohort, make_task, read_manifest
from fmstudio.errors import InputError
from fmstudio.evaluation.labelled_predictions import HeldOut
from fmstudio.records import Point, Progress
from fmstudio.runs import reconcile, reporting, stop
from fmstudio.runs.worker import execute, explain, main
from fmstudio.training.reporter import Stopped
from tests.runs.counting import answers

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Done:
    result: dict
    adapter_folder: Path
    card: dict
    held_out: HeldOut


def small_work(run, project, cohort, folder, settings, reporter):
    """Writes two points and an adapter folder."""
    reporter.progress(Progress("Training", 0.5, 1, 2, message=f"{len(cohort.split('train'))}"))
    reporter.points([Point("loss", 1, 0.7), Point("loss", 2, 0.6)])
    (folder / "adapter").mkdir()
    for name in ("card.json", "manifest.json"):
        (folder / "adapter" / name).write_text("{}")
    card = {"name": "Sepsis by lactate"}
    return Done({"metrics": {"auroc": 0.9}}, folder / "adapter", card, answers(cohort))


def counting(settings, run_id) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, Path(__file__).with_name("counting.py"), run_id, "--home", settings.home],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


def test_a_run_leaves_its_adapter_its_curve_and_its_result(settings, registry, run):
    assert execute(settings, run.id, work=small_work) == "finished"

    done = registry.run(run.id)
    assert done.result == {
        "metrics": {"auroc": 0.9},
        "run": run.id,
        "adapter": done.adapter_id,
        "status": "finished",
    }
    assert [point.value for point in registry.points(run.id)] == [0.7, 0.6]
    adapter = registry.adapter("Sepsis/champion")
    assert (adapter.id, adapter.name) == (done.adapter_id, "Sepsis by lactate")
    assert (settings.home / "adapters" / adapter.id / "card.json").read_text() == "{}"
    assert not (settings.home / "runs" / run.id / "adapter").exists()
    kept = HeldOut.from_dict(registry.held_out(adapter.id))
    assert kept.test.outputs.tolist() == [0.5] * len(kept.test)


def test_work_gets_the_cohort_as_it_was_added(settings, registry, run):
    seen = []

    def look(run, project, cohort, folder, settings, reporter):
        seen.append((cohort.task == project.task, len(cohort.cases), cohort.modalities, folder))
        return small_work(run, project, cohort, folder, settings, reporter)

    execute(settings, run.id, work=look)

    assert seen == [(True, 30, ("ehr",), settings.home / "runs" / run.id)]


def test_a_cohort_that_changed_since_it_was_added_is_refused(settings, registry, run, manifest):
    manifest.write_text(manifest.read_text().replace("c7,0.7", "c7,9.9"))

    assert execute(settings, run.id, work=small_work) == "failed"

    failed = registry.run(run.id)
    assert "'2024' changed since it was added" in failed.error
    assert "Add the manifest" in failed.hint
    assert str(manifest.parent) not in failed.error + failed.hint
    assert registry.adapters() == []


@pytest.mark.parametrize("what", ["changed", "deleted"])
def test_a_file_changed_or_deleted_since_the_cohort_was_added_stops_the_run(
    settings, registry, tmp_path, what
):
    for number in range(30):
        (tmp_path / f"note{number}.txt").write_text(f"Patient {number} coughs at night.")
    path, roles = tmp_path / "noted.csv", {"id": "case_id", "note": "notes", "ill": "label"}
    rows = [f"c{n},note{n}.txt,{n % 2}" for n in range(30)]
    path.write_text("\n".join(["id,note,ill", *rows]) + "\n")
    table = read_manifest(path)
    task = make_task(table, roles, "binary")
    project = registry.create_project("Cough", task)
    cohort = build_cohort(table, roles, task, "2025")
    kept = registry.add_cohort(project.id, "2025", path, roles, cohort.fingerprint, {})
    run = registry.create_run(project.id, kept.id, "finetune", {"rank": 8}, "embedded")
    if what == "changed":
        (tmp_path / "note7.txt").write_text("Patient 7 is well.")
    else:
        (tmp_path / "note7.txt").unlink()

    assert execute(settings, run.id, work=small_work) == "failed"

    failed = registry.run(run.id)
    assert "'2025' changed since it was added" in failed.error or "note7.txt" in failed.error
    assert failed.hint
    assert str(tmp_path) not in failed.error + failed.hint
    assert registry.adapters() == []


def test_a_run_whose_cohort_was_lost_says_so(settings, registry, run, manifest):
    manifest.unlink()

    assert execute(settings, run.id, work=small_work) == "failed"
    assert "manifest.csv" in registry.run(run.id).error


def test_a_known_fault_is_told_with_its_hint(settings, registry, run):
    def refuse(*_):
        raise InputError("The labels hold one class only: no.", hint="Add cases of the other.")

    assert execute(settings, run.id, work=refuse) == "failed"

    failed = registry.run(run.id)
    assert failed.error == "The labels hold one class only: no."
    assert failed.hint == "Add cases of the other."


def test_a_fault_of_ours_is_told_without_its_trace(settings, registry, run, caplog):
    def fall(*_):
        raise KeyError("tokens")

    assert execute(settings, run.id, work=fall) == "failed"

    failed = registry.run(run.id)
    assert failed.error == "The run stopped because of a fault in the studio."
    assert "log.txt" in failed.hint
    assert "KeyError: 'tokens'" in caplog.text


@pytest.mark.parametrize(
    ("fault", "message", "hint"),
    [
        (MemoryError(), "memory was not enough", "smaller batch"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "memory", "smaller batch"),
        (OSError(28, "No space left on device"), "disk is full", "Free some space"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "disk is full", "Free"),
    ],
)
def test_scarce_memory_and_disk_are_named(fault, message, hint):
    told = explain(fault)

    assert message in told[0]
    assert hint in told[1]


def test_a_run_that_may_not_write_any_more_says_so_and_can_be_resumed(settings, registry, run):
    def refused(*_):
        raise PermissionError(13, "Permission denied", "/home/x/runs/checkpoint-0.tmp")

    assert execute(settings, run.id, work=refused) == "failed"
    failed = registry.run(run.id)
    assert failed.error == "checkpoint-0.tmp cannot be read or written: Permission denied."
    assert failed.hint.startswith("Check that you may read and write it")

    registry.requeue_run(run.id)
    registry.claim_next_run()
    assert execute(settings, run.id, work=small_work) == "finished"


def test_a_run_that_is_done_is_not_done_again(settings, registry, run):
    execute(settings, run.id, work=small_work)

    assert execute(settings, run.id, work=small_work) == "not claimed"
    assert len(registry.adapters()) == 1


def test_work_that_was_taken_away_leaves_no_adapter(settings, registry, run):
    def slow(*given):
        seen = registry.run(run.id)
        while not registry.interrupt_run(seen, "It was silent.", "Resume it."):
            seen = registry.run(run.id)
        return small_work(*given)

    assert execute(settings, run.id, work=slow) == "interrupted"
    assert registry.adapters() == []
    assert not (settings.home / "adapters").exists()
    assert registry.run(run.id).error == "It was silent."


def test_what_was_reported_is_there_when_work_ends_early(settings, registry, run):
    def stop_at_once(run, project, cohort, folder, settings, reporter):
        reporter.points([Point("loss", 1, 0.7)])
        raise Stopped

    assert execute(settings, run.id, work=stop_at_once) == "stopped"
    assert registry.points(run.id) == [Point("loss", 1, 0.7)]


def test_a_second_request_breaks_off_work_that_does_not_listen(
    settings, registry, run, monkeypatch
):
    monkeypatch.setattr(reporting, "SECOND_REQUEST_SECONDS", 0.2)

    def deaf(*_):
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)  # a double click is one request
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGTERM)
        pytest.fail("the work went on")

    assert execute(settings, run.id, work=deaf) == "stopped"


def test_the_signal_handler_of_the_process_is_as_it_was(settings, registry, run):
    before = signal.getsignal(signal.SIGTERM)

    execute(settings, run.id, work=small_work)

    assert signal.getsignal(signal.SIGTERM) == before


def test_a_killed_worker_resumes_from_its_checkpoint_to_the_same_curve(
    settings, registry, run, wait
):
    worker = counting(settings, run.id)
    checkpoint = settings.home / "runs" / run.id / "checkpoint.txt"
    wait(lambda: checkpoint.exists() and int(checkpoint.read_text()) >= 8)
    os.kill(worker.pid, signal.SIGKILL)
    wait(lambda: registry.run(run.id).status == "running" and bool(reconcile(settings, registry)))

    left = registry.run(run.id)
    assert left.status == "interrupted"
    assert "smaller batch" in left.hint
    worker.wait(timeout=120)

    registry.requeue_run(run.id)
    reached = int(checkpoint.read_text())
    assert counting(settings, run.id).wait(timeout=120) == 0

    done = registry.run(run.id)
    assert done.status == "finished"
    assert done.result["began_at"] == reached >= 8
    assert registry.points(run.id) == [Point("loss", step, 1 / step) for step in range(1, 41)]
    assert (registry.verify_chain(), len(registry.adapters())) == ((True, None), 1)


def test_a_running_run_stops_after_its_checkpoint_and_keeps_its_place(
    settings, registry, run, wait
):
    worker = counting(settings, run.id)
    wait(lambda: registry.run(run.id).progress.epoch >= 2)

    assert stop(settings, registry, run.id).status == "running"  # until its checkpoint is written

    assert worker.wait(timeout=120) == 0
    stopped = registry.run(run.id)
    assert (stopped.status, stopped.error) == ("stopped", None)
    assert (stopped.adapter_id, registry.adapters()) == (None, [])
    step = int((settings.home / "runs" / run.id / "checkpoint.txt").read_text())
    assert stopped.progress.epoch == step == len(registry.points(run.id))


def test_a_working_worker_gives_signs_of_life(settings, registry, run):
    beats = set()

    def silent(*given):
        end = time.monotonic() + PATIENCE_SECONDS
        while len(beats) < 3 and time.monotonic() < end:
            beats.add(registry.run(run.id).heartbeat_at)
            time.sleep(0.05)
        return small_work(*given)

    execute(settings, run.id, work=silent)

    assert len(beats) == 3


def test_an_unknown_run_ends_the_worker_with_a_message(settings, registry, caplog, monkeypatch):
    monkeypatch.setattr(os, "nice", lambda by: by)

    assert main(["run-ffffff", "--home", str(settings.home)]) == 2
    assert "run-ffffff" in caplog.text
