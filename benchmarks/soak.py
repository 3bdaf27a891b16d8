"""One process that predicts, imports, reports and draws pages over and over: does it grow?

Resident memory, open files and threads are read after each round; what is counted is the growth
after the first quarter, when everything that is loaded once has been loaded.
"""

from __future__ import annotations

import ctypes
import gc
import os
import tempfile
import time
from argparse import Namespace
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks.large_table import write_table

if TYPE_CHECKING:
    from fmstudio.studio import Studio

TITLE = "Soak"
ROWS = 300


def measure(options: Namespace, before: Mapping[str, Any]) -> dict[str, Any]:
    """MB, open files and threads after each round, and the MB that the allocator keeps unused."""
    from fmstudio.studio import Studio

    own, samples = psutil.Process(), []
    with (
        tempfile.TemporaryDirectory(dir=options.work) as folder,
        Studio.open(Path(folder, "home")) as studio,
    ):
        sample = studio.demo()
        table = write_table(Path(folder, "table") / "table.csv", ROWS, 8, 5)
        handlers = _handlers(studio)
        began = time.monotonic()
        while time.monotonic() - began < 60 * options.minutes or len(samples) < 8:
            _round(studio, sample, table, handlers, len(samples))
            gc.collect()
            samples.append(
                {
                    "seconds": time.monotonic() - began,
                    "mb": own.memory_info().rss / 1e6,
                    "files": own.num_fds(),
                    "threads": own.num_threads(),
                    "children_mb": sum(c.memory_info().rss for c in own.children(True)) / 1e6,
                }
            )
        kept = own.memory_info().rss / 1e6
        with suppress(OSError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)
        unused = kept - own.memory_info().rss / 1e6
    return {
        "samples": samples,
        "unused_mb": unused,
        "arenas": os.environ.get("MALLOC_ARENA_MAX", ""),
    }


def _round(studio: Studio, sample: Any, table: Path, handlers: list[Any], number: int) -> None:
    """What a ward does in an hour: ten answers, a cohort with its report, every page."""
    for case in range(10):
        studio.predictions.predict(sample.adapter, sample.sources, f"case-{number}-{case}")
    project = studio.projects.create(f"round {number}", "binary", "label_ill")
    studio.cohorts.add(project.id, table, copy=number % 2 == 0)
    studio.cohorts.report(project.id)
    for handler, inputs, wanted in handlers:
        request = SimpleNamespace(query_params={"project": str(project.id)})
        handler(*[None] * inputs, *[request] * max(0, wanted - inputs))
    studio.evaluation.evaluate(sample.adapter)
    studio.projects.delete(project.id)


def _handlers(studio: Studio) -> list[tuple[Any, int, int]]:
    """Every handler that a page calls as it is opened, its inputs, and how many it wants."""
    import inspect

    from fmstudio.ui.shell import build

    return [
        (one.fn, len(one.inputs), len(inspect.signature(one.fn).parameters))
        for one in build(studio).fns.values()
        if one.fn is not None and "load" in {event for _, event in one.targets}
    ]


def section(found: Mapping[str, Any]) -> str:
    """The part's page."""
    samples = found["samples"]
    settled, last = samples[len(samples) // 4], samples[-1]
    rows = []
    for name, key in (
        ("resident memory, MB", "mb"),
        ("open files", "files"),
        ("threads", "threads"),
        ("readers' memory, MB", "children_mb"),
    ):
        growth = last[key] / settled[key] - 1
        rows.append(f"| {name} | {settled[key]:.0f} | {last[key]:.0f} | **{growth:+.1%}** |")
    minutes = last["seconds"] / 60
    return (
        "| | after a quarter of the time | at the end | growth (at most 5 %) |\n|---|---|---|---|\n"
        + "\n".join(rows)
        + f"\n\n{len(samples)} rounds in {minutes:.0f} minutes, each of ten answers, a cohort of "
        f"{ROWS} rows with its report, all pages and an evaluation. Of the memory at the end "
        f"{found['unused_mb']:.0f} MB was free inside the allocator."
    )
