import sqlite3

import pytest


@pytest.fixture
def file(registry):
    """A bare connection to the same file, as somebody with a database viewer has it."""
    connection = sqlite3.connect(registry.home / "registry.sqlite")
    yield connection
    connection.close()


@pytest.fixture
def log(registry):
    for number in range(5):
        registry.record("adapter exported", f"adapter-{number}", {"file": "a.zip", "n": number})
    return registry


def test_every_line_seals_the_one_before(log):
    lines = log.events()[::-1]

    assert [line.id for line in lines] == [1, 2, 3, 4, 5]
    assert lines[0].previous == ""
    assert [line.previous for line in lines[1:]] == [line.hash for line in lines[:-1]]
    assert log.verify_chain() == (True, None)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE events SET details = '{}' WHERE id = 3",
        "DELETE FROM events WHERE id = 3",
        "INSERT OR REPLACE INTO events SELECT id, at, 'x', subject, details, previous, hash "
        "FROM events WHERE id = 3",
    ],
)
def test_the_file_itself_refuses_to_change_the_log(log, file, change):
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        file.execute(change)
    file.rollback()
    assert log.verify_chain() == (True, None)


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ("UPDATE events SET details = '{}' WHERE id = 3", 3),
        ("UPDATE events SET at = '2020-01-01 00:00:00.000000' WHERE id = 1", 1),
        ("UPDATE events SET previous = '' WHERE id = 3", 3),
        ("DELETE FROM events WHERE id = 3", 3),
        ("DELETE FROM events WHERE id = 5", 5),
        ("DELETE FROM events", 1),
        ("UPDATE events SET id = 9 WHERE id = 5", 5),
    ],
)
def test_a_change_made_behind_the_triggers_back_is_found(log, file, change, broken):
    for name in ("update", "delete", "replace"):
        file.execute(f"DROP TRIGGER events_refuse_{name}")
    file.execute(change)
    file.commit()

    assert log.verify_chain() == (False, broken)


def test_the_chain_goes_on_after_opening_again(settings, log):
    log.close()
    with type(log).open(settings) as again:
        again.record("studio started", "studio")
        assert again.verify_chain() == (True, None)
        assert [line.kind for line in again.events(limit=2)] == [
            "studio started",
            "adapter exported",
        ]


def test_details_come_back_as_json_gave_them(registry):
    registry.record("x", "y", {"tuple": (1, 2), "z": 0.1, "text": "Ünïcode"})

    assert registry.events(1)[0].details == {"tuple": [1, 2], "z": 0.1, "text": "Ünïcode"}
    assert registry.verify_chain() == (True, None)
