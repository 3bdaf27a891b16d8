"""A backup of a home in use, and the home that it gives back."""

import json
import os
import random
import shutil
import stat
import subprocess
import sys
import threading
import warnings
import zipfile

import pytest

from fmstudio import lock
from fmstudio.backup import back_up, restore
from fmstudio.errors import BundleError, InputError, ResourceError, StudioError
from fmstudio.registry import Registry
from fmstudio.runs.launch import WORKER
from fmstudio.settings import Settings
from tests.backup.homes import files, rows


@pytest.fixture
def archive(settings, registry, tmp_path):
    """A backup of the home."""
    back_up(settings, registry, tmp_path / "a.zip")
    return tmp_path / "a.zip"


def test_a_restored_home_equals_the_one_that_was_backed_up(settings, registry, tmp_path):
    listing = back_up(settings, registry, tmp_path / "a.zip")
    new = Settings(tmp_path / "new" / "home")
    _, old = restore(tmp_path / "a.zip", new)

    assert rows(new.home) == rows(settings.home)
    assert files(new.home) == files(settings.home)
    assert len(files(new.home)) == len(listing.files) - 1 == 6
    assert listing.rows == {"projects": 1, "cohorts": 2, "runs": 1, "adapters": 1, "predictions": 1}
    assert (listing.outside, listing.missing, old) == ((2,), (), None)
    with Registry.open(new) as restored:
        assert restored.adapter("Sepsis/champion").id == "adapter-00000a"
        assert restored.verify_chain() == (True, None)
    assert stat.S_IMODE((tmp_path / "a.zip").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "home of a studio", "new"]


def test_backups_made_while_work_goes_on_are_whole(settings, registry, put, tmp_path):
    """Adapters come and go, a run writes its states; no backup names what it does not hold."""
    stopping = threading.Event()
    project, run = registry.projects()[0], registry.runs()[0]

    def work() -> None:
        with Registry.open(settings) as mine:
            for number in range(10**6):
                name = f"adapter-{number + 16:06x}"
                put(f"adapters/{name}/card.json", str(number).encode() * 1000)
                mine.add_adapter(name, project.id, run.id, name, {})
                state = put(f"runs/{run.id}/state.tmp", str(number).encode() * 100_000)
                state.replace(state.with_name("checkpoint-1.safetensors"))
                if number % 5 == 4:
                    mine.delete_adapter(name)
                    shutil.rmtree(settings.home / "adapters" / name)
                if stopping.wait(0.02):
                    return

    working = threading.Thread(target=work)
    working.start()
    try:
        for number in range(4):
            listing = back_up(settings, registry, tmp_path / f"{number}.zip")
            assert listing.missing == ()
    finally:
        stopping.set()
        working.join()
    for number in range(4):
        new = Settings(tmp_path / f"home {number}")
        restore(tmp_path / f"{number}.zip", new)
        with Registry.open(new) as restored:
            assert restored.verify_chain() == (True, None)
            named = {adapter.id for adapter in restored.adapters()}
        assert named == {path.name for path in (new.home / "adapters").iterdir()}
        state = new.home / "runs" / run.id / "checkpoint-1.safetensors"
        if state.exists():
            content = state.read_bytes()
            assert content == content[: len(content) // 100_000] * 100_000


def test_what_is_deleted_while_a_backup_is_made_is_not_in_it(
    settings, registry, tmp_path, monkeypatch
):
    from fmstudio.backup import write

    real, seen = write._added, []

    def added(archive, name, path):
        if name.startswith("adapters/") and not seen:
            seen.append(name)
            registry.delete_adapter("adapter-00000a")
            shutil.rmtree(settings.home / "adapters" / "adapter-00000a")
        return real(archive, name, path)

    monkeypatch.setattr(write, "_added", added)
    listing = back_up(settings, registry, tmp_path / "a.zip")

    assert seen
    assert listing.rows["adapters"] == 0
    assert not [name for name in listing.files if name.startswith("adapters/")]


def test_what_a_row_names_and_is_gone_is_told(settings, registry, tmp_path):
    shutil.rmtree(settings.home / "cohorts")

    listing = back_up(settings, registry, tmp_path / "a.zip")

    assert listing.missing == ("cohorts/0123abcd",)


def test_a_backup_overwrites_nothing_and_needs_a_folder_and_room(
    settings, registry, archive, tmp_path, monkeypatch
):
    before = archive.read_bytes()
    with pytest.raises(InputError, match=r"a\.zip' is there already"):
        back_up(settings, registry, archive)
    with pytest.raises(InputError, match="does not end in"):
        back_up(settings, registry, tmp_path / "a.tar")
    with pytest.raises(InputError, match="no folder 'nowhere'"):
        back_up(settings, registry, tmp_path / "nowhere" / "a.zip")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 8, 1))
    with pytest.raises(ResourceError, match=r"needs \d+ MB, .* has 0 MB free"):
        back_up(settings, registry, tmp_path / "b.zip")

    assert archive.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "home of a studio"]


def test_a_changed_byte_is_refused_or_changes_nothing(registry, settings, archive, tmp_path):
    whole = archive.read_bytes()
    bad, refused = tmp_path / "bad.zip", 0
    for number in range(150):
        draw = random.Random(number)
        changed = bytearray(whole)
        changed[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        bad.write_bytes(changed if number % 10 else whole[: draw.randrange(len(whole))])
        new = Settings(tmp_path / f"new {number}")
        try:
            restore(bad, new)
        except StudioError:
            assert not new.home.exists()
            refused += 1
        else:
            assert files(new.home) == files(settings.home)
            assert rows(new.home) == rows(settings.home)
    assert refused > 130
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    "name",
    [
        "../out.txt",
        "/out.txt",
        "runs/../../out.txt",
        "runs/a/./b",
        "runs//b",
        "out.txt",
        "logs/x",
        "registry.sqlite/x",
    ],
)
def test_no_name_leads_out_of_the_home(archive, tmp_path, name):
    with zipfile.ZipFile(archive) as whole:
        content = {entry.filename: whole.read(entry) for entry in whole.infolist()}
    listing = json.loads(content["backup.json"])
    listing["files"][name] = {"sha256": "0" * 64, "bytes": 4}
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as bad:
        for known, what in content.items():
            bad.writestr(known, json.dumps(listing) if known == "backup.json" else what)
        bad.writestr(name, "evil")
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(InputError, match="no backup"):
        restore(tmp_path / "bad.zip", Settings(tmp_path / "new"))

    assert sorted(tmp_path.rglob("*")) == before


def test_links_and_files_that_grow_are_refused(archive, tmp_path):
    for number, change in enumerate(("link", "packed", "twice")):
        bad = tmp_path / f"{number}.zip"
        shutil.copy(archive, bad)
        with zipfile.ZipFile(bad, "a") as opened:
            entry = zipfile.ZipInfo("runs/run-1/log.txt")
            if change == "link":
                entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
            if change == "twice":
                entry.filename = entry.orig_filename = "bases/ours/model.safetensors"
            entry.compress_type = zipfile.ZIP_DEFLATED if change == "packed" else zipfile.ZIP_STORED
            with warnings.catch_warnings(action="ignore"):
                opened.writestr(entry, b"0" * 100_000)
        with pytest.raises((InputError, BundleError)):
            restore(bad, Settings(tmp_path / "new"))
        assert not (tmp_path / "new").exists()


def test_a_home_with_work_is_only_replaced_on_request_and_then_kept(
    settings, registry, archive, tmp_path
):
    registry.create_project("made since", registry.projects()[0].task)
    since = rows(settings.home)
    with pytest.raises(InputError, match="holds work"):
        restore(archive, settings)
    assert rows(settings.home) == since

    _, old = restore(archive, settings, replace=True)

    assert old.name.startswith("home of a studio.before-")
    assert rows(old) == since
    assert [name for _, name, *_ in rows(settings.home)["projects"]] == ["Sepsis"]


def test_a_home_in_use_is_never_replaced(settings, registry, archive, tmp_path):
    handle = lock.take(settings.home)
    with pytest.raises(InputError, match="in use: its web app is open"):
        restore(archive, settings, replace=True)
    os.close(handle)
    waits = [sys.executable, "-c", "input()", WORKER, "run-1", "--home", str(settings.home)]
    with subprocess.Popen(waits, stdin=subprocess.PIPE) as worker:
        with pytest.raises(InputError, match=f"run is under way \\(process {worker.pid}\\)"):
            restore(archive, settings, replace=True)
        worker.communicate(b"\n", timeout=120)
    restore(archive, settings, replace=True)


def test_a_backup_of_a_newer_studio_is_refused(archive, tmp_path, monkeypatch):
    monkeypatch.setattr("fmstudio.registry.opening._revisions", lambda migrations: ["0001"])

    with pytest.raises(StudioError, match="newer version"):
        restore(archive, Settings(tmp_path / "new"))
    assert not (tmp_path / "new").exists()
