"""From `python app.py` to the first page, beside a hello-world Gradio app started the same way.

Both are started anew each time, in turn; the clock stops when GET / has been answered in full.
Memory is read at that moment, before a model is used.
"""

from __future__ import annotations

import socket
import statistics
import tempfile
import time
import urllib.error
import urllib.request
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.command import memory_mb, process

TITLE = "Start-up"
LIMIT_SECONDS = 180


def measure(options: Namespace, before: Mapping[str, Any]) -> dict[str, Any]:
    """Seconds and MB of both apps over `options.repeats` starts each."""
    studio, hello = [], []
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        home, log = Path(folder, "home"), Path(folder, "log.txt")
        _first_page(_studio(home), log)  # makes the registry; files of both come into the cache
        _first_page(_hello(), log)
        for _ in range(options.repeats):
            studio.append(_first_page(_studio(home), log))
            hello.append(_first_page(_hello(), log))
    return {
        "repeats": options.repeats,
        "studio_seconds": [each[0] for each in studio],
        "hello_seconds": [each[0] for each in hello],
        "studio_mb": statistics.median(each[1] for each in studio),
        "hello_mb": statistics.median(each[1] for each in hello),
    }


def section(found: Mapping[str, Any]) -> str:
    """The part's page."""
    studio = statistics.median(found["studio_seconds"])
    hello = statistics.median(found["hello_seconds"])
    return (
        "| | first page, s (median) | memory then, MB |\n|---|---|---|\n"
        f"| `python app.py` | {studio:.2f} | {found['studio_mb']:.0f} |\n"
        f"| hello-world Gradio | {hello:.2f} | {found['hello_mb']:.0f} |\n"
        f"| **ratio** (at most 1.5) | **{studio / hello:.2f}** | (at most 350 MB) |\n\n"
        f"{found['repeats']} starts each, in turn."
    )


def _studio(home: Path) -> Sequence[str]:
    return ("app.py", "--no-browser", "--home", str(home), "--port")


def _hello() -> Sequence[str]:
    return ("benchmarks/hello.py",)


def _first_page(command: Sequence[str], log: Path) -> tuple[float, float]:
    """Seconds until GET / is answered in full, and MB then. `command` lacks only its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = time.perf_counter()
    with process([*command, str(port)], log) as app:
        while time.perf_counter() - started < LIMIT_SECONDS:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as page:
                    page.read()
                return time.perf_counter() - started, memory_mb(app)
            except (urllib.error.URLError, ConnectionError):
                if not app.is_running() or app.status() == "zombie":
                    break
                time.sleep(0.02)
        raise RuntimeError(f"{command[0]} gave no page: {log.read_text()[-600:]}")
