"""The studio as anybody uses it: its commands as child processes, and what processes cost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[1]
# Nothing is looked up elsewhere, by us or by what we are compared with; GOMP_SPINCOUNT is what the
# studio's own worker uses, without which a second busy process would slow OpenMP many times.
ENVIRONMENT = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "GOMP_SPINCOUNT": "1000",
}


class CommandFailed(RuntimeError):
    """A command of the studio that did not end well; holds what it said."""


def studio(home: Path, *words: str | Path) -> dict[str, Any]:
    """The JSON that `python -m fmstudio WORDS` answers. Raises CommandFailed."""
    command = [sys.executable, "-m", "fmstudio", *map(str, words), "--home", str(home), "--json"]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | ENVIRONMENT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CommandFailed(f"{' '.join(map(str, words))}: {done.stderr.strip()[-600:]}")
    return json.loads(done.stdout)


@contextmanager
def process(
    command: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[psutil.Process]:
    """A Python program started in the project's folder; it and its children are ended after."""
    with log.open("wb") as said:
        started = subprocess.Popen(
            [sys.executable, *map(str, command)],
            cwd=ROOT,
            env={**os.environ, **ENVIRONMENT, **(environment or {})},
            stdout=said,
            stderr=said,
        )
        seen = psutil.Process(started.pid)
        try:
            yield seen
        finally:
            family = _family(seen)
            for member in family:
                with suppress(psutil.NoSuchProcess):
                    member.terminate()
            _, alive = psutil.wait_procs(family, timeout=10)
            for member in alive:
                with suppress(psutil.NoSuchProcess):
                    member.kill()
            started.wait()


def memory_mb(member: psutil.Process) -> float:
    """Resident memory of a process and its children in MB."""
    total = 0
    for each in _family(member):
        with suppress(psutil.NoSuchProcess):
            total += each.memory_info().rss
    return total / 1e6


def peak_mb(pid: int) -> float:
    """The most memory that a process has had so far in MB (Linux: VmHWM in /proc); 0 if gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def watch(home: Path, run_id: str, seconds: float = 0.5) -> tuple[dict[str, Any], float]:
    """Wait for a run to end: its record, and the peak memory of its worker process in MB.

    Raises CommandFailed if it ends without a result.
    """
    from fmstudio.registry import Registry
    from fmstudio.settings import load_settings

    peak = 0.0
    with Registry.open(load_settings(home)) as registry:
        while (run := registry.run(run_id)).status in ("waiting", "running"):
            peak = max(peak, peak_mb(run.pid) if run.pid else 0.0)
            time.sleep(seconds)
    if run.status != "finished" or run.result is None:
        raise CommandFailed(f"{run_id} is {run.status}: {run.error}")
    return dict(run.result), peak


def _family(member: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return [member, *member.children(recursive=True)]
    return []
