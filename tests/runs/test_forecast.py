"""How far a whole run is, from what its stages report."""

import pytest

from fmstudio.records import Progress
from fmstudio.runs.forecast import Forecast

EXPECTED = {"Reading": 20.0, "Training": 60.0, "Evaluating": 20.0}


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def forecast(clock):
    return Forecast(EXPECTED, clock)


def test_the_time_left_is_that_of_the_run_and_not_of_the_stage(forecast, clock):
    clock.now += 19
    seen = forecast.of_run(Progress("Reading", 0.95))

    assert seen.fraction == pytest.approx(0.19)
    assert seen.seconds_left == pytest.approx(81, abs=1)


def test_a_silent_stage_moves_on_with_the_clock_but_never_to_its_end(forecast, clock):
    clock.now += 10
    half = forecast.of_run(Progress("Reading"))
    clock.now += 1000
    late = forecast.of_run(Progress("Reading"))

    assert half.fraction == pytest.approx(0.10)
    assert late.fraction == pytest.approx(0.18)
    assert late.seconds_left > 80


def test_a_machine_slower_than_expected_makes_what_is_to_come_longer(forecast, clock):
    clock.now += 40  # twice as long as expected
    seen = forecast.of_run(Progress("Training"))

    assert seen.seconds_left == pytest.approx(60 + 2 * 20)


def test_what_was_cached_does_not_make_the_rest_seem_shorter(forecast, clock):
    clock.now += 1
    assert forecast.of_run(Progress("Training")).seconds_left == pytest.approx(80)


def test_a_stage_ends_by_its_own_pace_once_it_has_shown_it(forecast, clock):
    clock.now += 20
    forecast.of_run(Progress("Training"))
    clock.now += 60
    assert forecast.of_run(Progress("Training", 0.5)).seconds_left == pytest.approx(60 + 20)


def test_the_bar_never_goes_back(forecast, clock):
    clock.now += 25
    first = forecast.of_run(Progress("Training", 0.5)).fraction
    again = forecast.of_run(Progress("Training", 0.1)).fraction

    assert again == first == pytest.approx(0.5)


def test_work_of_which_nothing_is_expected_is_passed_on_as_it_is(clock):
    progress = Progress("Counting", 0.25)

    assert Forecast({}, clock).of_run(progress) is progress
