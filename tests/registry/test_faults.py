"""What SQLite and the system say, told apart: a full disk, a lock, rights, a failing disk, damage."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from fmstudio.errors import ReadOnlyRegistry, RegistryError, ResourceError
from fmstudio.registry import Registry, connecting, database, faults, opening
from fmstudio.registry.backups import backups
from fmstudio.registry.faults import in_words
from fmstudio.settings import Settings
from fmstudio.types import TaskSpec

ROOT = Path(__file__).resolve().parents[2]
READ = (
    "import resource, signal, sys; from pathlib import Path\n"
    "from fmstudio.registry import Registry; from fmstudio.settings import Settings\n"
    "from fmstudio.types import TaskSpec\n"
    "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    "resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))\n"
    "with Registry.open(Settings(Path(sys.argv[1])), 1) as registry:\n"
    "    print(registry.notice, [p.name for p in registry.projects()], file=sys.stderr)\n"
    "    try: registry.create_project('Third', TaskSpec('binary'))\n"
    "    except Exception as fault: print(type(fault).__name__, file=sys.stderr)\n"
    "    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)\n"
    "    registry.create_project('Fourth', TaskSpec('binary'))\n"
    "    print([p.name for p in registry.projects()], registry.notice, file=sys.stderr)\n"
)


def fault(code: int) -> sqlite3.OperationalError:
    made = sqlite3.OperationalError("words that no rule reads")
    made.sqlite_errorcode = code
    return made


@pytest.fixture
def file(settings: Settings) -> Path:
    with Registry.open(settings) as registry:
        registry.create_project("Sepsis", TaskSpec("binary"))
    return settings.home / "registry.sqlite"


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("FULL", ResourceError, "disk is full"),
        ("BUSY", RegistryError, "in use by another program"),
        ("BUSY_SNAPSHOT", RegistryError, "in use by another program"),
        ("BUSY_RECOVERY", RegistryError, "in use by another program"),
        ("LOCKED_SHAREDCACHE", RegistryError, "in use by another program"),
        ("PROTOCOL", RegistryError, "in use by another program"),
        ("CORRUPT", RegistryError, "is damaged"),
        ("CORRUPT_INDEX", RegistryError, "is damaged"),
        ("NOTADB", RegistryError, "is damaged"),
        ("IOERR_CORRUPTFS", RegistryError, "is damaged"),
        ("IOERR_SHORT_READ", RegistryError, "is damaged"),
        ("NOMEM", ResourceError, "memory"),
        ("IOERR_NOMEM", ResourceError, "memory"),
        ("READONLY", ReadOnlyRegistry, "cannot be written"),
        ("READONLY_DIRECTORY", ReadOnlyRegistry, "cannot be written"),
        ("READONLY_DBMOVED", RegistryError, "no longer where it was"),
        ("PERM", ReadOnlyRegistry, "cannot be written"),
        ("AUTH", ReadOnlyRegistry, "cannot be written"),
        ("CANTOPEN", ReadOnlyRegistry, "cannot be written"),
        ("IOERR_READ", RegistryError, "disk reports an error"),
        ("IOERR_FSYNC", RegistryError, "disk reports an error"),
    ],
)
def test_every_code_of_sqlite_has_its_own_cause(file, name, kind, words):
    told = in_words(fault(getattr(sqlite3, f"SQLITE_{name}")), file)

    assert type(told) is kind
    assert words in told.message
    assert told.hint
    assert ("damaged" in told.message) == (words == "is damaged")


def test_a_fault_of_ours_is_not_explained_away(file):
    for name in ("ERROR", "CONSTRAINT_UNIQUE", "MISUSE", "RANGE", "INTERNAL", "MISMATCH"):
        assert in_words(fault(getattr(sqlite3, f"SQLITE_{name}")), file) is None


@pytest.mark.parametrize("name", ["IOERR_WRITE", "IOERR_SHMSIZE", "IOERR_SHMOPEN", "CANTOPEN"])
@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.ENOSPC, ResourceError, "disk is full"),
        (errno.EDQUOT, ResourceError, "disk is full"),
        (errno.EFBIG, ResourceError, "disk is full"),
        (errno.EROFS, ReadOnlyRegistry, "cannot be written"),
        (errno.EACCES, ReadOnlyRegistry, "cannot be written"),
        (errno.EIO, RegistryError, "disk reports an error"),
        (errno.EMFILE, ResourceError, "Too many files"),
        (errno.ESTALE, RegistryError, "drive it lies on is gone"),
    ],
)
def test_where_sqlite_leaves_it_open_the_disk_is_asked(
    file, monkeypatch, name, number, kind, words
):
    monkeypatch.setattr(faults, "_try_to_write", lambda _: number)

    told = in_words(fault(getattr(sqlite3, f"SQLITE_{name}")), file)

    assert type(told) is kind
    assert words in told.message


def test_the_disk_is_asked_by_writing_and_nothing_is_left(file, monkeypatch):
    before = sorted(file.parent.iterdir())
    assert faults._try_to_write(file.parent) is None
    assert faults._try_to_write(file.parent / "gone") == errno.ENOENT
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    assert faults._try_to_write(file.parent) == errno.ENOSPC
    assert sorted(file.parent.iterdir()) == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits of a process are those of POSIX")
@pytest.mark.parametrize("left", ["closed", "open elsewhere"])
def test_on_a_full_disk_everything_can_be_read_and_written_again_once_there_is_room(
    settings, file, left
):
    # the limit on a file's size stands for the full disk, where nothing can grow
    if left == "open elsewhere":
        with Registry.open(settings) as other:
            other.create_project("Second", TaskSpec("binary"))
            done = _read(settings)
    else:
        done = _read(settings)

    names = ["Second", "Sepsis"] if left == "open elsewhere" else ["Sepsis"]
    said = done.stderr.splitlines()
    assert said[0].endswith(str(names)), done.stderr
    assert "damaged" not in done.stderr
    assert "backup" not in done.stderr
    assert said[1:] == ["ResourceError", f"{['Fourth', *names]} None"]
    if left == "closed":
        assert said[0].startswith("The disk is full")


def _read(settings: Settings) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", READ, str(settings.home)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def read_only(monkeypatch):
    """The folder of the registry cannot be written: neither to it nor to what is in it."""
    real = connecting.open_file

    def refusing(path, busy_seconds, options="mode=rw"):
        if path.parent.name != "home of a studio" or "immutable" in options:
            return real(path, busy_seconds, options)
        raise fault(sqlite3.SQLITE_CANTOPEN)

    for module in ("opening", "read_only", "backups"):
        monkeypatch.setattr(f"fmstudio.registry.{module}.open_file", refusing)
    monkeypatch.setattr(faults, "_try_to_write", lambda _: errno.EROFS)


def test_a_write_protected_folder_is_read(settings, file, read_only):
    with Registry.open(settings) as registry:
        assert [project.name for project in registry.projects()] == ["Sepsis"]
        assert "cannot be written" in registry.notice.message
        with pytest.raises(ReadOnlyRegistry):
            registry.create_project("Second", TaskSpec("binary"))
    assert [path.name for path in settings.home.iterdir() if "registry" in path.name] == [file.name]


def test_the_newest_work_is_read_though_a_crash_left_it_in_the_log(
    settings, file, request, tmp_path
):
    with Registry.open(settings) as other:
        other.create_project("Newest", TaskSpec("binary"))
        for path in settings.home.glob("registry.sqlite*"):
            shutil.copy(path, tmp_path)
    for path in settings.home.glob("registry.sqlite*"):
        path.unlink()
    for name in ("registry.sqlite", "registry.sqlite-wal"):
        shutil.copy(tmp_path / name, settings.home)
    assert (settings.home / "registry.sqlite-wal").stat().st_size > 0

    request.getfixturevalue("read_only")
    with Registry.open(settings) as registry:
        assert [project.name for project in registry.projects()] == ["Newest", "Sepsis"]


def test_an_empty_home_on_a_full_disk_is_refused(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(opening, "_create", full)
    with pytest.raises(ResourceError, match="disk is full"):
        Registry.open(Settings(tmp_path / "home"))


def test_a_registry_deleted_while_open_loses_nothing_and_is_not_made_anew(settings, file):
    with Registry.open(settings) as registry:
        registry.create_project("Second", TaskSpec("binary"))
        for path in settings.home.glob("registry.sqlite*"):
            path.unlink()
        for verb in (registry.projects, lambda: registry.create_project("x", TaskSpec("binary"))):
            with pytest.raises(RegistryError, match="no longer where it was") as caught:
                verb()
        assert not file.exists()
        copy = backups(settings.home)[-1]
        assert f"backups/{copy.name}" in caught.value.hint
    with closing(sqlite3.connect(copy)) as kept:
        names = kept.execute("SELECT name FROM projects ORDER BY id").fetchall()
    assert names == [("Sepsis",), ("Second",)]
    with pytest.raises(RegistryError, match="is missing"):
        Registry.open(settings)


def test_a_registry_replaced_while_open_is_not_written_to_without_a_name(settings, file, tmp_path):
    with Registry.open(settings) as registry:
        shutil.copy(file, tmp_path / "copy")
        (tmp_path / "copy").replace(file)
        with pytest.raises(RegistryError, match="no longer where it was"):
            registry.create_project("x", TaskSpec("binary"))


def test_a_drive_that_is_gone_is_named(settings, file, tmp_path):
    # the folder under our feet leads nowhere any more
    with Registry.open(settings) as registry:
        settings.home.rename(tmp_path / "elsewhere")
        with pytest.raises(RegistryError, match="drive it lies on is gone"):
            registry.projects()
        assert not settings.home.exists()
        (tmp_path / "elsewhere").rename(settings.home)
        assert [project.name for project in registry.projects()] == ["Sepsis"]


def test_the_log_beside_the_registry_is_cut_once_a_long_reader_is_gone(settings, monkeypatch):
    monkeypatch.setattr(database, "WAL_BYTES", 200_000)
    with Registry.open(settings, busy_seconds=5) as registry:
        registry.create_project("Sepsis", TaskSpec("binary"))
        wal = settings.home / "registry.sqlite-wal"
        with registry.reading() as session:
            session.connection().exec_driver_sql("SELECT count(*) FROM events").scalar()
            for number in range(60):
                registry.record(
                    "written beside a reader", "x", {"filler": "y" * 50_000, "n": number}
                )
            seen = session.connection().exec_driver_sql("SELECT count(*) FROM events").scalar()
        assert seen == 1
        assert wal.stat().st_size > 2_000_000
        for _ in range(3):
            registry.record("written alone", "x", {"filler": "y" * 50_000})
        assert wal.stat().st_size <= 200_000 + 8192
        assert registry.verify_chain() == (True, None)
