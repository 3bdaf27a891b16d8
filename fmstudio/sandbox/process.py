"""One reading child process as its owner sees it: start, ask, time limit, replacement."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fmstudio.errors import (
    ConstantSignal,
    InputError,
    NotFound,
    ResourceError,
    StudioError,
    UnreadableFile,
)
from fmstudio.sandbox.wire import receive, send, source_to_json
from fmstudio.settings import Limits
from fmstudio.types import Source

log = logging.getLogger(__name__)

# Where a child finds fmstudio and pipelines, wherever the studio was started from.
SEARCH_PATH: tuple[Path, ...] = (Path(__file__).resolve().parents[2],)
START_SECONDS = 300.0  # imports on a busy machine; not part of a file's time
KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT", "HOME")
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)

LARGE_TABLE = (
    "Save a large workbook as CSV UTF-8, which is read many times faster, or raise "
    "FMSTUDIO_READ_SECONDS."
)

Answer = tuple[dict[str, Any], list[bytes]]

_KINDS = (StudioError, InputError, UnreadableFile, ConstantSignal, NotFound, ResourceError)
_CARRIED = {kind.__name__: kind for kind in _KINDS}


class ReadingProcess:
    """A child that serves one thread at a time and is replaced when it ends."""

    def __init__(self, limits: Limits, folder: Path, tables: bool = False) -> None:
        self.limits = limits
        self.tables = tables
        self.folder = folder
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = self._closed = False

    def start(self) -> None:
        """Start the process, without waiting for its imports, unless it lives already."""
        with self._lock:
            if self._closed:
                raise RuntimeError("this Reader is closed")
            if self._process is not None and self._process.poll() is None:
                return
            self._end()
            self.folder.mkdir(exist_ok=True, mode=0o700)
            limits = [str(self.limits.read_seconds), str(self.limits.read_memory_mb)]
            limits += ["tables"] if self.tables else []
            self._process = subprocess.Popen(
                # -P: a file that a decoder leaves in the folder must not be importable.
                [sys.executable, "-P", "-m", "fmstudio.sandbox.child", *limits],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=self.folder,
                env=_environment(self.folder),
                start_new_session=True,
                umask=0o077,
            )

    def close(self) -> None:
        """End the process for good."""
        with self._lock:
            self._closed = True
            self._end()

    def rest(self) -> None:
        """End the process; the next request starts another."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        process, self._process, self._ready = self._process, None, False
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:  # half a request was still to be written
                    log.debug("a reading process ended before it took its request")

    def _replace(self) -> None:
        """A new process, warming up while the caller explains what became of the old one."""
        with self._lock:
            self._end()
        if not self._closed:
            self.start()

    def ask(self, verb: str, modality: str, sources: Sequence[Source]) -> Answer:
        """One request (read, preview, about, strip, table) and its answer.

        Raises as `Reader.read` does.
        """
        self.start()
        if not self._ready:
            self._await_ready()
        request = {
            "verb": verb,
            "modality": modality,
            "sources": [source_to_json(source) for source in sources],
        }
        names = _names(sources)
        try:
            header, parts = self._exchange(request, self.limits.read_seconds)
        except TimeoutError:
            raise UnreadableFile(
                f"{names} took longer than {self.limits.read_seconds:g} s to read.",
                hint=LARGE_TABLE
                if verb == "table"
                else "Check that the file is intact, shorten it, or raise FMSTUDIO_READ_SECONDS.",
            ) from None
        except (EOFError, OSError, ValueError) as fault:
            log.warning("a reading process ended early: %s", type(fault).__name__)
            raise UnreadableFile(
                f"{names} cannot be read: its decoder stopped without an answer.",
                hint="The file is probably damaged. Export it again from its source.",
            ) from None
        if "memory" in header:
            self._replace()  # what was allocated before the failure may never come back
        self._refuse(header, names)
        return header, parts

    def _refuse(self, header: Mapping[str, Any], names: str) -> None:
        """Raise what an answer says went wrong, if anything did."""
        if "error" in header:
            kind = _CARRIED.get(header["error"], UnreadableFile)
            raise kind(header["message"], header["hint"])
        if "memory" in header:
            raise UnreadableFile(
                f"{names} needs more than {self.limits.read_memory_mb} MB of memory to read.",
                hint="Check that the file is intact, or raise FMSTUDIO_READ_MEMORY_MB.",
            )
        if "fault" in header:
            log.warning("unexpected %s at %s", header["fault"], ", ".join(header["where"]))
            raise UnreadableFile(
                f"{names} cannot be read ({header['fault']}).",
                hint="The file is probably damaged, or of another type than its ending says. "
                "Export it again from its source.",
            )

    def _exchange(self, request: Mapping[str, Any] | None, seconds: float) -> Answer:
        """Send, wait, receive; the process is killed after `seconds` and replaced on any fault.

        Raises TimeoutError, or what `send` and `receive` raise.
        """
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise EOFError
        late = threading.Event()

        def stop() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(seconds, stop)
        timer.daemon = True
        timer.start()
        try:
            if request is not None:
                send(process.stdin, request)
            answer = receive(process.stdout, self.limits.read_memory_mb * 2**20)
            timer.cancel()
            timer.join()
        except BaseException as fault:  # also Ctrl-C: a late answer must not meet the next request
            timer.cancel()
            self._replace()
            if late.is_set() and isinstance(fault, EOFError | OSError | ValueError):
                raise TimeoutError from None
            raise
        if late.is_set():  # the answer and the limit came together
            self._replace()
        return answer

    def _await_ready(self) -> None:
        try:
            self._exchange(None, START_SECONDS)
        except (TimeoutError, EOFError, OSError, ValueError) as fault:
            raise RuntimeError("a reading process did not start") from fault
        self._ready = True


def _names(sources: Sequence[Source]) -> str:
    """The file names, or the columns of typed values, for a message."""
    names = [s.path.name if s.path is not None else f"column '{s.name}'" for s in sources]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more if names else "The input"


def _environment(folder: Path) -> dict[str, str]:
    """Little more than a path: one thread each, temporary files where they are swept."""
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    return {
        **kept,
        **dict.fromkeys(THREAD_VARIABLES, "1"),
        "PYTHONPATH": os.pathsep.join(str(path) for path in SEARCH_PATH),
        "PYTHONUTF8": "1",
        "HF_HUB_OFFLINE": "1",
        "TMPDIR": str(folder),
        "TEMP": str(folder),
    }
