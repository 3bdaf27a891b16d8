"""The lock of a home: one holder, and asking whether it is held."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from fmstudio import lock

HOLD = (
    "import sys; from pathlib import Path; from fmstudio import lock;"
    "assert lock.take(Path(sys.argv[1])) is not None; print('held', flush=True); input()"
)


def test_a_home_is_held_by_one_process_until_that_lets_go_or_dies(tmp_path):
    assert not lock.is_held(tmp_path)
    assert list(tmp_path.iterdir()) == []
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == b"held"
        assert lock.is_held(tmp_path)
        assert lock.take(tmp_path) is None
        other.kill()
    assert not lock.is_held(tmp_path)

    handle = lock.take(tmp_path)
    assert handle is not None
    assert lock.is_held(tmp_path)
    assert lock.is_held(tmp_path)  # asking has not given it back
    os.close(handle)
    assert not lock.is_held(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot be asked")
def test_asking_never_keeps_anybody_from_taking_the_lock(tmp_path):
    done = threading.Event()
    asked = []

    def ask() -> None:
        while not done.is_set():
            asked.append(lock.is_held(tmp_path))

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        for _ in range(500):
            handle = lock.take(tmp_path)
            assert handle is not None
            os.close(handle)
    finally:
        done.set()
        asker.join()
    assert asked
