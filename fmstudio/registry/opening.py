"""Opening the registry: a settings' home folder in, an engine on an up-to-date file out.

An empty home gets a new file; an older file is backed up and migrated; a file that is damaged,
locked or newer than this studio is refused with the way forward and left as it is.
Alembic is imported only if there is something to migrate.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from fmstudio.errors import RegistryError
from fmstudio.registry.database import BUSY_SECONDS, FILE, connect, explained
from fmstudio.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"
BACKUPS_KEPT = 3
BACKUP_SECONDS = 24 * 3600.0
_HOLDS_WORK = ("adapters", "runs", "backups")


def open_database(
    settings: Settings, busy_seconds: float = BUSY_SECONDS, migrations: Path = MIGRATIONS
) -> Engine:
    """An engine on the registry of `settings.home`, made or migrated if need be.

    Raises RegistryError for a file that is locked, damaged, or from a newer version, and
    ResourceError if the disk is full.
    """
    path = settings.home / FILE
    _make_home(settings)
    with explained():
        if not path.exists():
            _create(settings, path, migrations)
        revision, events = _check(path, busy_seconds)
        known = _revisions(migrations)
        if revision not in known:
            raise RegistryError(
                f"The registry ({FILE}) was made by a newer version of the studio "
                f"(revision {revision}, this version knows up to {known[-1]}).",
                hint="Update the studio, or choose another home folder with --home.",
            )
        if revision != known[-1]:
            backup = _back_up(path, revision)
            _migrate(path, busy_seconds, migrations, backup)
        elif _backup_is_due(path, events):
            _back_up(path, revision)
    return connect(path, busy_seconds)


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
    sync_folder(path.parent)


def holds_work(home: Path) -> bool:
    """Whether a home folder holds anything that a registry must have known."""
    folders = [home / name for name in _HOLDS_WORK if (home / name).is_dir()]
    return any(any(folder.iterdir()) for folder in folders) or any(
        (home / (FILE + ending)).exists() for ending in ("-wal", "-shm")
    )


def _check(path: Path, busy_seconds: float) -> tuple[str, int]:
    """The file's revision and number of logged events. Raises RegistryError if it is damaged."""
    if path.stat().st_size == 0:
        raise _damaged(path, "is empty (0 bytes)")
    with closing(sqlite3.connect(path, timeout=busy_seconds)) as connection:
        try:
            faults = [row[0] for row in connection.execute("PRAGMA quick_check(1)")]
            if faults != ["ok"]:
                raise _damaged(path, "is damaged")
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            events = connection.execute("SELECT count(*) FROM events").fetchone()[0]
            connection.execute("PRAGMA journal_mode = WAL")  # a copy may have lost it
        except sqlite3.DatabaseError as fault:
            text = str(fault)
            if any(sign in text for sign in ("not a database", "malformed", "no such table")):
                raise _damaged(path, "is damaged or is not a registry") from fault
            raise
    if row is None:
        raise _damaged(path, "is damaged (it does not say its revision)")
    return str(row[0]), int(events)


def _damaged(path: Path, what: str) -> RegistryError:
    return RegistryError(f"The registry ({FILE}) {what}.", hint=_way_back(path))


def _way_back(path: Path) -> str:
    aside = f"Move every file whose name begins with {FILE} out of the home folder"
    backups = _backups(path)
    if backups:
        return f"{aside}, then copy backups/{backups[-1].name} there under the name {FILE}."
    return f"{aside}, with the folders adapters and runs, and start again. There is no backup yet."


def _revisions(migrations: Path) -> list[str]:
    """The revisions that this studio knows, oldest first: the numbers its files begin with."""
    return sorted(p.name.split("_")[0] for p in (migrations / "versions").glob("[0-9]*_*.py"))


def _backups(path: Path) -> list[Path]:
    """The backups, oldest first: their names begin with the time."""
    return sorted((path.parent / "backups").glob("registry-*.sqlite"))


def _backup_is_due(path: Path, events: int) -> bool:
    """True once a day, and for a registry that has something to lose and no copy."""
    made = _backups(path)
    if not made:
        return events > 0
    return time.time() - made[-1].stat().st_mtime > BACKUP_SECONDS


def _back_up(path: Path, revision: str) -> str:
    """Copy the registry as it is now into backups/, keep the newest few; the copy's name."""
    folder = path.parent / "backups"
    folder.mkdir(exist_ok=True, mode=0o700)
    target = folder / f"registry-{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{revision}.sqlite"
    partial = target.with_suffix(".tmp")
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(partial)) as copy:
        source.backup(copy)
    partial.replace(target)
    sync_folder(folder)
    for old in _backups(path)[:-BACKUPS_KEPT]:
        old.unlink(missing_ok=True)
    return target.name


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
                    hint=f"It is unchanged, and copied to backups/{backup}. Go back to the version "
                    "of the studio that made it.",
                )
    finally:
        engine.dispose()


def sync_folder(folder: Path) -> None:
    """Make a new name in a folder survive a power cut."""
    if os.name != "posix":  # elsewhere a folder cannot be opened, and names are kept at once
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
