"""The doctor finds what is not as it should be in a home, and says what to do."""

import os
import sqlite3
import time
from contextlib import closing

import pytest

from fmstudio.doctor.home import CHECKS, look, sandbox
from fmstudio.errors import ResourceError
from fmstudio.records import ProjectRecord
from fmstudio.registry import Registry
from fmstudio.sandbox import Reader
from fmstudio.settings import Settings
from fmstudio.types import TaskSpec

HOUR = 3600
TASK = TaskSpec("binary", ("outcome",), ("no", "yes"), "yes", "Will it happen?")
QUICK = tuple(check for check in CHECKS if check is not sandbox)


@pytest.fixture
def settings(tmp_path) -> Settings:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return Settings(home)


@pytest.fixture
def registry(settings, monkeypatch):
    monkeypatch.setattr("fmstudio.doctor.home.CHECKS", QUICK)
    with Registry.open(settings) as registry:
        yield registry


@pytest.fixture
def project(registry) -> ProjectRecord:
    return registry.create_project("Sepsis", TASK)


@pytest.fixture
def found(settings, registry):
    """What is found, as (check, what) each; everything has something to do."""

    def run() -> list[tuple[str, str]]:
        findings = look(settings, registry)
        assert all(len(finding.do) > 20 for finding in findings)
        return [(finding.about, finding.what) for finding in findings]

    return run


def test_nothing_is_found_in_a_home_that_is_as_it_should_be(registry, project, found, settings):
    kept = settings.folder("cohorts/0123abcd") / "manifest.csv"
    kept.write_text("id,outcome\n")
    registry.add_cohort(project.id, "2024", kept, {"outcome": "label"}, "f" * 64, {})
    run = registry.create_run(project.id, 1, "finetune", {}, "embedded")  # it waits: no folder yet

    assert found() == []
    assert registry.runs() == [run]


def test_rows_without_files_and_files_without_rows_are_named(registry, project, found, settings):
    registry.add_cohort(
        project.id, "a", settings.home / "cohorts/01/m.csv", {"y": "label"}, "f" * 64, {}
    )
    registry.add_cohort(project.id, "b", "/nowhere/m.csv", {"y": "label"}, "f" * 64, {})
    registry.add_adapter("adapter-00000a", project.id, None, "first", {})
    old, new = settings.folder("cohorts/02"), settings.folder("runs/run-new")
    os.utime(old, (time.time() - 2 * HOUR,) * 2)

    assert found() == [
        (
            "row without files",
            "The files of the adapter adapter-00000a are gone: adapters/adapter-00000a.",
        ),
        ("row without files", "The files of the cohort 1 are gone: cohorts/01."),
        ("row without files", "The table of the cohort 2 is not where it was when it was added."),
        ("files without a row", "No row of the registry names cohorts/02."),
    ]
    assert new.is_dir()


def test_an_adapter_whose_files_were_changed_is_named(registry, project, found, settings):
    registry.add_adapter("adapter-00000a", project.id, None, "first", {}, "0" * 64)
    (settings.folder("adapters/adapter-00000a") / "card.json").write_text("{}")

    ((about, what),) = found()

    assert about == "adapter"
    assert what.startswith("The adapter adapter-00000a is damaged.")


def test_a_run_without_its_process_and_leftovers_are_named(registry, project, found, settings):
    run = registry.create_run(project.id, None, "finetune", {}, "embedded")
    registry.claim_next_run()
    settings.folder(f"runs/{run.id}")
    registry.attach_worker(run.id, os.getpid(), 0.0)  # the process of this id began later
    left = settings.folder("temp") / "upload"
    left.mkdir()
    os.utime(left, (time.time() - 25 * HOUR,) * 2)

    assert found() == [
        ("run", f"{run.id} is recorded as running, but its process is gone."),
        ("clean-up", "1 leftovers of broken-off work are to be cleared up."),
    ]


def test_a_row_that_points_to_nothing_and_open_rights_are_named(registry, project, found, settings):
    settings.home.chmod(0o755)
    registry.add_adapter("adapter-00000a", project.id, None, "first", {})
    with closing(sqlite3.connect(settings.home / "registry.sqlite")) as connection, connection:
        connection.execute("DELETE FROM projects")

    assert found()[:2] == [
        ("rights", "Other users of this computer may read the home folder."),
        ("registry", "Row 1 of 'adapters' points to a row of 'projects' that is not there."),
    ]


def test_the_sandbox_is_tried(settings, monkeypatch):
    assert list(sandbox(settings, None)) == []

    def refuse(*_):
        raise ResourceError("No memory.", hint="Close a program.")

    monkeypatch.setattr(Reader, "table", refuse)
    (finding,) = sandbox(settings, None)

    assert finding.about == "sandbox"
