"""A full disk, a failing disk and a power cut in the middle of what the studio writes.

`python -m benchmarks power` tries every call; here a few of each piece of work are.
"""

from __future__ import annotations

import os

import pytest

from benchmarks.faults import FAILING, FULL, POWER, Faults
from benchmarks.power import WORKS, try_all

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the trials fork this process")


@pytest.mark.parametrize(
    ("work", "way"),
    [*((work, POWER) for work in WORKS), (WORKS[0], FULL), (WORKS[2], FAILING)],
    ids=lambda one: getattr(one, "name", one),
)
def test_whatever_call_goes_wrong_nothing_half_written_is_used(work, way, tmp_path):
    tried, wrong = try_all(work, tmp_path, way, most=3)

    assert wrong == []
    assert tried == 3


def test_a_power_cut_halves_what_was_not_forced_to_the_disk(tmp_path):
    """What the trials rest on: the write counts, and an fsync makes it safe, under a new name too."""
    for fatal, left in ((3, b"12"), (4, b"1234")):
        child = os.fork()
        if child == 0:
            with Faults(tmp_path, fatal, POWER).at_work():
                with (tmp_path / "a").open("wb") as file:  # call 1, its first write call 2
                    file.write(b"1234")
                    file.flush()
                    os.fsync(file.fileno())  # call 3
                (tmp_path / "a").replace(tmp_path / "b")  # call 4
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -9
        assert (tmp_path / "a").read_bytes() == left
