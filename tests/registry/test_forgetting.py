"""What is deleted leaves no byte in the registry's files, and none in the backups."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing

import pytest

from fmstudio.errors import RegistryError
from fmstudio.registry import Registry
from fmstudio.registry.backups import back_up
from fmstudio.registry.events import _seal
from fmstudio.registry.faults import FILE
from fmstudio.registry.opening import MIGRATIONS, open_database
from fmstudio.registry.tables import now

SUM = "a" * 64


def holding(home, words):
    """The files below home that hold the words in their bytes."""
    return [
        path.relative_to(home).as_posix()
        for path in sorted(home.rglob("*"))
        if path.is_file() and words.encode() in path.read_bytes()
    ]


def test_of_a_deleted_project_no_byte_stays_in_registry_log_or_backups(registry, project):
    registry.add_cohort(project.id, "c", "/m.csv", {}, "f" * 64, {"said": "zygomatic"})
    registry.add_adapter("adapter-1", project.id, None, "a", {})
    registry.add_prediction("adapter-1", "zygomatic-7", {"film": [SUM]}, {})
    back_up(registry.home / FILE)
    assert len(holding(registry.home, "zygomatic")) >= 2  # the log beside the file, and the copy

    registry.delete_project(project.id)
    assert registry.remembers_deleted()
    registry.forget_deleted()

    assert holding(registry.home, "zygomatic") == []
    assert not registry.remembers_deleted()
    assert len(list((registry.home / "backups").iterdir())) == 1
    assert registry.verify_chain() == (True, None)


def test_a_reader_of_an_older_state_is_named_and_the_rest_follows_later(registry, project):
    registry.create_project("zygomatic", project.task)
    with closing(sqlite3.connect(registry.home / FILE)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM projects").fetchall()
        registry.delete_project("zygomatic")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("fmstudio.registry.forgetting.BUSY_SECONDS", 0.1)
            with pytest.raises(RegistryError, match="was deleted, but another program"):
                registry.forget_deleted()
    assert registry.remembers_deleted()
    registry.forget_deleted()
    assert holding(registry.home, "zygomatic") == []


def test_the_log_of_an_earlier_version_loses_its_case_ids_and_stays_whole(settings, tmp_path):
    earlier = shutil.copytree(MIGRATIONS, tmp_path / "migrations")
    for made_since in (earlier / "versions").glob("000[4-9]*.py"):
        made_since.unlink()
    with Registry(settings.home, open_database(settings, migrations=earlier)) as registry:
        registry.record("adapter exported", "adapter-1")
        before = registry.events()[0]
    at, details = now(), {"case": "zygomatic-7"}
    seal = _seal(2, at, "prediction made", "adapter-1", details, before.hash)
    with closing(sqlite3.connect(settings.home / FILE)) as file, file:
        line = (
            2,
            f"{at:%Y-%m-%d %H:%M:%S.%f}",
            "prediction made",
            "adapter-1",
            json.dumps(details),
            before.hash,
            seal,
        )
        file.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)", line)

    with Registry.open(settings) as registry:
        assert registry.verify_chain() == (True, None)
        newest = registry.events()[0]
        assert newest.details == {"lines": 1, "seal before": seal}
        registry.forget_deleted()
    with (
        closing(sqlite3.connect(settings.home / FILE)) as file,
        pytest.raises(sqlite3.IntegrityError, match="append-only"),
    ):
        file.execute("UPDATE events SET kind = 'x' WHERE id = 1")
    assert holding(settings.home, "zygomatic") == []
