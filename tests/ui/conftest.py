"""A studio in a folder of its own and small things for its pages to show."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fmstudio.studio import Studio

Table = Callable[..., Path]
PATIENCE_MS = 120_000  # for whatever a page is waited for, on a machine that does much else

with contextlib.suppress(ImportError):
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    with Studio.open(tmp_path / "home") as studio:
        yield studio


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """Writes a manifest of 40 patients with two values, a note, an outcome and, if asked, a site."""

    def write(folder: str = "cases", rows: int = 40, site: bool = False) -> Path:
        path = tmp_path / folder / "manifest.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            more = ["site"] if site else []
            writer.writerow(["case_id", "patient_id", "age", "crp", "note", "label_ill", *more])
            for i in range(rows):
                note = f"Cough and fever for {i % 5} days; chest clear at the bases on day {i}."
                own = ["AB"[i % 2]] if site else []
                writer.writerow(
                    [f"c{i}", f"p{i}", 30 + 7 * i % 50, 13 * i % 90, note, i % 3 == 0, *own]
                )
        return path

    return write


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)
