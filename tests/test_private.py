"""What lies in a home is its user's alone."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from fmstudio.private import tighten
from fmstudio.settings import Settings
from fmstudio.studio import Studio

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(os.name != "posix", reason="rights as POSIX has them")


def open_to_others(home: Path) -> list[str]:
    """What in a home others have rights on."""
    return [
        str(path.relative_to(home))
        for path in (home, *home.rglob("*"))
        if not path.is_symlink() and stat.S_IMODE(path.stat().st_mode) & 0o077
    ]


def test_every_folder_that_is_made_is_private_and_so_are_those_above_it(tmp_path):
    settings = Settings(tmp_path / "new" / "home")
    settings.folder("runs/run-1/deep")

    assert open_to_others(settings.home) == []


def test_an_older_home_is_tightened_when_it_is_opened_and_wholly_by_the_app(tmp_path):
    home = tmp_path / "home"
    outside = tmp_path / "outside.txt"
    outside.write_text("not ours")
    outside.chmod(0o644)
    for name in ("runs/run-1/checkpoints", "cohorts/a"):
        (home / name).mkdir(parents=True)
        (home / name / "file").write_text("a patient")
        (home / name / "file").chmod(0o664)
    (home / "cohorts" / "link").symlink_to(outside)
    for folder in (home, *home.rglob("*")):
        if folder.is_dir():
            folder.chmod(0o755)
    assert len(open_to_others(home)) == 8
    tighten(home, deep=False)
    assert set(open_to_others(home)) <= {
        "runs/run-1",
        "runs/run-1/checkpoints",
        "cohorts/a",
        "runs/run-1/checkpoints/file",
        "cohorts/a/file",
    }
    assert tighten(home) == 5
    assert open_to_others(home) == []
    assert stat.S_IMODE(outside.stat().st_mode) == 0o644
    assert tighten(home) == 0


def test_the_studio_tightens_its_home(tmp_path):
    home = tmp_path / "home"
    with Studio.open(home) as studio:
        (home / "logs").mkdir(exist_ok=True)
        (home / "logs").chmod(0o755)
        home.chmod(0o755)
        (home / "logs" / "studio.log").write_text("")
        studio.tighten()
        assert open_to_others(home) == []
        home.chmod(0o755)
    with Studio.open(home):
        assert open_to_others(home) == []


def test_a_command_leaves_nothing_that_others_may_read(tmp_path):
    home = tmp_path / "home"
    command = [
        sys.executable,
        "-m",
        "fmstudio",
        "--home",
        str(home),
        "project",
        "create",
        "ill",
        "--task",
        "binary",
    ]
    done = subprocess.run(command, cwd=ROOT, umask=0o022, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert (home / "logs").is_dir()
    assert open_to_others(home) == []
