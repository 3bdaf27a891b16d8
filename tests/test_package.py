"""`pip install .` gives a studio that works anywhere, with its base, pages and sample."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKED = ("assets", "data_samples", "fmstudio", "pipelines")


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder into which pip has installed a copy of this checkout, without what it depends on."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("target")
    for name in PACKED:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "requirements.txt", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "--no-index",
            "--disable-pip-version-check",
            "--target",
            target,
            source,
        ],
        check=True,
        capture_output=True,
        timeout=280,
    )
    return target


def test_an_installed_studio_has_every_file_and_finds_its_parts(installed, tmp_path):
    kept = {
        path.relative_to(ROOT)
        for name in PACKED
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {path for path in kept if not (installed / path).is_file()} == set()
    assert (installed / "bin" / "fmstudio").is_file()

    said = subprocess.run(
        [sys.executable, "-m", "fmstudio", "doctor", "--json", "--home", tmp_path / "home"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(installed)},
        check=True,
        capture_output=True,
        text=True,
        timeout=280,
    )
    found = json.loads(said.stdout)
    assert len(found["modalities"]) == 6
    assert found["bases"]["embedded"] == "there"
    assert found["missing"] == []
