"""A project with a small real cohort on disk, and a run that waits."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from fmstudio.cohort import build_cohort, make_task, read_manifest
from fmstudio.records import ProjectRecord, RunRecord
from fmstudio.registry import Registry
from fmstudio.settings import Settings

ROLES = {"id": "case_id", "lactate": "ehr", "outcome": "label"}
Wait = Callable[[Callable[[], bool]], None]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "home")


@pytest.fixture
def registry(settings: Settings) -> Iterator[Registry]:
    """The registry; what a test left running is ended before its folder goes."""
    with Registry.open(settings, busy_seconds=10) as registry:
        yield registry
        for run in registry.runs(states=("waiting",)):
            registry.cancel_run(run.id)
        for run in registry.runs(states=("running",)):
            if run.pid not in (None, os.getpid()) and psutil.pid_exists(run.pid):
                psutil.Process(run.pid).kill()


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Thirty cases with one laboratory value."""
    rows = [f"c{number},{number / 10},{'yes' if number % 3 == 0 else 'no'}" for number in range(30)]
    path = tmp_path / "manifest.csv"
    path.write_text("\n".join(["id,lactate,outcome", *rows]) + "\n")
    return path


@pytest.fixture
def project(registry: Registry, manifest: Path) -> ProjectRecord:
    table = read_manifest(manifest)
    task = make_task(table, ROLES, "binary")
    project = registry.create_project("Sepsis", task)
    cohort = build_cohort(table, ROLES, task, "2024")
    registry.add_cohort(project.id, cohort.name, manifest, ROLES, cohort.fingerprint, {})
    return project


@pytest.fixture
def new_run(registry: Registry, project: ProjectRecord) -> Callable[[], RunRecord]:
    def make() -> RunRecord:
        cohort = registry.cohorts(project.id)[0]
        return registry.create_run(project.id, cohort.id, "finetune", {"rank": 8}, "embedded")

    return make


@pytest.fixture
def run(new_run: Callable[[], RunRecord]) -> RunRecord:
    return new_run()


@pytest.fixture
def wait() -> Wait:
    """Wait for something to become true; fails after three minutes."""

    def until(condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 180
        while not condition():
            assert time.monotonic() < end, "it did not happen within three minutes"
            time.sleep(0.05)

    return until
