"""Runs as seen from outside: a run's id in, a worker process started, stopped or found dead.

One run of a home works at a time; the others wait in the registry in the order in which they came,
and the worker that ends starts the next. Nothing here imports torch.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Protocol

import psutil

from fmstudio.errors import InputError
from fmstudio.files import write_whole
from fmstudio.records import RunRecord
from fmstudio.registry import Registry
from fmstudio.registry.tables import now
from fmstudio.runs.run_log import LOG, rotate
from fmstudio.settings import Limits, Settings

CONFIG = "config.json"
WORKER = "fmstudio.runs.worker"
WORKERS = (WORKER, "fmstudio.checkpoints.importing")
SILENT_SECONDS = 30.0  # a worker that gave no sign of life for so long is taken for dead
PAUSE_SECONDS = 10.0  # several heartbeats: a worker at work is never silent for so long
SAME_START_SECONDS = 2.0  # the precision with which systems tell when a process began
SECOND_LOOK_SECONDS = 3.0  # longer than a heartbeat: a computer that slept is given this chance
NO_ROOM_BYTES = 20_000_000  # less than a checkpoint and the registry's log may need
FULL_DISK = (
    "The disk is full.",
    "Free some space, then resume the run: it continues from its last checkpoint.",
)
# Before torch is loaded: two threads that spin for each other are 4 to 15 times slower on a busy
# machine; glibc keeps memory of the size that a step's tensors have, which the kernel would have to
# clear anew each time, a third of a step, and gives back what is larger: else it would keep the
# holes that batches of changing size leave, half a gigabyte after a few thousand; oneDNN keeps what
# it made for one step's sizes, not for the last 1024, another 300 MB; and no checkpoint is ever
# looked up in the network by a worker.
ENVIRONMENT: Mapping[str, str] = {
    "GOMP_SPINCOUNT": "1000",
    "MALLOC_MMAP_THRESHOLD_": str(2**23),
    "MALLOC_TRIM_THRESHOLD_": str(2**25),
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "32",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}


class Begun(Protocol):
    """Work that a process has begun: its id, and when it began, in seconds since 1970."""

    @property
    def pid(self) -> int | None: ...
    @property
    def pid_started(self) -> float | None: ...


def start(settings: Settings, registry: Registry, run_id: str) -> RunRecord:
    """Start a waiting run, or leave it waiting while another works; a live run stays as it is.

    Raises InputError if the run has ended.
    """
    run = registry.run(run_id)
    if run.status not in ("waiting", "running"):
        raise InputError(
            f"{run.id} is {run.status} and cannot be started.",
            hint="Start a new run." if run.status == "finished" else "Resume it instead.",
        )
    start_next(settings, registry)
    return registry.run(run_id)


def start_next(settings: Settings, registry: Registry) -> RunRecord | None:
    """Start the run that waits longest, unless one is running. The run started, else None."""
    if registry.count_runs(states=("running",)) or not registry.count_runs(states=("waiting",)):
        return None
    run = registry.claim_next_run()
    if run is not None:
        try:
            _spawn(settings, run)
        except OSError as fault:
            registry.update_run(
                run.id,
                status="failed",
                error=f"The worker process could not be started: {fault.strerror}.",
                hint="Check free memory and disk, then resume the run.",
            )
    return run


def stop(settings: Settings, registry: Registry, run_id: str) -> RunRecord:
    """Ask a run to stop: at once if it has not begun, else after its next checkpoint.

    Asked again, the worker leaves at once with the checkpoint it has. An ended run stays as it is.
    """
    if registry.cancel_run(run_id):
        start_next(settings, registry)
    else:
        run = registry.run(run_id)
        if run.status == "running" and run.pid is not None and alive(run):
            os.kill(run.pid, signal.SIGTERM)
    return registry.run(run_id)


def resume(settings: Settings, registry: Registry, run_id: str) -> RunRecord:
    """Continue an interrupted, stopped or failed run from its last checkpoint, in its turn.

    Raises InputError if the run has finished.
    """
    registry.requeue_run(run_id)
    return start(settings, registry, run_id)


def reconcile(settings: Settings, registry: Registry) -> list[RunRecord]:
    """Mark the runs whose worker is gone as interrupted, and start the next that waits.

    Cheap enough to be called with every look at the runs. Returns the runs it marked.
    """
    marked = []
    for run in registry.runs(states=("running",)):
        if _lost(registry, run) and registry.interrupt_run(
            registry.run(run.id), *_why(run, settings)
        ):
            marked.append(registry.run(run.id))
    start_next(settings, registry)
    return marked


def alive(work: Begun) -> bool:
    """True if the process that began the work is still there."""
    process = None if work.pid is None else _process(work.pid)
    if process is None or work.pid_started is None:
        return False
    return abs(float(process.create_time()) - work.pid_started) < SAME_START_SECONDS


def process_started(pid: int) -> float:
    """When a process began, in seconds since 1970: with its id it names one process."""
    return float(psutil.Process(pid).create_time())


def workers_of(settings: Settings) -> list[int]:
    """The processes that work on runs of a home or add checkpoints to it.

    Asked of the system and not of the registry, which may be what is damaged.
    """
    found = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        words = process.info["cmdline"] or []
        if str(settings.home) in words and set(WORKERS) & set(words):
            found.append(process.info["pid"])
    return found


def run_folder(settings: Settings, run_id: str) -> Path:
    """The folder of a run: its log, its settings, its checkpoints."""
    return settings.folder(f"runs/{run_id}")


def _spawn(settings: Settings, run: RunRecord) -> None:
    """Start the worker of a claimed run, detached from this process and its terminal."""
    folder = run_folder(settings, run.id)
    write_whole(folder / CONFIG, json.dumps(dict(run.config), indent=1))
    # -P: only the studio's own folder is searched for modules, not the working directory.
    command = [sys.executable, "-P", "-m", WORKER, run.id]
    rotate(folder)
    log = os.open(folder / LOG, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    try:
        process = subprocess.Popen(
            [*command, "--home", str(settings.home)],
            cwd=folder,
            env=os.environ | worker_environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            umask=0o077,
        )
    finally:
        os.close(log)
    # Somebody has to ask for its exit status, else it stays as a zombie after its end.
    threading.Thread(target=process.wait, name=f"reap {run.id}", daemon=True).start()


def worker_environment(settings: Settings) -> dict[str, str]:
    """What a process of ours finds in its environment: switches, limits, where our code is."""
    root = str(Path(__file__).resolve().parents[2])
    limits = {
        f"FMSTUDIO_{limit.name.upper()}": str(getattr(settings.limits, limit.name))
        for limit in fields(Limits)
    }
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**ENVIRONMENT, **limits, "PYTHONPATH": os.pathsep.join(paths)}


def _process(pid: int) -> psutil.Process | None:
    """The process of this id, unless it has ended; an ended one may wait to be noticed."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except psutil.Error:  # gone, or another user's, which is not our worker
        return None


def _silence(run: RunRecord) -> float:
    """Seconds since the last sign of life."""
    return (now() - (run.heartbeat_at or run.created_at)).total_seconds()


def _lost(registry: Registry, run: RunRecord) -> bool:
    """True if nobody works on the run any more; a worker that hangs is ended first."""
    if run.pid is None:
        return _silence(run) > SILENT_SECONDS
    if _process(run.pid) is None:
        return True
    if not alive(run):
        # Another process has the id now, or the clock was set: then signs of life go on.
        return _silence(run) > PAUSE_SECONDS
    if _silence(run) <= SILENT_SECONDS:
        return False
    time.sleep(SECOND_LOOK_SECONDS)
    later = registry.run(run.id)
    if later.heartbeat_at != run.heartbeat_at or later.status != "running":
        return False
    if alive(run):
        os.kill(run.pid, signal.SIGKILL)
    return True


def _why(run: RunRecord, settings: Settings) -> tuple[str, str]:
    """What happened to a run whose worker is gone, and what to do.

    On a full disk the worker could not even write down why it ended.
    """
    if shutil.disk_usage(settings.home).free < NO_ROOM_BYTES:
        return FULL_DISK
    if run.pid is None:
        return (
            "The worker process did not start.",
            f"See {LOG} of {run.id}, then resume the run.",
        )
    return (
        "The worker process ended without a word, as when the computer is switched off or memory "
        "runs out.",
        "Resume the run: it continues from its last checkpoint. If it ends like this again, choose "
        "a smaller batch size or close other programs.",
    )
