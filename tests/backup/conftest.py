"""A home that holds one of everything that is kept, with small made-up files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from fmstudio.registry import Registry
from fmstudio.settings import Settings
from fmstudio.types import TaskSpec

TASK = TaskSpec("binary", ("outcome",), ("no", "yes"), "yes", "Will it happen?")
Put = Callable[[str, bytes], Path]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "home of a studio")


@pytest.fixture
def put(settings: Settings) -> Put:
    """Writes a file below home."""

    def write(name: str, content: bytes) -> Path:
        path = settings.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return write


@pytest.fixture
def registry(settings: Settings, put: Put):
    """A project, a copied cohort and one elsewhere, a run, an adapter, a base, a prediction."""
    with Registry.open(settings, busy_seconds=10) as registry:
        project = registry.create_project("Sepsis", TASK)
        table = put("cohorts/0123abcd/manifest.csv", b"id,outcome\nc1,yes\n")
        put("cohorts/0123abcd/films/a film.dcm", bytes(range(256)) * 300)
        for manifest in (table, Path("/elsewhere/manifest.csv")):
            registry.add_cohort(
                project.id, "2024", manifest, {"outcome": "label"}, "f" * 64, {"cases": 1}
            )
        run = registry.create_run(project.id, 1, "finetune", {"rank": 8}, "embedded")
        put(f"runs/{run.id}/checkpoint-0.safetensors", b"weights" * 500)
        put(f"runs/{run.id}/half.tmp", b"being written")
        registry.cancel_run(run.id)
        seal = put("adapters/adapter-00000a/manifest.json", b'{"format": 2}')
        put("adapters/adapter-00000a/adapter/adapter_model.safetensors", b"w" * 1000)
        sealed = hashlib.sha256(seal.read_bytes()).hexdigest()
        registry.add_adapter("adapter-00000a", project.id, run.id, "first", {}, sealed)
        registry.set_alias("adapter-00000a", "champion")
        put("bases/ours/model.safetensors", b"base")
        registry.add_prediction(
            "adapter-00000a", "case 7", {"ehr": ["a" * 64]}, {"prediction": "yes"}
        )
        yield registry
