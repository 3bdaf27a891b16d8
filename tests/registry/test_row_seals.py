"""A byte that flips in the content of a row is refused at the opening, or the row is named."""

import random
import sqlite3
from contextlib import closing

from fmstudio.doctor.home import database
from fmstudio.errors import StudioError
from fmstudio.records import Progress
from fmstudio.registry import Registry

PLANTED = "Quenstedt"


def fill(registry, project, cohort, run):
    """A row in every table whose rows are sealed, with a word to find each by."""
    registry.add_adapter(
        "adapter-00000a", project.id, run.id, f"{PLANTED} a", {"x": f"{PLANTED} b"}
    )
    registry.set_alias("adapter-00000a", f"{PLANTED}-c")
    registry.keep_held_out("adapter-00000a", {"test": {"case_ids": [f"{PLANTED} d"]}})
    registry.add_prediction("adapter-00000a", f"{PLANTED} e", {}, {"prediction": f"{PLANTED} f"})
    registry.add_cohort(project.id, f"{PLANTED} g", "/x", {f"{PLANTED} h": "label"}, "f" * 64, {})
    registry.update_run(run.id, status="failed", error=f"{PLANTED} i", hint=f"{PLANTED} j")


def test_rows_keep_their_seal_through_every_change(registry, project, cohort, run):
    fill(registry, project, cohort, run)
    registry.requeue_run(run.id)
    registry.claim_next_run()
    registry.update_run(run.id, progress=Progress("Training", 0.5))
    registry.update_project_task(project.id, project.task)
    registry.delete_adapter("adapter-00000a")

    assert registry.changed_rows() == []


def test_a_row_that_was_changed_by_another_program_is_named(registry, project, cohort, run):
    fill(registry, project, cohort, run)
    changes = {
        "projects": "name = 'x'",
        "cohorts": "fingerprint = 'x'",
        "runs": "result = '{}'",
        "adapters": "card = '{}'",
        "aliases": "name = 'x'",
        "predictions": "output = '{}'",
        "held_out": "content = '{}'",
    }
    with closing(sqlite3.connect(registry.home / "registry.sqlite")) as other, other:
        for table, change in changes.items():
            other.execute(f"UPDATE {table} SET {change}")

    assert {table for table, _ in registry.changed_rows()} == changes.keys()


def test_a_flipped_byte_of_a_row_is_refused_or_the_row_is_named(
    settings, registry, project, cohort, run
):
    fill(registry, project, cohort, run)
    registry.close()
    file = settings.home / "registry.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole, draw = file.read_bytes(), random.Random(0)
    places = [i for i in range(len(whole)) if whole.startswith(PLANTED.encode(), i)]
    assert len(places) >= 10

    for place in places * 6:
        changed = bytearray(whole)
        changed[place + draw.randrange(len(PLANTED) + 4)] ^= 1 << draw.randrange(8)
        for rest in settings.home.glob("registry.sqlite*"):
            rest.unlink()
        file.write_bytes(changed)
        try:
            with Registry.open(settings) as opened:
                found = list(database(settings, opened))
                assert found or opened.verify_chain() != (True, None)
        except StudioError:
            continue
