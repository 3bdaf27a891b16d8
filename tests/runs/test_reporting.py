import os
from itertools import pairwise

import pytest

from fmstudio.errors import RegistryError
from fmstudio.records import Point, Progress
from fmstudio.runs.reporting import Countdown, RunReporter


class Recorder:
    """Stands for the registry: keeps every write, and refuses as often as it is told."""

    def __init__(self, refuse: int = 0) -> None:
        self.writes: list[tuple[Progress | None, list[Point]]] = []
        self.refuse = refuse

    def report(self, run_id, pid, progress, points):
        if self.refuse:
            self.refuse -= 1
            raise RegistryError("The registry is in use by another program.")
        self.writes.append((progress, list(points)))
        return True


@pytest.fixture
def pid():
    return os.getpid()


def test_many_reports_become_few_writes_and_none_is_lost(pid):
    recorder = Recorder()
    with RunReporter(recorder, "run-1", pid) as reporter:
        for step in range(5000):
            reporter.points([Point("loss", step, 0.1)])
            reporter.progress(Progress("Training", step / 5000))

    assert len(recorder.writes) <= 3
    assert [p.step for _, points in recorder.writes for p in points] == list(range(5000))
    assert recorder.writes[-1][0].fraction == 4999 / 5000


def test_what_could_not_be_written_is_written_later_in_its_order(pid, wait):
    recorder = Recorder(refuse=1)
    with RunReporter(recorder, "run-1", pid) as reporter:
        reporter.points([Point("loss", 1, 0.1)])
        reporter.progress(Progress("Reading", 0.1))
        wait(lambda: recorder.refuse == 0)
        reporter.points([Point("loss", 2, 0.1)])

    assert [p.step for _, points in recorder.writes for p in points] == [1, 2]
    assert recorder.writes[0][0] == Progress("Reading", 0.1)


def test_what_cannot_be_written_in_the_end_is_said(pid):
    with pytest.raises(RegistryError), RunReporter(Recorder(refuse=99), "run-1", pid) as reporter:
        reporter.points([Point("loss", 1, 0.1)])


def test_a_run_that_was_taken_away_asks_its_work_to_stop(pid, wait):
    recorder = Recorder()
    recorder.report = lambda *_: False
    with RunReporter(recorder, "run-1", pid) as reporter:
        wait(reporter.should_stop)
    assert reporter.lost


def test_the_time_left_runs_down_steadily_though_estimates_jump():
    clock = [0.0]
    countdown = Countdown(lambda: clock[0])
    shown = []
    for second, estimate in enumerate([100, 140, 60, 120, 80, 100, 95, 94]):
        clock[0] = float(second)
        shown.append(countdown.smooth(float(estimate)))

    jumps = [abs(b - (a - 1)) for a, b in pairwise(shown)]
    assert shown[0] == 100
    assert max(jumps) <= 0.3 * 60
    assert countdown.smooth(None) is None


def test_the_time_left_is_never_negative():
    clock = [0.0]
    countdown = Countdown(lambda: clock[0])
    countdown.smooth(1.0)
    clock[0] = 50.0
    assert countdown.smooth(0.0) == 0.0
