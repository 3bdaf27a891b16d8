"""A fresh registry for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fmstudio.records import CohortRecord, ProjectRecord, RunRecord
from fmstudio.registry import Registry
from fmstudio.settings import Settings
from fmstudio.types import TaskSpec

TASK = TaskSpec("binary", ("outcome",), ("no", "yes"), "yes", "Will it happen?")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "home of a studio")


@pytest.fixture
def registry(settings: Settings) -> Iterator[Registry]:
    with Registry.open(settings, busy_seconds=5) as registry:
        yield registry


@pytest.fixture
def project(registry: Registry) -> ProjectRecord:
    return registry.create_project("Sepsis", TASK)


@pytest.fixture
def cohort(registry: Registry, project: ProjectRecord) -> CohortRecord:
    return registry.add_cohort(
        project.id, "2024", "/data/manifest.csv", {"outcome": "label"}, "f" * 64, {"cases": 40}
    )


@pytest.fixture
def run(registry: Registry, project: ProjectRecord, cohort: CohortRecord) -> RunRecord:
    return registry.create_run(project.id, cohort.id, "finetune", {"rank": 8}, "embedded")
