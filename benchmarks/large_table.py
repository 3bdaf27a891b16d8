"""`cohort add` of a hundred thousand rows, three hundred columns, five thousand categories.

Tables are drawn here, with numbers, categories, notes and an outcome that one number tells a little
of. What is measured is the command as a person gives it: its time, and the most memory of its
process and of the one that reads the table.
"""

from __future__ import annotations

import csv
import random
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from benchmarks.command import CommandFailed, peak_mb, studio

TITLE = "Large tables"
TABLES = {
    "100,000 rows, 10 columns": (100_000, 10, 5),
    "1,000 rows, 300 columns": (1_000, 300, 5),
    "10,000 rows, 5,000 categories in a column": (10_000, 10, 5_000),
}
WORDS = (
    "cough",
    "fever",
    "dyspnoea",
    "chest",
    "clear",
    "oedema",
    "pain",
    "none",
    "stable",
    "acute",
)


def measure(options: Namespace, before: Mapping[str, Any]) -> dict[str, Any]:
    """Seconds and MB of each table."""
    return {"tables": {name: _added(options.work, *shape) for name, shape in TABLES.items()}}


def write_table(path: Path, rows: int, columns: int, categories: int) -> Path:
    """A manifest of as many patients as rows."""
    drawn = random.Random(0)
    names = [f"value_{n}" for n in range(columns)]
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["case_id", "patient_id", *names, "ward", "note", "label_ill"])
        for row in range(rows):
            values = [round(drawn.gauss(50, 12), 1) for _ in names]
            ill = int(values[0] + drawn.gauss(0, 12) > 60)
            note = f"{' '.join(drawn.choices(WORDS, k=6))} on day {row % 30}."
            ward = f"ward {drawn.randrange(categories)}"
            writer.writerow([f"c{row}", f"p{row}", *values, ward, note, ill])
    return path


def _added(work: Path, rows: int, columns: int, categories: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(dir=work) as folder:
        home = Path(folder)
        table = write_table(home / "table.csv", rows, columns, categories)
        studio(home, "project", "create", "large", "--task", "binary", "--label", "label_ill")
        command = [
            sys.executable,
            "-m",
            "fmstudio",
            "cohort",
            "add",
            "large",
            str(table),
            "--home",
            str(home),
            "--json",
        ]
        started = time.perf_counter()
        with (home / "said.txt").open("wb") as said:
            adding = subprocess.Popen(command, stdout=said, stderr=said)
            peaks: dict[int, float] = {}
            together = 0.0
            while adding.poll() is None:
                family = [adding.pid, *(c.pid for c in psutil.Process(adding.pid).children(True))]
                peaks |= {pid: max(peaks.get(pid, 0.0), peak_mb(pid)) for pid in family}
                together = max(together, sum(_now_mb(pid) for pid in family))
                time.sleep(0.1)
        if adding.returncode:
            raise CommandFailed((home / "said.txt").read_text()[-600:])
        return {
            "seconds": time.perf_counter() - started,
            "mb": peaks[adding.pid],
            "together_mb": together,
            "file_mb": table.stat().st_size / 1e6,
        }


def _now_mb(pid: int) -> float:
    try:
        return float(psutil.Process(pid).memory_info().rss) / 1e6
    except psutil.Error:
        return 0.0


def section(found: Mapping[str, Any]) -> str:
    """The part's page."""
    rows = [
        f"| {name} ({one['file_mb']:.0f} MB) | {one['seconds']:.0f} | {one['mb']:.0f} | "
        f"**{one['together_mb']:.0f}** |"
        for name, one in found["tables"].items()
    ]
    return (
        "| table | time, s | peak of the command, MB | with its readers (at most 1,000), MB |\n"
        "|---|---|---|---|\n" + "\n".join(rows)
    )
