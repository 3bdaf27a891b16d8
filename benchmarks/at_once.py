"""Fifty people who press Predict at the same moment, on an idle machine and while a run trains.

Each is a browser of its own on the real server and asks about a patient whose values nobody else
has; what the page shows is compared with what it shows when the same is asked alone. Then two
hundred ask and go away at once, and one more asks.
"""

from __future__ import annotations

import json
import re
import socket
import statistics
import tempfile
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.command import memory_mb, process, studio
from benchmarks.visitor import Visitor, handler

TITLE = "Many at once"
AT_ONCE, GONE = 50, 200


def measure(options: Namespace, before: Mapping[str, Any]) -> dict[str, Any]:
    """Seconds to the answers, MB of the server, how many answers were not those asked alone."""
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        home = Path(folder)
        adapter = studio(home, "demo")["adapter"]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = ["app.py", "--no-browser", "--home", home, "--port", str(port)]
        with process(command, home / "server.txt") as server:
            return _measured(home, adapter, f"http://127.0.0.1:{port}", server)


def _measured(home: Path, adapter: str, address: str, server: Any) -> dict[str, Any]:
    pages = _pages(home)
    _wait_for(address)
    visitors = [Visitor(address) for _ in range(AT_ONCE)]
    for one in visitors:
        one.answer(one.ask(*pages["opened"]))
    alone = [_asked(one, pages, adapter, n) for n, one in enumerate(visitors)]
    before = memory_mb(server)
    idle = _together(visitors, pages, adapter)
    again = _together(visitors, pages, adapter)
    after = memory_mb(server)
    run = studio(home, "finetune", "Sample", "--preset", "thorough", "--detach")["run"]
    while studio(home, "run", "show", run)["progress"]["stage"] in ("", "starting"):
        time.sleep(1)
    busy = _together(visitors, pages, adapter)
    state = studio(home, "run", "show", run)["status"]
    one_alone = statistics.median(_asked(visitors[0], pages, adapter, n)[1] for n in range(5))
    studio(home, "run", "stop", run)
    for one in visitors:
        one.close()
    return {
        "alone_seconds": [seconds for _, seconds in alone],
        "idle_seconds": [seconds for _, seconds in idle + again],
        "busy_seconds": [seconds for _, seconds in busy],
        "one_while_training": one_alone,
        "run": state,
        "wrong": sum(
            a[0] != b[0] for found in (idle, again, busy) for a, b in zip(alone, found, strict=True)
        ),
        "different": len({shown for shown, _ in alone}),
        "mb": [before, after],
        **_vanished(address, pages, adapter),
    }


def _vanished(address: str, pages: Mapping[str, Any], adapter: str) -> dict[str, Any]:
    """Seconds until one who asks after all the others, who went away, has an answer."""
    last = Visitor(address)
    last.answer(last.ask(*pages["opened"]))

    def ask_and_go(number: int) -> None:
        one = Visitor(address)
        one.answer(one.ask(*pages["opened"]))
        one.ask(*_question(pages, adapter, number), listen=False)
        one.close()

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(ask_and_go, range(GONE)))
    shown, seconds = _asked(last, pages, adapter, 0)
    last.close()
    return {"gone": GONE, "after_gone_seconds": seconds, "after_gone_answered": bool(shown)}


def _pages(home: Path) -> dict[str, Any]:
    """The numbers of the handlers of the page Predict; they are those of the server."""
    from fmstudio.studio import Studio
    from fmstudio.ui.shell import build

    with Studio.open(home) as opened:
        pages = build(opened)
    return {name: handler(pages, "predict", name) for name in ("opened", "predict")}


def _question(pages: Mapping[str, Any], adapter: str, number: int) -> tuple[int, list[Any]]:
    """The page Predict, filled in for a patient whom nobody else asks about."""
    place, values = pages["predict"]
    typed = [["ehr", "age", str(30 + number)], ["ehr", "crp_mg_l", str(5 + 3 * number)]]
    return place, [adapter, f"case-{number}", json.dumps(typed), *values[3:]]


def _asked(one: Visitor, pages: Mapping[str, Any], adapter: str, number: int) -> tuple[str, float]:
    """What the page shows of an answer, and the seconds until it was there."""
    started = time.perf_counter()
    shown = one.answer(one.ask(*_question(pages, adapter, number)))[0]
    seconds = time.perf_counter() - started
    return re.sub(r"[\d.]+ s\b", "", str(shown)), seconds  # without the time that it took


def _together(
    visitors: Sequence[Visitor], pages: Mapping[str, Any], adapter: str
) -> list[tuple[str, float]]:
    with ThreadPoolExecutor(len(visitors)) as pool:
        asked = enumerate(visitors)
        return list(pool.map(lambda each: _asked(each[1], pages, adapter, each[0]), asked))


def _wait_for(address: str) -> None:
    import httpx

    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        try:
            httpx.get(address, timeout=30)
            return
        except httpx.TransportError:
            time.sleep(0.2)
    raise RuntimeError("the server gave no page")


def section(found: Mapping[str, Any]) -> str:
    """The part's page."""

    def row(name: str, seconds: Sequence[float]) -> str:
        return f"| {name} | {statistics.median(seconds):.2f} | {_p95(seconds):.2f} |"

    ratio = _p95(found["busy_seconds"]) / _p95(found["idle_seconds"])
    return "\n".join(
        [
            "| | median, s | 95th percentile, s |",
            "|---|---|---|",
            row("one at a time", found["alone_seconds"]),
            row(f"{AT_ONCE} at once", found["idle_seconds"]),
            row(f"{AT_ONCE} at once while a run trains", found["busy_seconds"]),
            f"| **ratio of the last two** (at most 5) | | **{ratio:.1f}** |",
            "",
            f"{found['wrong']} of {3 * AT_ONCE} pages showed anything else than asked alone; "
            f"{found['different']} of the {AT_ONCE} answers differ from each other. The server "
            f"held {found['mb'][0]:.0f} MB before and {found['mb'][1]:.0f} MB after two times "
            f"{AT_ONCE}. Behind {found['gone']} questions of browsers that had gone, an answer "
            f"came after {found['after_gone_seconds']:.1f} s.",
        ]
    )


def _p95(seconds: Sequence[float]) -> float:
    return sorted(seconds)[max(0, int(0.95 * len(seconds)) - 1)]
