"""A small generated cohort, made ready once for all tests of training and prediction."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from data_samples.generate import generate
from fmstudio.cohort import build_cohort, make_task, propose_roles, read_manifest
from fmstudio.records import Point, Progress, ProjectRecord, RunRecord
from fmstudio.run_config import RunConfig
from fmstudio.settings import Settings
from fmstudio.types import Cohort


class Recorder:
    """A reporter that keeps what it is told, and asks for a stop after so many questions."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.stop_after, self.asked = stop_after, 0
        self.curve: dict[tuple[str, int], float] = {}
        self.messages: list[str] = []

    def progress(self, progress: Progress) -> None:
        self.last = progress
        self.messages.append(progress.message)

    def points(self, points: Sequence[Point]) -> None:
        self.curve |= {(p.name, p.step): p.value for p in points}

    def should_stop(self) -> bool:
        self.asked += 1
        return self.stop_after is not None and self.asked > self.stop_after


@pytest.fixture(scope="session")
def settings(tmp_path_factory) -> Settings:
    return Settings(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def cohort(tmp_path_factory) -> Cohort:
    manifest = read_manifest(generate(tmp_path_factory.mktemp("cohort"), 40, seed=5))
    roles = {c.column: c.role for c in propose_roles(manifest)}
    return build_cohort(manifest, roles, make_task(manifest, roles, "binary"), "made")


@pytest.fixture(scope="session")
def light(cohort) -> Cohort:
    """The same cohort without the modalities that take long to read."""
    from fmstudio.contracts import pipeline

    kept = tuple(m for m in cohort.modalities if pipeline(m).kind in ("table", "text"))
    return dataclasses.replace(cohort, modalities=kept)


@pytest.fixture
def project(cohort) -> ProjectRecord:
    return ProjectRecord(1, "Made", cohort.task, datetime.now(UTC))


def run_record(**changes) -> RunRecord:
    config = RunConfig.from_preset("quick", **changes)
    return RunRecord(
        "run-test",
        1,
        1,
        "finetune",
        "running",
        config.as_dict(),
        config.base,
        Progress(),
        datetime.now(UTC),
    )
