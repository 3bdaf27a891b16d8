import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fmstudio.registry import Registry
from fmstudio.runs.clean_up import clean_up

HOUR = 3600


@pytest.fixture
def put(settings):
    """Put a file below home, changed some hours ago."""

    def make(name, hours):
        path = settings.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("content")
        for changed in (path, path.parent):
            os.utime(changed, (time.time() - hours * HOUR,) * 2)
        return path

    return make


def test_what_broken_off_work_left_is_removed(settings, registry, put):
    registry.record("studio started", "studio")
    lost = registry.new_adapter_id()
    old = [
        put("temp/upload-1/film.png", 25),
        put("temp/registry-1.new", 25),
        put("cache/abc.tmp", 2),
        put("bases.tmp", 2),
        put(f"adapters/{lost}/card.json", 2),
    ]

    removed = clean_up(settings, registry)

    assert not any(path.exists() for path in old)
    assert len(removed) == len(old)
    assert not (settings.home / "adapters" / lost).exists()


def test_what_is_in_use_stays(settings, registry, run, put):
    registry.attach_worker(run.id, os.getpid(), 0.0)
    fresh = registry.new_adapter_id()
    live = [
        put("temp/upload-1/film.png", 23),
        put("cache/abc.tmp", 0.5),
        put("cache/abc.safetensors", 1000),
        put(f"runs/{run.id}/checkpoint.tmp", 2),
        put(f"runs/{run.id}/log.txt", 1000),
        put(f"adapters/{fresh}/card.json", 0.5),
    ]

    assert clean_up(settings, registry) == []
    assert all(path.exists() for path in live)


def test_files_of_a_deleted_project_go_and_those_of_others_stay(
    settings, registry, project, run, put
):
    kept = registry.add_adapter("adapter-00000a", project.id, None, "kept", {})
    gone = registry.add_adapter("adapter-00000b", project.id, None, "gone", {})
    files = [put(f"adapters/{a.id}/card.json", 2) for a in (kept, gone)]
    log = put(f"runs/{run.id}/log.txt", 2)
    registry.delete_adapter(gone.id)
    clean_up(settings, registry)
    assert [path.exists() for path in (*files, log)] == [True, False, True]

    registry.cancel_run(run.id)
    registry.delete_project(project.id)
    clean_up(settings, registry)
    assert [path.exists() for path in (*files, log)] == [False, False, False]


def test_adapters_that_a_restored_registry_never_knew_are_not_thrown_away(settings, registry, put):
    made_since = put("adapters/adapter-123abc/card.json", 50)

    assert clean_up(settings, registry) == []
    assert made_since.exists()


def test_a_link_is_removed_and_not_what_it_leads_to(settings, registry, put, tmp_path):
    outside = tmp_path / "precious"
    outside.mkdir()
    (outside / "data.csv").write_text("a")
    link = settings.folder("temp") / "link"
    link.symlink_to(outside)
    os.utime(link, (0, 0), follow_symlinks=False)

    clean_up(settings, registry)

    assert not link.is_symlink()
    assert (outside / "data.csv").exists()


def test_an_empty_home_has_nothing_to_clean_up(settings):
    with Registry.open(settings) as registry:
        assert clean_up(settings, registry) == []


MAKER = """
import sys
from pathlib import Path
from fmstudio.marks import at_work
from fmstudio.settings import Settings
from fmstudio.files import replacing
from fmstudio.sandbox import Reader
from fmstudio.settings import Limits
home, target = Path(sys.argv[1]), Path(sys.argv[2])
folder = home / "cohorts" / "0123456789abcdef"
reader = Reader(Limits())
with at_work(folder), at_work(home / "temp" / "writing-1", writes=target), replacing(target):
    folder.mkdir(parents=True)
    (folder / "film.dcm").write_text("a patient")
    print(reader._folder.name, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def at_work(settings, tmp_path):
    """A process that imports a cohort, writes a file elsewhere and has a reading folder."""
    for name in ("cohorts", "temp"):
        settings.folder(name)
    command = [sys.executable, "-c", MAKER, str(settings.home), str(tmp_path / "a [1].zip")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.reading = Path(process.stdout.readline().decode().strip())
        yield process
        process.kill()


def made(settings, tmp_path, process):
    """What the process has made and is still there."""
    here = [settings.home / "cohorts" / "0123456789abcdef", process.reading]
    return [path for path in here if path.exists()] + list(tmp_path.glob(".a*.tmp"))


def test_what_a_killed_import_and_export_left_goes_at_once_and_what_lives_stays(
    settings, registry, at_work, tmp_path
):
    assert clean_up(settings, registry) == []
    assert len(made(settings, tmp_path, at_work)) == 3

    at_work.kill()
    at_work.wait()
    clean_up(settings, registry)

    assert made(settings, tmp_path, at_work) == []
    assert not list(settings.home.rglob("*.mark"))


def test_a_cohort_whose_import_was_killed_after_its_row_was_written_stays(
    settings, registry, project, at_work, tmp_path
):
    folder = settings.home / "cohorts" / "0123456789abcdef"
    registry.add_cohort(project.id, "c", folder / "manifest.csv", {}, "f" * 64, {})
    at_work.kill()
    at_work.wait()

    clean_up(settings, registry)

    assert (folder / "film.dcm").exists()
    assert not list(settings.home.rglob("*.mark"))


def test_a_deletion_that_was_cut_off_is_ended(settings, registry, project):
    registry.delete_project(project.id)
    assert registry.remembers_deleted()
    clean_up(settings, registry)
    assert not registry.remembers_deleted()
