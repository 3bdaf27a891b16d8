"""The log of a run that grows without end stays bounded, and its end is kept."""

import os
import threading

import pytest

from fmstudio.runs import run_log


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(run_log, "MOST_BYTES", 1000)
    monkeypatch.setattr(run_log, "LOOK_SECONDS", 0.01)
    return tmp_path


def test_a_log_that_grows_is_rotated_under_the_process_that_writes_it(folder):
    handle = os.open(folder / run_log.LOG, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    for number in range(2000):
        os.write(handle, f"line {number}\n".encode())
        if number % 100 == 0:
            run_log.rotate(folder)
    os.close(handle)

    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(found) == {run_log.LOG, *run_log.OLDER}
    assert sum(map(len, found.values())) < 4 * 1000
    whole = b"".join(found[name] for name in (*reversed(run_log.OLDER), run_log.LOG))
    assert whole.endswith(b"line 1998\nline 1999\n")


def test_a_log_within_its_limit_is_left_alone(folder):
    assert not run_log.rotate(folder)
    (folder / run_log.LOG).write_bytes(b"x" * 1000)
    assert not run_log.rotate(folder)
    assert [path.name for path in folder.iterdir()] == [run_log.LOG]


def test_it_is_looked_at_while_the_worker_works(folder, monkeypatch):
    seen = threading.Event()
    real = run_log.rotate

    def watched(where):
        if real(where):
            seen.set()

    monkeypatch.setattr(run_log, "rotate", watched)
    (folder / run_log.LOG).write_bytes(b"x" * 5000)
    with run_log.kept_small(folder):
        assert seen.wait(60)
    assert (folder / run_log.LOG).read_bytes() == b""
    assert (folder / run_log.OLDER[0]).read_bytes() == b"x" * 1000
