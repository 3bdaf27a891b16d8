"""A disk that is full is told as what it is, and what can be read is read."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fmstudio.errors import ReadOnlyRegistry, ResourceError
from fmstudio.types import Source

ROOT = Path(__file__).resolve().parents[2]
# Nothing that is written to a file can grow; the program's words go through pipes.
FULL = (
    "import resource, signal, sys\n"
    "from fmstudio.__main__ import main\n"
    "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
    "for words in sys.argv[2:]:\n"
    "    print(words, main([*words.split(), '--home', sys.argv[1]]), file=sys.stderr)\n"
)
READING = ("project list", "project show ill", "adapter list", "run list", "audit", "base list")
WRITING = ("project create other --task binary", "adapter alias ill/champion best", "demo")


@pytest.mark.skipif(os.name != "posix", reason="limits of a process are those of POSIX")
def test_every_command_that_reads_works_and_every_other_says_that_the_disk_is_full(
    home, studio, adapter
):
    studio.adapters.set_alias(adapter.id, "champion")
    studio.close()

    done = subprocess.run(
        [sys.executable, "-c", FULL, str(home), *READING, "adapter show ill/champion", *WRITING],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    lines = done.stderr.splitlines()
    assert [line for line in lines if line in {f"{words} 0" for words in READING}] == [
        f"{words} 0" for words in READING
    ], done.stderr
    assert "adapter show ill/champion 0" in lines
    for words in WRITING:
        assert f"{words} 2" in lines
    assert sum("disk" in line and line.startswith("error: ") for line in lines) == len(WRITING)
    assert sum(line.startswith("notice: The disk is full") for line in lines) >= len(READING)
    found = [word for word in ("damaged", "backup", "Traceback", "Logging") if word in done.stderr]
    assert found == [], done.stderr
    assert adapter.id in done.stdout


@pytest.mark.parametrize("kind", [ResourceError, ReadOnlyRegistry])
def test_an_answer_that_cannot_be_kept_is_given_and_says_so(studio, adapter, monkeypatch, kind):
    given = {"ehr": [Source("age", text="70"), Source("crp", text="12")]}
    kept = studio.predictions.predict(adapter.id, given)

    def full(*_args):
        raise kind("The registry cannot be written to.", hint="Free some space.")

    monkeypatch.setattr(studio.registry, "add_prediction", full)
    unkept = studio.predictions.predict(adapter.id, given)

    assert unkept.probabilities == kept.probabilities
    assert unkept.warnings[: len(kept.warnings)] == kept.warnings
    assert "not kept in the registry" in unkept.warnings[-1]
    assert len(studio.predictions.list()) == 1


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EIO, "The disk reports an error at manifest.csv."),
        (errno.ENOSPC, "The disk is full."),
    ],
)
def test_a_disk_that_fails_while_a_cohort_is_copied_is_named(
    run, studio, table, home, monkeypatch, number, said
):
    def fail(source, target, **_):
        raise OSError(number, os.strerror(number), str(source))

    studio.projects.create("ill", "binary")
    path = table()
    monkeypatch.setattr(shutil, "copyfile", fail)
    done = run("cohort", "add", "ill", path, "--copy")

    assert (done.status, done.error) == (2, said)
    assert list((home / "cohorts").glob("*")) == []
