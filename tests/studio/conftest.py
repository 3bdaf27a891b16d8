"""A studio in a folder of its own, tables of cases, the command line in this process."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fmstudio.__main__ import main
from fmstudio.records import AdapterRecord
from fmstudio.studio import Studio
from fmstudio.types import Prediction

Table = Callable[..., Path]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def studio(home: Path) -> Iterator[Studio]:
    with Studio.open(home) as studio:
        yield studio


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """Writes a manifest of `rows` patients; keywords replace or, with None, remove columns."""

    def write(name: str = "cases/manifest.csv", rows: int = 30, **columns: Any) -> Path:
        found: dict[str, Sequence[Any] | None] = {
            "case_id": [f"c{i}" for i in range(rows)],
            "patient_id": [f"p{i}" for i in range(rows)],
            "age": [30 + (7 * i) % 50 for i in range(rows)],
            "crp": [(13 * i) % 90 + 40 * (i % 3 == 0) for i in range(rows)],
            "label_ill": [int(i % 3 == 0) for i in range(rows)],
        } | columns
        kept = {column: cells for column, cells in found.items() if cells is not None}
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(kept)
            writer.writerows(zip(*kept.values(), strict=True))
        return path

    return write


@dataclass(frozen=True)
class Said:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The error's line, if standard error is an error and its hint and nothing else."""
        first, second = self.err.splitlines()
        assert first.startswith("error: ")
        assert second.startswith("hint: ")
        assert len(second) > len("hint: ")
        return first.removeprefix("error: ")


Run = Callable[..., Said]


@pytest.fixture
def run(home: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command on the home folder in this process."""

    def command(*words: object) -> Said:
        capsys.readouterr()
        status = main([*map(str, words), "--home", str(home)])
        captured = capsys.readouterr()
        return Said(status, captured.out, captured.err)

    return command


class Answering:
    """Stands for a loaded adapter: the probability is the age in hundreds."""

    def __init__(self, adapter_id: str, task: str = "binary") -> None:
        self.adapter_id, self.task = adapter_id, task

    def predict(self, sources: Any, case_id: str = "case") -> Prediction:
        age = next(float(s.text) for s in sources["ehr"] if s.name == "age")
        chances = {"0": 1 - age / 100, "1": age / 100}
        shared = {
            "adapter": self.adapter_id,
            "case_id": case_id,
            "task": self.task,
            "contributions": {"ehr": 0.1},
            "baseline": 0.5,
            "used": ("ehr",),
            "missing": ("notes", "audio"),
            "warnings": ("=Read with care.",),
        }
        if self.task == "regression":
            return Prediction(
                prediction=None, probabilities={}, value=-age, interval=(-99.5, 0.0), **shared
            )
        return Prediction(
            prediction=max(chances, key=chances.__getitem__),
            probabilities=chances,
            conformal_set=("0", "1"),
            **shared,
        )


@pytest.fixture
def adapter(studio: Studio, table: Table, monkeypatch: pytest.MonkeyPatch) -> AdapterRecord:
    """An adapter of the project 'ill', answered for by `Answering`."""
    if not studio.projects.list():
        studio.projects.create("ill", "binary")
        studio.cohorts.add("ill", table("known/manifest.csv"))
    task = studio.projects.get("ill").task
    card = {
        "name": "ill",
        "task": {
            "kind": task.kind,
            "columns": list(task.columns),
            "labels": list(task.labels),
            "positive": task.positive,
            "description": "",
        },
        "modalities": ["ehr"],
        "columns": {"ehr": ["age", "crp"]},
        "metrics": {},
    }
    record = studio.registry.add_adapter(
        studio.registry.new_adapter_id(), studio.projects.get("ill").id, None, "ill", card
    )
    monkeypatch.setattr(
        "fmstudio.studio.loaded.Loaded.predictor",
        lambda self, adapter_id, folder, sealed=None: Answering(adapter_id, task.kind),
    )
    return record
