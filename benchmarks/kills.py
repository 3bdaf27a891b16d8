"""`kill -9` at random moments of import, export, prediction, evaluation and training.

Each command is started anew, killed somewhere between its beginning and the time that it usually
takes, and then looked at by `doctor`: pages, references, the log's chain, rows without files,
files without rows. Then the command is given again and has to do its work, a killed run has to be
resumed, and its adapter must have the weights of a run that nobody killed, bit by bit.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from safetensors.numpy import load_file

from benchmarks.command import ENVIRONMENT, ROOT, studio, watch

TITLE = "Kills"
MANIFEST = ROOT / "data_samples" / "cohort" / "manifest.csv"
SETTINGS = ("--preset", "quick", "--epochs", "2", "--modalities", "ehr,notes")
HARMLESS = {"clean-up", "run", "sandbox"}  # what the next start puts right; what has no bearing


def measure(options: Namespace, before: Mapping[str, Any]) -> dict[str, Any]:
    """For each command how often it was killed, and what was not as it should be after."""
    drawn = random.Random(options.times)
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        home, out = Path(folder, "home"), Path(folder)
        adapter = studio(home, "demo")["adapter"]
        studio(
            home,
            "project",
            "create",
            "killed",
            "--task",
            "binary",
            "--label",
            "label_deterioration",
        )
        commands = {
            "import": ("cohort", "add", "killed", MANIFEST, "--copy"),
            "export": ("export", adapter, out / "bundle.zip"),
            "prediction": ("predict", adapter, "--manifest", MANIFEST, "--out", out / "all.csv"),
            "evaluation": ("evaluate", adapter, "--manifest", MANIFEST),
        }
        found = {}
        for name, words in commands.items():
            started = time.perf_counter()
            studio(home, *words)
            usual = time.perf_counter() - started
            faults = [
                fault
                for _ in range(options.times)
                for fault in _killed(home, words, drawn.uniform(0.1, usual))
            ]
            found[name] = {"times": options.times, "faults": faults, "usual_seconds": usual}
        found["training"] = _killed_training(home, options.times, drawn)
    return found


def _killed(home: Path, words: Sequence[str | Path], seconds: float) -> list[str]:
    """Start a command, kill it after so many seconds, look, and give it again."""
    command = [sys.executable, "-m", "fmstudio", *map(str, words), "--home", str(home)]
    quiet = subprocess.DEVNULL
    begun = subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | ENVIRONMENT,
        stdout=quiet,
        stderr=quiet,
        start_new_session=True,
    )
    with suppress(subprocess.TimeoutExpired):
        begun.wait(seconds)
    with suppress(ProcessLookupError):
        os.kill(begun.pid, signal.SIGKILL)
    begun.wait()
    faults = _faults(home)
    try:
        studio(home, *words)
    except Exception as fault:
        faults.append(f"given again: {fault}")
    return faults


def _faults(home: Path) -> list[str]:
    """What `doctor` finds that a kill must not leave."""
    try:
        told = studio(home, "doctor")
    except Exception as fault:
        return [f"doctor: {fault}"]
    return [
        f"{one['about']}: {one['what']}"
        for one in told.get("findings", ())
        if one.get("lost") or one["about"] not in HARMLESS
    ]


def _killed_training(home: Path, times: int, drawn: random.Random) -> dict[str, Any]:
    """Runs whose worker is killed, resumed until they end, against one that nobody killed."""
    started = time.perf_counter()
    whole = studio(home, "finetune", "killed", *SETTINGS)
    usual, wanted = time.perf_counter() - started, _weights(home, whole["adapter"])
    faults: list[str] = []
    kills = 0
    while kills < times:
        run = studio(home, "finetune", "killed", *SETTINGS, "--detach")["run"]
        for _ in range(min(3, times - kills)):
            kills += _kill_worker(home, run, drawn.uniform(0.1, usual))
            faults += _faults(home)
            if studio(home, "run", "show", run)["status"] == "finished":
                break
            studio(home, "run", "resume", run)
        result, _ = watch(home, run)
        if _weights(home, str(result["adapter"])) != wanted:
            faults.append(f"{run}: other weights than those of the run that was not killed")
    return {"times": kills, "faults": faults, "usual_seconds": usual}


def _kill_worker(home: Path, run: str, seconds: float) -> int:
    """1 if the worker of a run was there to be killed after so many seconds."""
    time.sleep(seconds)
    pid = studio(home, "run", "show", run)["pid"]
    if pid is None or not psutil.pid_exists(pid):
        return 0
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return 1
    return 0


def _weights(home: Path, adapter: str) -> str:
    """A hash of an adapter's tensors; what the file says of its own adapter is no weight."""
    tensors = load_file(home / "adapters" / adapter / "adapter" / "adapter_model.safetensors")
    content = hashlib.sha256()
    for name in sorted(tensors):
        content.update(name.encode() + tensors[name].tobytes())
    return content.hexdigest()


def section(found: Mapping[str, Any]) -> str:
    """The part's page."""
    rows = [f"| {name} | {one['times']} | {len(one['faults'])} |" for name, one in found.items()]
    told = [f"- {name}: {fault}" for name, one in found.items() for fault in one["faults"][:5]]
    return "\n".join(
        ["| killed during | times | not as it should be after |", "|---|---|---|", *rows, "", *told]
    )
