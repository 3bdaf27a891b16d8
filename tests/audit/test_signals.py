"""Recordings of a cohort that do not go together, or are spoilt in part."""

from __future__ import annotations

import numpy as np

from tests.audit.conftest import ROWS, found


def logs(folder, unit_of, top_of):
    """Names of logs of one channel 'ecg' by row: its unit, and where it is cut off."""
    draw = np.random.default_rng(2)
    for row in range(ROWS):
        scale = 1000 if unit_of(row) == "µV" else 1
        wave = np.sin(np.arange(400) / 7) + draw.normal(0, 0.1, 400)
        wave = np.minimum(wave, top_of(row)) * scale
        lines = "\n".join(f"{i / 100},{value:.5g}" for i, value in enumerate(wave))
        (folder / f"log{row}.csv").write_text(f"time_s,ecg ({unit_of(row)})\n{lines}\n", "utf-8")
    return [f"log{row}.csv" for row in range(ROWS)]


def test_millivolts_among_microvolts_are_named_with_their_rows(known, tmp_path):
    names = logs(tmp_path, lambda row: "µV" if row % 10 == 0 else "mV", lambda row: 9)
    (got,) = found(known(log=names, roles={"log": "device_logs"}), "mixed_units")

    assert got["rows"] == list(range(0, ROWS, 10))
    assert "'ecg' is in another unit in 6 cases (µV)" in got["message"]


def test_saturated_recordings_are_found_with_their_rows(known, tmp_path):
    names = logs(tmp_path, lambda row: "mV", lambda row: 0.6 if row < 15 else 9)
    (got,) = found(known(log=names, roles={"log": "device_logs"}), "constant_signal")

    assert got["rows"] == list(range(15))
    assert got["severity"] == "warning"
    assert "saturated: ecg (15)" in got["message"]
