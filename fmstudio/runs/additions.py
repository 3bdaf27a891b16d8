"""Checkpoints on their way in, as seen from outside: a process started, watched, stopped.

One attempt is a folder below home/temp with the request, the status that the process writes
(`checkpoints.importing`) and, meanwhile, the files. It goes on if the page or the app ends; what
is left of it is swept away after a day. Nothing here imports torch or a hub's client.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from fmstudio import errors
from fmstudio.checkpoints.compatibility import Verdict
from fmstudio.checkpoints.importing import (
    CHECKING,
    FAILED,
    FILES,
    LIVE,
    LOG,
    REQUEST,
    STATUS,
    write_json,
)
from fmstudio.errors import InputError, NotFound
from fmstudio.runs.launch import SILENT_SECONDS, alive, process_started, worker_environment
from fmstudio.settings import Settings

POLL_SECONDS = 0.3
PREFIX = "add-"
_ATTEMPT = re.compile(PREFIX + r"[0-9a-f]{16}")
STOPPED = "stopped"
PROCESS = "process.json"
# A hub's client reads these once, when it is imported. Only the process that a person sent to a
# hub may go online; plain HTTPS, for that is what hospitals' proxies let through.
ONLINE = {
    "HF_HUB_OFFLINE": "0",
    "TRANSFORMERS_OFFLINE": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_XET": "1",
    "HF_HUB_ETAG_TIMEOUT": "30",  # seconds; ten are too few for some proxies
    "HF_HUB_DOWNLOAD_TIMEOUT": "30",
}


@dataclass(frozen=True)
class Addition:
    """One attempt as it stands. `done_mb` of `total_mb` were fetched; `name` once it was kept."""

    id: str
    source: str
    state: str
    started: float
    verdict: Verdict | None = None
    name: str | None = None
    done_mb: float = 0.0
    total_mb: float = 0.0
    fault: str = ""
    error: str = ""
    hint: str = ""
    pid: int | None = None
    pid_started: float | None = None

    @property
    def live(self) -> bool:
        """True while its process works."""
        return self.state in LIVE

    def raise_fault(self) -> None:
        """Raises what its process raised: a StudioError, or RuntimeError for a fault of ours."""
        if self.fault == "RuntimeError":
            raise RuntimeError(f"{self.error} {self.hint}")
        if self.fault:
            raise getattr(errors, self.fault)(self.error, hint=self.hint)


def start(
    settings: Settings,
    source: str,
    kind: str | None = None,
    name: str | None = None,
    revision: str | None = None,
    only_check: bool = False,
) -> Addition:
    """Begin to check a checkpoint, and to add it if nothing speaks against it.

    `source` is an id of the hub or a folder. Raises InputError if another is being added.
    """
    if not only_check and any(other.live for other in additions(settings)):
        raise InputError(
            "Another checkpoint is being added.", hint="Wait until it is there, or stop it."
        )
    local = Path(source).expanduser().is_dir()
    place = str(Path(source).expanduser().resolve()) if local else source.strip()
    folder = settings.folder("temp") / f"{PREFIX}{secrets.token_hex(8)}"
    folder.mkdir(mode=0o700)
    request = {
        "source": place,
        "kind": kind or None,
        "name": name or None,
        "revision": revision,
        "only_check": only_check,
    }
    write_json(folder / REQUEST, request)
    write_json(folder / STATUS, {"state": CHECKING})
    _spawn(settings, folder, {} if local else ONLINE)
    return addition(settings, folder.name)


def _spawn(settings: Settings, folder: Path, more: dict[str, str]) -> None:
    """Start the process, detached from this one and its terminal."""
    # -P: only the studio's own folder is searched for modules, not the working directory.
    command = [sys.executable, "-P", "-m", "fmstudio.checkpoints.importing", str(folder)]
    log = os.open(folder / LOG, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    try:
        process = subprocess.Popen(
            [*command, "--home", str(settings.home)],
            cwd=folder,
            env=os.environ | worker_environment(settings) | more,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            umask=0o077,
        )
    finally:
        os.close(log)
    began = {"pid": process.pid, "pid_started": process_started(process.pid)}
    write_json(folder / PROCESS, began)
    # Somebody has to ask for its exit status, else it stays as a zombie after its end.
    threading.Thread(target=process.wait, name=f"reap {folder.name}", daemon=True).start()


def additions(settings: Settings) -> list[Addition]:
    """The attempts to add a checkpoint that are still to be seen, newest first; no mere checks."""
    folders = (settings.home / "temp").glob(f"{PREFIX}*/{REQUEST}")
    found = []
    for path in folders:
        with suppress(NotFound):  # cleared away meanwhile
            if not _read(path).get("only_check"):
                found.append(addition(settings, path.parent.name))
    return sorted(found, key=lambda one: one.started, reverse=True)


def addition(settings: Settings, attempt: str) -> Addition:
    """One attempt as it stands. Raises NotFound."""
    folder = _folder(settings, attempt)
    request, said = _read(folder / REQUEST), _read(folder / STATUS)
    began = _read(folder / PROCESS) if (folder / PROCESS).is_file() else {}
    found = said.get("verdict")
    known = Addition(
        id=attempt,
        source=request["source"],
        started=(folder / REQUEST).stat().st_mtime,
        verdict=Verdict.from_dict(found) if found else None,
        done_mb=_size_mb(folder / FILES),
        total_mb=found["size_mb"] if found else 0.0,
        **began,
        **{name: value for name, value in said.items() if name != "verdict"},
    )
    young = time.time() - known.started < SILENT_SECONDS
    if not known.live or alive(known) or (known.pid is None and young):
        return known
    if _read(folder / STATUS) != said:
        return addition(settings, attempt)  # it ended between our two looks
    return _ended(
        settings,
        attempt,
        FAILED,
        {
            "fault": "RunFailed",
            "error": "The checkpoint was not added: its process ended without a word, as when the "
            "computer is switched off or memory runs out.",
            "hint": "Close other programs and try again.",
        },
    )


def wait(
    settings: Settings, attempt: str, watch: Callable[[Addition], None] | None = None
) -> Addition:
    """The attempt once its process has ended; `watch` is called with it at every look."""
    found = addition(settings, attempt)
    while found.live:
        if watch is not None:
            watch(found)
        time.sleep(POLL_SECONDS)
        found = addition(settings, attempt)
    return found


def stop(settings: Settings, attempt: str) -> Addition:
    """End an attempt that is live and remove what it has fetched."""
    found = addition(settings, attempt)
    if not found.live:
        return found
    if found.pid is not None and alive(found):
        with suppress(psutil.Error):
            process = psutil.Process(found.pid)
            process.terminate()
            process.wait(10)
    return _ended(settings, attempt, STOPPED, {})


def forget(settings: Settings, attempt: str) -> None:
    """Remove the folder of an attempt that has ended."""
    shutil.rmtree(_folder(settings, attempt), ignore_errors=True)


def _ended(settings: Settings, attempt: str, state: str, more: dict[str, Any]) -> Addition:
    folder = _folder(settings, attempt)
    write_json(folder / STATUS, _read(folder / STATUS) | {"state": state} | more)
    shutil.rmtree(folder / FILES, ignore_errors=True)
    return addition(settings, attempt)


def _folder(settings: Settings, attempt: str) -> Path:
    """Where an attempt lies; a name that came from a page leads nowhere else."""
    return settings.home / "temp" / (attempt if _ATTEMPT.fullmatch(attempt) else PREFIX)


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as fault:
        raise NotFound(
            "That attempt to add a checkpoint is over and was cleared away.",
            hint="Look at the list of base models, or add it again.",
        ) from fault
    return found


def _size_mb(folder: Path) -> float:
    """What has been fetched so far, in megabytes; what goes away meanwhile is passed over."""
    size = 0
    for where, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                size += Path(where, name).stat().st_size
    return size / 1e6
