"""Clocks without a zone: asked for once where it matters, and then read in the zone that is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from fmstudio.errors import InputError
from fmstudio.types import Source
from pipelines.device_logs import PIPELINE

BERLIN = ZoneInfo("Europe/Berlin")
# Summer time ended on 31 October 2021 at 01:00 UTC: 02:00 to 03:00 was there twice.
NIGHT = [datetime(2021, 10, 30, 23, tzinfo=UTC) + timedelta(minutes=10 * n) for n in range(24)]


def log(path: Path, moments: list[str]) -> Source:
    rows = "\n".join(f"{moment},{60 + n}" for n, moment in enumerate(moments))
    path.write_text(f"when,hr\n{rows}\n")
    return Source("log", path=path)


def local(moments: list[datetime]) -> list[str]:
    return [one.astimezone(BERLIN).strftime("%Y-%m-%d %H:%M") for one in moments]


def said(*sources: Source, zone: str = "Europe/Berlin") -> list[Source]:
    return [Source(s.name, path=s.path, answers=(("log_zone", zone),)) for s in sources]


def test_an_hour_that_is_there_twice_is_asked_about_and_read_in_its_order(tmp_path):
    source = log(tmp_path / "a.csv", local(NIGHT))
    (question,) = PIPELINE.open_questions([source])
    got = PIPELINE.read(said(source))

    assert question.keys == ("log_zone",)
    assert not question.needed
    assert "falls back by an hour" in question.message
    assert PIPELINE.open_questions(said(source)) == ()
    assert np.diff(got.facts["seconds"]).tolist() == [600.0] * (len(NIGHT) - 1)
    assert got.values[:, 0].tolist() == list(range(60, 60 + len(NIGHT)))


def test_times_with_and_without_a_zone_in_one_log_are_put_on_one_clock(tmp_path):
    mixed = [
        plain if n % 2 else moment.strftime("%Y-%m-%d %H:%M+00:00")
        for n, (plain, moment) in enumerate(zip(local(NIGHT[:6]), NIGHT[:6], strict=True))
    ]
    source = log(tmp_path / "a.csv", mixed)
    (question,) = PIPELINE.open_questions([source])

    assert "some times have a zone and some have none" in question.message
    assert np.diff(PIPELINE.read(said(source)).facts["seconds"]).tolist() == [600.0] * 5


def test_a_log_with_zones_and_one_without_are_put_on_one_clock(tmp_path):
    first = log(tmp_path / "a.csv", [one.isoformat() for one in NIGHT[:6]])
    second = log(tmp_path / "b.csv", local(NIGHT[6:9]))
    (question,) = PIPELINE.open_questions([first, second])

    assert "a zone and some have none" in question.message
    assert PIPELINE.read(said(first, second)).facts["seconds"][-1] == 600.0 * 8
    assert PIPELINE.open_questions([first]) == PIPELINE.open_questions([second]) == ()


@pytest.mark.parametrize(
    "moments",
    [
        ["2021-10-31 02:50", "2021-10-31 02:40", "2021-10-31 02:30", "2021-10-31 02:20"],
        ["2021-10-31 12:50", "2021-10-31 13:40", "2021-10-31 13:10", "2021-10-31 14:20"],
        ["2021-10-31 02:10Z", "2021-10-31 02:50Z", "2021-10-31 02:10Z", "2021-10-31 02:50Z"],
    ],
)
def test_logs_that_are_only_unsorted_are_not_asked_about(tmp_path, moments):
    assert PIPELINE.open_questions([log(tmp_path / "a.csv", moments)]) == ()


def test_a_zone_that_there_is_not_is_refused():
    with pytest.raises(InputError, match="no time zone 'Berlin'"):
        PIPELINE.checked_answer("log_zone", "Berlin")
    with pytest.raises(InputError, match="no time zone"):
        PIPELINE.checked_answer("log_zone", "../../etc/passwd")
    assert PIPELINE.checked_answer("log_zone", " Asia/Tokyo ") == "Asia/Tokyo"
