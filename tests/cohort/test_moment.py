"""The moment of prediction: what is later is left out, of files and of cells that have a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fmstudio.cohort import build_cohort, make_task
from fmstudio.features.keys import source_key
from fmstudio.sandbox import Reader
from fmstudio.settings import Limits
from fmstudio.types import Source

ROWS = 24


@pytest.fixture
def log(tmp_path):
    lines = [f"{n * 1800},{80 + n % 7}" for n in range(200)]
    (tmp_path / "log.csv").write_text("seconds,hr_bpm\n" + "\n".join(lines), encoding="utf-8")
    return tmp_path / "log.csv"


def test_a_recording_ends_at_the_moment_and_says_what_was_left_out(log):
    with Reader(Limits()) as reader:
        whole = reader.read("device_logs", [Source("log", log)])
        cut = reader.read("device_logs", [Source("log", log, until=48 * 3600)])

    assert cut.facts["seconds"][-1] == 48 * 3600
    np.testing.assert_array_equal(cut.values, whole.values[: len(cut.values)])
    assert cut.facts["left_out_after_moment"] == len(whole.values) - len(cut.values) == 103
    assert "103 readings after the time of prediction are left out." in cut.remarks


def test_a_cut_recording_is_another_input_to_the_cache(log):
    whole, cut = Source("log", log), Source("log", log, until=3600.0)

    assert source_key("device_logs", [whole]) != source_key("device_logs", [cut])


def test_notes_written_after_the_moment_are_left_out_and_counted(manifest):
    got = manifest(
        case_time=["2021-03-01 08:00"] * ROWS,
        note=["Coughs and sleeps badly."] * ROWS,
        note_time=["2021-03-01 20:00" if n % 3 else "2021-03-04 09:00" for n in range(ROWS)],
        age=[str(n) for n in range(ROWS)],
        label=[str(n % 2) for n in range(ROWS)],
    )
    roles = {
        "case_time": "time",
        "note": "notes",
        "note_time": "ignore",
        "age": "ehr",
        "label": "label",
    }
    task = replace(make_task(got, roles, "binary"), moment=48.0)
    cohort = build_cohort(got, roles, task, "test")

    assert sum("notes" in case.sources for case in cohort.cases) == 16
    assert "8 notes and values of later times are left out." in cohort.remarks[0]
    assert all(
        "notes" in c.sources
        for c in build_cohort(got, roles, replace(task, moment=None), "x").cases
    )
