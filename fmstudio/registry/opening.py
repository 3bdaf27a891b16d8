"""Opening the registry: a settings' home folder in, an engine on an up-to-date file out.

An empty home gets a new file; an older file is backed up and migrated; a file that is damaged,
locked or newer than this studio is refused with the way forward and left as it is.
Alembic is imported only if there is something to migrate.
"""

from __future__ import annotations

import logging
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Engine

from fmstudio.errors import RegistryError, StudioError
from fmstudio.files import sync
from fmstudio.registry.backups import back_up, backups, is_due
from fmstudio.registry.connecting import BUSY_SECONDS, open_file
from fmstudio.registry.database import connect, engine_of
from fmstudio.registry.faults import FILE, explained, is_damage
from fmstudio.registry.read_only import ALONE, readable
from fmstudio.settings import Settings

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"
CHECKED_BYTES = 64 * 2**20  # each 100 MB take a fifth of a second
_HOLDS_WORK = ("adapters", "runs", "backups")


def open_database(
    settings: Settings, busy_seconds: float = BUSY_SECONDS, migrations: Path = MIGRATIONS
) -> Engine:
    """An engine on the registry of `settings.home`, made or migrated if need be.

    Raises RegistryError for a file that is locked, damaged, or from a newer version,
    ReadOnlyRegistry where it may not be written, and ResourceError if the disk is full.
    """
    path = settings.home / FILE
    _make_home(settings)
    with explained(path):
        if not path.exists():
            _create(settings, path, migrations)
        with closing(open_file(path, busy_seconds)) as connection:
            revision, events = _check(path, connection, migrations)
            connection.execute("PRAGMA journal_mode = WAL")  # a copy may have lost it
        if revision != _revisions(migrations)[-1]:
            _migrate(path, busy_seconds, migrations, back_up(path))
        elif is_due(settings.home, events):
            _daily_copy(path)
    return connect(path, busy_seconds)


def open_to_read(settings: Settings, busy_seconds: float, migrations: Path = MIGRATIONS) -> Engine:
    """An engine that only reads, for a folder or a disk that cannot be written to.

    Raises as `open_database` does, and RegistryError for a file that would have to be migrated.
    """
    path = settings.home / FILE
    with explained(path):
        opened = readable(path, busy_seconds)
        with closing(opened()) as connection:
            revision, _ = _check(path, connection, migrations)
    if revision != _revisions(migrations)[-1]:
        raise RegistryError(
            f"The registry ({FILE}) was made by an older version of the studio and cannot be "
            "brought up to date while it cannot be written.",
            hint="Free some space or make the home folder writable, then start again.",
        )
    return engine_of(opened)


def check_copy(path: Path, migrations: Path = MIGRATIONS) -> None:
    """Raises RegistryError for a copy of a registry that is damaged or from a newer version."""
    with explained(path), closing(open_file(path, BUSY_SECONDS, ALONE)) as connection:
        _check(path, connection, migrations)


def _daily_copy(path: Path) -> None:
    """What stands in the way of a copy does not stand in the way of the studio."""
    try:
        with explained(path):
            back_up(path)
    except StudioError as fault:
        log.warning("The daily copy of the registry was not made: %s", fault.message)


def _make_home(settings: Settings) -> None:
    try:
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as fault:
        raise RegistryError(
            f"The home folder '{settings.home.name}' cannot be made: {fault.strerror}.",
            hint="Choose a folder that you may write to with --home or FMSTUDIO_HOME.",
        ) from fault


def _create(settings: Settings, path: Path, migrations: Path) -> None:
    """A new file, whole before it gets its name: nobody ever meets half a registry.

    Raises RegistryError if the home holds work that a registry must have known.
    """
    if holds_work(path.parent):
        raise RegistryError(
            f"The registry ({FILE}) is missing, but the home folder holds work that it described.",
            hint=_way_back(path) + " To begin anew, choose an empty folder with --home.",
        )
    new = settings.folder("temp") / f"registry-{secrets.token_hex(4)}.new"
    os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        with closing(sqlite3.connect(new)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")  # kept in the file for good
        _migrate(new, BUSY_SECONDS, migrations, backup=None)
        _give_name(new, path)
    finally:
        new.unlink(missing_ok=True)


def _give_name(new: Path, path: Path) -> None:
    """Put the new file at `path`, unless another process was faster: then its registry stays."""
    try:
        path.hardlink_to(new)  # unlike a rename it never replaces
    except FileExistsError:
        return
    except OSError:  # a file system without hard links, such as a USB stick
        if not path.exists():
            new.rename(path)
    sync(path.parent)


def holds_work(home: Path) -> bool:
    """Whether a home folder holds anything that a registry must have known."""
    folders = [home / name for name in _HOLDS_WORK if (home / name).is_dir()]
    return any(any(folder.iterdir()) for folder in folders) or any(
        (home / (FILE + ending)).exists() for ending in ("-wal", "-shm")
    )


def _look_at_every_page(path: Path, connection: sqlite3.Connection) -> None:
    with _known_damage(path):
        if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise _damaged(path, "is damaged")


def _check(path: Path, connection: sqlite3.Connection, migrations: Path) -> tuple[str, bool]:
    """The file's revision, and whether anything was logged.

    Every page of a small file is looked at each time; of a large one before it is copied or
    migrated, which is once a day. Raises RegistryError if it is damaged, no registry, or from a
    newer version.
    """
    if path.stat().st_size == 0:
        raise _damaged(path, "is empty (0 bytes)")
    with _known_damage(path):
        looked = path.stat().st_size <= CHECKED_BYTES or is_due(path.parent, has_events=True)
        if looked:
            _look_at_every_page(path, connection)
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        if not {"alembic_version", "events"} <= tables:
            raise _damaged(path, "is damaged or is not a registry")
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        events = connection.execute("SELECT EXISTS (SELECT 1 FROM events)").fetchone()[0]
    if row is None:
        raise _damaged(path, "is damaged (it does not say its revision)")
    known = _revisions(migrations)
    if row[0] != known[-1] and not looked:
        _look_at_every_page(path, connection)
    if row[0] not in known:
        raise RegistryError(
            f"The registry ({FILE}) was made by a newer version of the studio "
            f"(revision {row[0]}, this version knows up to {known[-1]}).",
            hint="Update the studio, or choose another home folder with --home.",
        )
    return str(row[0]), bool(events)


@contextmanager
def _known_damage(path: Path) -> Iterator[None]:
    """Damage that SQLite itself meets, with the way back."""
    try:
        yield
    except sqlite3.DatabaseError as fault:
        if is_damage(fault):
            raise _damaged(path, "is damaged or is not a registry") from fault
        raise


def _damaged(path: Path, what: str) -> RegistryError:
    return RegistryError(f"The registry ({FILE}) {what}.", hint=_way_back(path))


def _way_back(path: Path) -> str:
    aside = f"Move every file whose name begins with {FILE} out of the home folder"
    made = backups(path.parent)
    if made:
        return f"{aside}, then copy backups/{made[-1].name} there under the name {FILE}."
    return f"{aside}, with the folders adapters and runs, and start again. There is no backup yet."


def _revisions(migrations: Path) -> list[str]:
    """The revisions that this studio knows, oldest first: the numbers its files begin with."""
    return sorted(p.name.split("_")[0] for p in (migrations / "versions").glob("[0-9]*_*.py"))


def _migrate(path: Path, busy_seconds: float, migrations: Path, backup: str | None) -> None:
    """Bring the file to the newest revision, all in one transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    # Foreign keys off: copying a table drops the old one, which would empty those that point to it.
    engine = connect(path, busy_seconds, foreign_keys=False).execution_options(writes=True)
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchone()
            if broken is not None:
                raise RegistryError(
                    f"The registry ({FILE}) could not be brought up to date: a row of "
                    f"'{broken[0]}' points to nothing.",
                    hint=f"It is unchanged, and copied to {backup}. Go back to the version "
                    "of the studio that made it.",
                )
    finally:
        engine.dispose()
