"""Figures as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fmstudio.present import values
from fmstudio.ui import wording


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (-3, "0 s"),
        (0, "0 s"),
        (0.3, "< 1 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (200_000, "2 days 7 h"),
    ],
)
def test_no_time_and_48_hours_display_right(seconds, said):
    assert wording.duration(seconds) == said


def test_a_run_that_ended_before_it_began_lasted_no_time():
    start = datetime.now(UTC)

    assert wording.lasted(start, start - timedelta(hours=1)) == "0 s"


def test_a_day_of_the_month_has_no_zero_in_front():
    assert wording.moment(datetime(2026, 3, 4, 9, 5).astimezone()) == "4 Mar 2026, 09:05"


def test_a_time_without_zone_is_taken_as_utc():
    bare = datetime(2026, 3, 14, 9, 5)

    assert wording.aware(bare) == datetime(2026, 3, 14, 9, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.0, "0.0 %"), (0.0004, "< 0.1 %"), (0.073, "7.3 %"), (0.9996, "> 99.9 %"), (1.0, "100.0 %")],
)
def test_a_probability_never_looks_certain_when_it_is_not(share, said):
    assert values.percent(share) == said


def test_names_are_listed_as_in_a_sentence():
    assert wording.listed([]) == ""
    assert wording.listed(["a"]) == "a"
    assert wording.listed(["a", "b", "c"]) == "a, b and c"


def test_a_task_is_judged_first_by_its_own_metric():
    assert wording.headline({"accuracy": 1, "auroc": 2}) == ("auroc", 2)
    assert wording.headline({"mae": 1, "r2": 2}) == ("r2", 2)
    assert wording.headline({}) is None
