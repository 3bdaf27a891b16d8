"""Damaged files given to every reader: read in standard form, refused by name, or an escape; then
damaged manifests, recipes, bundles and checkpoints to what reads those.

An escape is what no user should meet: a fault of the studio, a value that is not a number, a file
that stops its reading process, or one that takes longer than the limit.
"""

from __future__ import annotations

import tempfile
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fuzz_forms import forms, outcomes
from data_samples.damage import damaged, whole_files
from fmstudio.errors import StudioError
from fmstudio.sandbox import Reader
from fmstudio.settings import Limits
from fmstudio.standard_form import deviation
from fmstudio.types import ModalityInput, Source

TITLE = "Damaged files"
SECONDS = 10.0  # that a damaged file may take
STOPPED = ("stopped without an answer", "took longer than", "needs more than")


def measure(options: Namespace, before: Mapping[str, Any]) -> dict[str, Any]:
    """Outcomes of `options.files` damaged files of each reader."""
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        whole = whole_files(_made(Path(folder) / "whole"))
        found = {
            name: _outcomes(name, paths, options.files, _made(Path(folder) / name))
            for name, paths in whole.items()
        }
        place = _made(Path(folder) / "forms")
        for name, form in forms(place).items():
            found[name] = outcomes(name, form, options.files, place)
    return {"readers": found}


def _outcomes(name: str, whole: Sequence[Path], count: int, folder: Path) -> dict[str, Any]:
    started, outcomes, escapes = time.monotonic(), Counter[str](), []
    with Reader(Limits(read_seconds=SECONDS), workers=2) as reader:
        for key, read in reader.read_many(_jobs(name, whole, count, folder)):
            outcome, words = judged(key.name, read)
            outcomes[outcome] += 1
            if outcome not in ("read", "refused"):
                escapes.append(words)
            key.unlink()
    seconds = time.monotonic() - started
    return {"files": count, "seconds": seconds, "escapes": escapes[:20], **outcomes}


def _jobs(
    name: str, whole: Sequence[Path], count: int, folder: Path
) -> Iterator[tuple[Path, str, list[Source]]]:
    rng = np.random.default_rng(sum(name.encode()))
    contents = [(path.name, path.read_bytes()) for path in whole]
    for number in range(count):
        origin, content = contents[number % len(contents)]
        path = folder / f"{number}-{origin}"
        path.write_bytes(damaged(content, rng))
        yield path, name, [Source("damaged", path)]


def judged(name: str, read: ModalityInput | StudioError) -> tuple[str, str]:
    """'read', 'refused', 'limit' or 'escape', and what to say of it."""
    if isinstance(read, ModalityInput):
        wrong = deviation(read)
        return ("escape", f"{name}: {wrong}") if wrong else ("read", "")
    if any(words in read.message for words in STOPPED):
        return "limit", read.message
    unexplained = "cannot be read (" in read.message or name not in read.message or not read.hint
    return ("escape", read.message) if unexplained else ("refused", "")


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def section(found: Mapping[str, Any]) -> str:
    """The part's page."""
    lines = [
        "| reader | files | read | refused | stopped by a limit | escapes | files a second |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in found["readers"].items():
        cells = [row["files"], *(row.get(key, 0) for key in ("read", "refused", "limit"))]
        rate = row["files"] / row["seconds"]
        lines.append(
            f"| {name} | {' | '.join(map(str, cells))} | **{row.get('escape', 0)}** | {rate:.0f} |"
        )
    escapes = [words for row in found["readers"].values() for words in row["escapes"]]
    return "\n".join(lines) + "".join(f"\n- {words}" for words in escapes[:20])
