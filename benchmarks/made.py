"""Projects on generated cohorts, made once per working folder and used by several parts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.command import ROOT, studio

PROJECT = "made"
LABEL = "label_deterioration"


def made_cohort(work: Path, cases: int, seed: int = 0) -> Path:
    """The manifest of a generated six-modality cohort."""
    folder = work / f"cohort-{cases}-{seed}"
    manifest = folder / "manifest.csv"
    if not manifest.is_file():  # written last by the generator
        script = ROOT / "data_samples" / "generate.py"
        subprocess.run(
            [
                sys.executable,
                script,
                folder,
                "--cases",
                str(cases),
                "--seed",
                str(seed),
                "--workers",
                "2",
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    return manifest


def made_project(home: Path, manifest: Path) -> None:
    """A project on a generated cohort, the site left out as it is not an input."""
    studio(
        home, "project", "create", PROJECT, "--task", "binary", "--label", LABEL, "--positive", "1"
    )
    studio(home, "cohort", "add", PROJECT, manifest)
