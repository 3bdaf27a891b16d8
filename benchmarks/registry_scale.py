"""Pages and lists on a registry of ten thousand runs and a million answers.

Both registries are filled through the real tables, the large one in bulk: its log has a line for
each answer, whose seals are not computed. What is measured is what a person waits for: every
handler that a page calls as it is opened, and every command that lists, from open to answer.
"""

from __future__ import annotations

import inspect
import io
import json
import statistics
import tempfile
import time
import zipfile
from argparse import Namespace
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks.command import ROOT

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from fmstudio.studio import Studio

TITLE = "A registry of many years"
SMALL, LARGE = (4, 40, 400), (200, 10_000, 1_000_000)  # projects, runs, answers
REPEATS = 7
LISTS = ("project list", "run list", "run list --skip 9000", "adapter list", "base list")
STEP = timedelta(minutes=1)
BEGAN = datetime(2020, 1, 1, tzinfo=UTC)


def measure(options: Namespace, before: Mapping[str, Any]) -> dict[str, Any]:
    """Milliseconds of everything on both registries, and how large they are."""
    return {
        name: _measured(options.work, *sizes)
        for name, sizes in (("small", SMALL), ("large", LARGE))
    }


def _measured(work: Path, projects: int, runs: int, answers: int) -> dict[str, Any]:
    from fmstudio.registry.faults import FILE
    from fmstudio.registry.named import named_folders
    from fmstudio.studio import Studio

    load = []
    with tempfile.TemporaryDirectory(dir=work) as folder:
        home = Path(folder)
        with Studio.open(home) as studio:
            fill(studio, projects, runs, answers)
        with Studio.open(home) as studio:  # with the copy that the first opening of a day makes
            load.append(psutil.getloadavg()[0])
            timed = _handlers(studio) | _verbs(studio)
            whole = {"the folders that rows name": _median(lambda: named_folders(studio.registry))}
        timed |= {
            f"`{words}`": _median(lambda w=words: _command(home, w))
            for words in (
                "project list",
                "run list",
                "adapter list",
                "run list --skip 9000",
                "base list",
            )
        }
        load.append(psutil.getloadavg()[0])
        whole |= {
            f"`{words} --json`": _median(lambda w=words: _command(home, f"{w} --json"))
            for words in ("run list", "adapter list", "base list")
        }
        size = (home / FILE).stat().st_size / 1e6
    return {
        "projects": projects,
        "runs": runs,
        "answers": answers,
        "mb": size,
        "ms": timed,
        "whole_ms": whole,
        "load": load,
    }


def fill(studio: Studio, projects: int, runs: int, answers: int) -> None:
    """Projects with a cohort each, runs with an adapter each, and answers of all adapters."""
    from sqlalchemy import insert

    from fmstudio.registry.tables import Adapter, Alias, Cohort, ModelUse, Project, Run

    card = json.loads(zipfile.ZipFile(ROOT / "assets/sample_adapter.zip").read("card.json"))
    task = {
        "kind": "binary",
        "columns": ["ill"],
        "labels": ["no", "yes"],
        "positive": "yes",
        "description": "Will this patient become ill?",
        "moment": None,
    }
    summary = {
        "cases": 400,
        "patients": 400,
        "modalities": {"ehr": 400, "notes": 380, "radiology": 350},
        "labels": {"no": 264, "yes": 136},
        "splits": {"train": 280, "validation": 60, "test": 60},
        "findings": [],
    }
    with studio.registry.writing() as session:
        session.execute(
            insert(Project),
            [
                {
                    "id": n,
                    "name": f"Question {n}",
                    "task": task,
                    "sample": False,
                    "created_at": BEGAN + n * STEP,
                }
                for n in range(1, projects + 1)
            ],
        )
        session.execute(
            insert(Cohort),
            [
                {
                    "id": n,
                    "project_id": n,
                    "name": "2020",
                    "manifest": f"/data/{n}.csv",
                    "roles": {"ill": "label"},
                    "fingerprint": f"{n:064x}",
                    "summary": summary,
                    "created_at": BEGAN + n * STEP,
                }
                for n in range(1, projects + 1)
            ],
        )
        for start in range(0, runs, 500):
            few = range(start, min(start + 500, runs))
            own = {n: n % projects + 1 for n in few}
            session.execute(
                insert(Adapter),
                [
                    {
                        "id": f"adapter-{n:06x}",
                        "project_id": own[n],
                        "run_id": None,
                        "sealed": None,
                        "name": f"Adapter {n}",
                        "card": card,
                        "created_at": BEGAN + n * STEP,
                    }
                    for n in few
                ],
            )
            uses = [{"adapter_id": f"adapter-{n:06x}", "model": card["base"]} for n in few]
            session.execute(insert(ModelUse), uses)
            session.execute(insert(Run), [_run(n, own[n], card) for n in few])
        session.execute(
            insert(Alias),
            [
                {
                    "project_id": n % projects + 1,
                    "name": "champion",
                    "adapter_id": f"adapter-{n:06x}",
                }
                for n in range(runs - projects, runs)
            ],
        )
        _answers(session, runs, answers)


def _run(number: int, project: int, card: Mapping[str, Any]) -> dict[str, Any]:
    from dataclasses import asdict

    from fmstudio.records import Progress
    from fmstudio.run_config import RunConfig

    at = BEGAN + number * STEP
    result = {"metrics": card["metrics"], "n": card["n"], "adapter": f"adapter-{number:06x}"}
    return {
        "id": f"run-{number:06x}",
        "project_id": project,
        "cohort_id": project,
        "kind": "finetune",
        "status": "finished",
        "config": RunConfig().as_dict(),
        "base": "embedded",
        "progress": asdict(Progress("finished", 1.0)),
        "result": card | result,
        "adapter_id": f"adapter-{number:06x}",
        "created_at": at,
        "queued_at": at,
        "started_at": at,
        "ended_at": at + STEP,
        "heartbeat_at": at + STEP,
    }


def _answers(session: Session, adapters: int, answers: int) -> None:
    """Rows of predictions and lines of the log, made by SQLite itself: a million in seconds."""
    from sqlalchemy import text

    output = {
        "adapter": "adapter-000000",
        "case_id": "case",
        "task": "binary",
        "prediction": "yes",
        "probabilities": {"no": 0.31, "yes": 0.69},
        "conformal_set": ["yes"],
        "coverage": 0.9,
        "contributions": {"ehr": 0.21, "notes": -0.04, "radiology": 0.11},
        "baseline": 0.41,
        "used": ["ehr", "notes", "radiology"],
        "missing": ["audio", "video", "device_logs"],
        "guard": {"unlike": False, "share": 0.4},
        "unvalidated": False,
        "seconds": 0.2,
    }
    inputs = {"ehr": ["0" * 64], "notes": ["1" * 64], "radiology": ["2" * 64]}
    given = {
        "n": answers,
        "adapters": adapters,
        "output": json.dumps(output),
        "inputs": json.dumps(inputs),
        "seal": "e" * 64,
    }
    numbers = (
        "WITH RECURSIVE numbers(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < :n) "
    )
    session.execute(
        text(
            "INSERT INTO predictions (adapter_id, case_id, inputs, output, created_at) "
            + numbers
            + "SELECT printf('adapter-%06x', i % :adapters), 'case ' || i, :inputs, :output, "
            "'2026-01-01 00:00:00.000000' FROM numbers"
        ),
        given,
    )
    session.execute(
        text(
            "INSERT INTO events (at, kind, subject, details, previous, hash) "
            + numbers
            + "SELECT '2026-01-01 00:00:00.000000', 'prediction made', "
            "printf('adapter-%06x', i % :adapters), :inputs, :seal, :seal FROM numbers"
        ),
        given,
    )


def _handlers(studio: Studio) -> dict[str, float]:
    """Milliseconds of all that each page calls as it is opened, by its title."""
    from fmstudio.contracts import discover
    from fmstudio.ui.shell import build

    app = build(studio)
    pages = sorted(discover("fmstudio.ui.pages", "PAGE").values(), key=lambda page: page.order)
    found = {}
    for page in pages:
        opened = [
            (handler.fn, len(handler.inputs))
            for handler in app.fns.values()
            if handler.page == page.path
            and handler.fn is not None
            and ("load" in {event for _, event in handler.targets})
        ]
        for query in ({}, {"page": "100"} if page.name in ("runs", "adapters") else {}):
            request = SimpleNamespace(query_params=query)
            name = f"page {page.title}" + (", page 100 of the list" if query else "")
            found[name] = _median(lambda all=opened, to=request: [_called(*one, to) for one in all])
    return found


def _called(handler: Callable[..., Any], inputs: int, request: Any) -> Any:
    """A handler that a page calls as it is opened: nothing is chosen yet, and the request."""
    more = len(inspect.signature(handler).parameters) - inputs
    return handler(*[None] * inputs, *[request] * max(0, more))


def _verbs(studio: Studio) -> dict[str, float]:
    newest = studio.adapters.list(limit=1)[0].id
    return {
        "the newest answers": _median(lambda: studio.predictions.list()),
        "the newest answers of an adapter": _median(lambda: studio.predictions.list(newest)),
        "answers before the 1000th": _median(lambda: studio.predictions.list(before=1000)),
        "an answer kept": _median(
            lambda: studio.registry.add_prediction(newest, "case", {"ehr": ["0" * 64]}, {})
        ),
    }


def _command(home: Path, words: str) -> None:
    from fmstudio.cli import main

    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        status = main([*words.split(), "--home", str(home)])
    assert status == 0, said.getvalue()


def _median(work: Callable[[], Any]) -> float:
    """Milliseconds of the work, the median of a few times after one that is not counted."""
    work()
    spent = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        spent.append(1000 * (time.perf_counter() - started))
    return statistics.median(spent)


def section(found: Mapping[str, Any]) -> str:
    """The part's page."""
    small, large = found["small"], found["large"]
    rows = [
        f"| {name} | {small['ms'][name]:.0f} | **{ms:.0f}** | {ms / small['ms'][name]:.1f} |"
        for name, ms in large["ms"].items()
    ]
    return (
        f"| | {_size(small)}, ms | {_size(large)}, ms (at most 300) | ratio |\n|---|---|---|---|\n"
        + "\n".join(rows)
        + "\n\nWhat gives or reads whole records on the larger one: "
        + ", ".join(f"{name} {ms / 1000:.1f} s" for name, ms in large["whole_ms"].items())
        + " (the folders at each start; JSON has all of 100 runs or adapters, and all adapters of "
        f"each base). Meanwhile {_load(small)} and {_load(large)} processes wanted a core."
    )


def _load(one: Mapping[str, Any]) -> str:
    return " to ".join(f"{load:.1f}" for load in sorted(one["load"]))


def _size(one: Mapping[str, Any]) -> str:
    return f"{one['runs']:,} runs and {one['answers']:,} answers ({one['mb']:,.0f} MB)"
