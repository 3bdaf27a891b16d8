import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from fmstudio.errors import RegistryError, ResourceError
from fmstudio.records import Point
from fmstudio.registry import Registry
from fmstudio.registry.opening import MIGRATIONS, open_database
from fmstudio.registry.tables import Table
from fmstudio.settings import Settings
from fmstudio.types import TaskSpec

ROOT = Path(__file__).resolve().parents[2]
LATER = """
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{head}"


def upgrade() -> None:
    with op.batch_alter_table("projects", recreate="always") as table:
        table.add_column(sa.Column("colour", sa.String))
    {more}
"""


@pytest.fixture
def file(settings: Settings) -> Path:
    """The file of a closed registry that holds one project with a run and two events."""
    with Registry.open(settings) as registry:
        project = registry.create_project("Sepsis", TaskSpec("binary"))
        registry.create_run(project.id, None, "finetune", {}, "embedded")
    return settings.home / "registry.sqlite"


def later_version(folder: Path, more: str = "") -> Path:
    """The migrations of a studio that is one revision ahead."""
    shutil.copytree(MIGRATIONS, folder / "migrations")
    versions = folder / "migrations" / "versions"
    (versions / "9999_later.py").write_text(LATER.format(head=newest(), more=more))
    return folder / "migrations"


def newest() -> str:
    """The revision of this studio."""
    return max(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def backups(settings: Settings) -> list[Path]:
    return sorted((settings.home / "backups").glob("*.sqlite"))


def test_an_empty_home_gets_a_registry_that_only_its_owner_reads(settings):
    Registry.open(settings).close()

    assert stat.S_IMODE(settings.home.stat().st_mode) == 0o700
    assert stat.S_IMODE((settings.home / "registry.sqlite").stat().st_mode) == 0o600
    assert list(settings.folder("temp").iterdir()) == []


def test_a_home_may_have_any_name(tmp_path):
    settings = Settings(tmp_path / "100 % Müller?#&")

    with Registry.open(settings) as registry:
        registry.create_project("Sepsis", TaskSpec("binary"))
    with Registry.open(settings) as registry:
        assert len(registry.projects()) == 1


def test_commits_survive_a_power_cut_and_references_are_checked(registry):
    with registry.reading() as session:
        pragmas = {
            name: session.connection().exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }

    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 5000,
    }


def test_the_migrations_make_the_tables_that_the_code_describes(settings):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    engine = open_database(settings)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Table.metadata)
    engine.dispose()

    assert differences == []


def test_opening_what_is_up_to_date_imports_neither_alembic_nor_torch(settings, file):
    code = (
        "import sys; from pathlib import Path\n"
        "from fmstudio.registry import Registry; from fmstudio.settings import Settings\n"
        "Registry.open(Settings(Path(sys.argv[1]))).close()\n"
        "sys.exit(any(name in sys.modules for name in ('alembic', 'torch', 'pandas')))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, str(settings.home)], cwd=ROOT, check=False, timeout=60
    )

    assert done.returncode == 0


def test_several_processes_may_meet_in_an_empty_home(tmp_path):
    code = (
        "import sys; from pathlib import Path\n"
        "from fmstudio.registry import Registry; from fmstudio.settings import Settings\n"
        "with Registry.open(Settings(Path(sys.argv[1]))) as registry:\n"
        "    registry.record('opened', sys.argv[2])\n"
    )
    home = tmp_path / "home"

    started = [
        subprocess.Popen([sys.executable, "-c", code, str(home), str(number)], cwd=ROOT)
        for number in range(4)
    ]

    assert [process.wait(timeout=120) for process in started] == [0] * 4
    with Registry.open(Settings(home)) as registry:
        assert {event.subject for event in registry.events()} == set("0123")
        assert registry.verify_chain() == (True, None)


def test_an_older_registry_is_copied_and_then_brought_up_to_date(settings, file, tmp_path):
    engine = open_database(settings, migrations=later_version(tmp_path))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT name, colour FROM projects").all() == [
            ("Sepsis", None)
        ]
        # Copying the table of projects must not take their runs along.
        assert connection.exec_driver_sql("SELECT count(*) FROM runs").scalar() == 1
    engine.dispose()

    [copy] = backups(settings)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with closing(sqlite3.connect(copy)) as kept:
        assert kept.execute("SELECT version_num FROM alembic_version").fetchone() == (newest(),)
        assert kept.execute("SELECT name FROM projects").fetchall() == [("Sepsis",)]


def test_a_migration_that_fails_leaves_the_registry_as_it_was(settings, file, tmp_path):
    broken = later_version(tmp_path, more="op.execute('DELETE FROM projects')")

    with pytest.raises(RegistryError, match="'runs' points to nothing") as caught:
        open_database(settings, migrations=broken)

    assert backups(settings)[0].name in caught.value.hint
    with Registry.open(settings) as registry:
        assert [project.name for project in registry.projects()] == ["Sepsis"]


def test_a_migration_that_is_killed_leaves_the_registry_as_it_was(settings, file, tmp_path):
    # the process dies with the new table made and the old one gone
    killed = later_version(tmp_path, more="import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    code = (
        "import sys; from pathlib import Path; from fmstudio.settings import Settings\n"
        "from fmstudio.registry.opening import open_database\n"
        "open_database(Settings(Path(sys.argv[1])), migrations=Path(sys.argv[2]))"
    )
    done = subprocess.run([sys.executable, "-c", code, settings.home, killed], cwd=ROOT)

    assert done.returncode == -signal.SIGKILL
    with Registry.open(settings) as registry:
        assert [project.name for project in registry.projects()] == ["Sepsis"]
        assert registry.verify_chain() == (True, None)
    assert len(backups(settings)) == 1


def test_a_registry_of_the_first_version_with_ten_thousand_rows_migrates(settings, tmp_path):
    first = tmp_path / "migrations"
    (first / "versions").mkdir(parents=True)
    for name in ("env.py", "versions/0001_first.py"):
        shutil.copy(MIGRATIONS / name, first / name)
    open_database(settings, migrations=first).dispose()
    file = settings.home / "registry.sqlite"
    now = "2025-01-01 00:00:00.000000"
    with closing(sqlite3.connect(file)) as old, old:
        task = json.dumps(TaskSpec("binary").as_dict())
        old.execute("INSERT INTO projects VALUES (1, 'Sepsis', ?, 0, ?)", (task, now))
        old.execute(
            "INSERT INTO adapters (id, project_id, name, card, created_at) "
            "VALUES ('adapter-00000a', 1, 'first', ?, ?)",
            (json.dumps({"base": "mine", "checkpoints": 2 * [{"sha256": "a" * 64}]}), now),
        )
        old.executemany(
            "INSERT INTO predictions (adapter_id, case_id, inputs, output, created_at) "
            "VALUES ('adapter-00000a', ?, '{}', '{\"p\": 0.5}', ?)",
            ((f"case {number}", now) for number in range(10_000)),
        )

    with Registry.open(settings) as registry:
        kept = registry.predictions(limit=None)
        assert [one.case_id for one in kept] == [f"case {n}" for n in reversed(range(10_000))]
        assert registry.adapter("adapter-00000a").sealed is None
        assert registry.count_uses() == {"mine": 1, "a" * 64: 1}
    [copy] = backups(settings)
    with closing(sqlite3.connect(copy)) as before:
        assert before.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)
        assert before.execute("SELECT count(*) FROM predictions").fetchone() == (10_000,)


def test_a_registry_of_a_newer_studio_is_refused_and_left_alone(settings, file, tmp_path):
    open_database(settings, migrations=later_version(tmp_path)).dispose()
    before = file.read_bytes()

    with pytest.raises(RegistryError, match="made by a newer version") as caught:
        Registry.open(settings)

    assert "Update" in caught.value.hint
    assert file.read_bytes() == before


def empty(file: Path) -> None:
    file.write_bytes(b"")


def truncate(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def overwrite(file: Path) -> None:
    file.write_text("Dear colleague, " * 1000)


def scribble(file: Path) -> None:
    with file.open("r+b") as handle:
        handle.seek(5 * 4096)
        handle.write(b"\xff" * 8192)


def other_database(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")


@pytest.mark.parametrize("harm", [empty, truncate, overwrite, scribble, other_database])
@pytest.mark.parametrize("backed_up", [False, True])
def test_a_damaged_registry_is_refused_with_the_way_back_and_left_alone(
    settings, file, harm, backed_up
):
    if backed_up:
        Registry.open(settings).close()  # the second opening of the day makes the copy
    harm(file)
    before = file.read_bytes()

    with pytest.raises(RegistryError) as caught:
        Registry.open(settings)

    assert "registry.sqlite" in caught.value.message
    assert str(settings.home) not in caught.value.message + caught.value.hint
    if backed_up:
        assert f"copy backups/{backups(settings)[0].name}" in caught.value.hint
    else:
        assert "no backup yet" in caught.value.hint
    assert file.read_bytes() == before


def test_the_named_backup_brings_everything_back(settings, file):
    Registry.open(settings).close()
    overwrite(file)

    for part in settings.home.glob("registry.sqlite*"):
        part.unlink()
    shutil.copy(backups(settings)[0], file)

    with Registry.open(settings) as registry:
        assert [project.name for project in registry.projects()] == ["Sepsis"]
        registry.create_project("Next", TaskSpec("binary"))
        assert registry.verify_chain() == (True, None)


@pytest.mark.parametrize("what", ["adapters/adapter-1a2b3c", "runs/run-1a2b3c"])
def test_a_missing_registry_is_not_replaced_where_work_depends_on_it(settings, what):
    settings.folder(what)

    with pytest.raises(RegistryError, match="is missing"):
        Registry.open(settings)
    assert not (settings.home / "registry.sqlite").exists()


def test_three_daily_backups_are_kept(settings, file):
    day = 24 * 3600
    for _ in range(5):
        Registry.open(settings).close()
        for copy in backups(settings):
            os.utime(copy, (time.time() - day - 60,) * 2)

    assert len(backups(settings)) == 3
    Registry.open(settings).close()
    newest = backups(settings)[-1]
    Registry.open(settings).close()
    assert backups(settings)[-1] == newest


def test_a_registry_that_another_program_holds_is_named(settings, file):
    with closing(sqlite3.connect(file)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(RegistryError, match="in use by another program"):
            Registry.open(settings, busy_seconds=0.1)


def test_a_verb_that_cannot_write_in_time_says_so_and_changes_nothing(settings, file):
    with (
        Registry.open(settings, busy_seconds=0.1) as registry,
        closing(sqlite3.connect(file)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RegistryError, match="in use by another program"):
            registry.create_project("Second", TaskSpec("binary"))
        assert [project.name for project in registry.projects()] == ["Sepsis"]
        other.rollback()
        registry.create_project("Second", TaskSpec("binary"))


def test_a_home_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "occupied").write_text("a file")

    with pytest.raises(RegistryError, match="'occupied' cannot be made"):
        Registry.open(Settings(tmp_path / "occupied"))


def test_a_full_disk_is_named_and_leaves_what_was_there(registry, project, run):
    with registry.reading() as session:
        pages = session.connection().exec_driver_sql("PRAGMA page_count").scalar()
        session.connection().exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(ResourceError, match="disk is full"):
        registry.add_points(run.id, [Point("loss", step, 0.5) for step in range(10_000)])

    assert registry.points(run.id) == []
    assert registry.verify_chain() == (True, None)
