"""Channels of logs that differ in unit or order from file to file, or hold little or too much."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from fmstudio.errors import UnreadableFile
from fmstudio.prediction.expected import Expected
from fmstudio.prediction.values import checked
from fmstudio.types import ModalityInput, Source
from pipelines.device_logs import PIPELINE


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str, name: str = "log.csv") -> Path:
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return path

    return write


def read(*paths: Path) -> ModalityInput:
    return PIPELINE.read([Source("log", path=path) for path in paths])


def column(got: ModalityInput, name: str) -> list[float | None]:
    at = got.facts["channels"].index(name)
    pairs = zip(got.values[:, at], got.mask[:, at], strict=True)
    return [round(float(value), 4) if there else None for value, there in pairs]


def test_files_in_millivolts_and_microvolts_are_joined_in_one_unit(write) -> None:
    one = write("timestamp,ecg (mV)\n2021-03-04 10:00,0.5\n", "one.csv")
    two = write("timestamp,ecg (µV)\n2021-03-05 10:00,-1500\n", "two.csv")
    got = read(one, two)
    assert (got.facts["channels"], got.facts["units"]) == (["ecg"], ["mV"])
    assert column(got, "ecg") == [0.5, -1.5]
    assert "'ecg' was put from µV into mV." in got.remarks


@pytest.mark.parametrize(("unit", "times"), [("µV", 1e-3), ("uV", 1e-3), ("V", 1e3), ("mV", 1)])
def test_a_new_case_in_another_unit_is_put_into_that_of_training(write, unit, times) -> None:
    expected = Expected.of(PIPELINE, "ecg", {"low": -1.5, "high": 2.0, "unit": "mV"})
    given = read(write(f"time_s,ecg ({unit})\n0,500\n1,-250\n"))
    got = checked(PIPELINE, given, {"ecg": expected})

    assert got.given.values[:, 0].tolist() == pytest.approx([500 * times, -250 * times])
    assert got.given.facts["units"] == ["mV"]
    assert any(f"from {unit} to mV" in remark for remark in got.remarks) == (unit != "mV")


def test_files_in_units_that_cannot_be_joined_stay_apart(write) -> None:
    one = write("timestamp,flow (l/min)\n2021-03-04 10:00,0.5\n", "one.csv")
    two = write("timestamp,flow (V)\n2021-03-05 10:00,3\n", "two.csv")
    got = read(one, two)
    assert len(got.facts["channels"]) == 2
    assert got.facts["units"] == ["l/min", "V"]


def test_order_of_channels_does_not_matter(write) -> None:
    one = write("time_s,hr,spo2\n0,80,97\n1,81,96\n", "one.csv")
    two = write("time_s,spo2,hr\n0,97,80\n1,96,81\n", "two.csv")
    for name in ("hr", "spo2"):
        assert column(read(one), name) == column(read(two), name)


def test_a_single_sample_and_a_channel_without_any_number_are_read(write) -> None:
    got = read(write("time_s,hr,spo2\n0,80,NaN\n"))
    assert got.facts["channels"] == ["hr"]
    assert got.values.tolist() == [[80]]
    assert any("'spo2'" in remark for remark in got.remarks)


@pytest.mark.parametrize("end", [1, -1])
def test_a_saturated_channel_is_remarked_on_and_a_slow_one_is_not(write, end: int) -> None:
    draw = np.random.default_rng(5)
    wave = np.clip(
        2 * np.sin(np.arange(2000) / 9) + draw.normal(0, 0.1, 2000), *sorted((end, -9 * end))
    )
    slow = np.repeat(np.linspace(90, 99, 200).round(2), 10)
    rows = "\n".join(
        f"{i / 100},{w:.4f},{s}" for i, (w, s) in enumerate(zip(wave, slow, strict=True))
    )
    got = read(write(f"time_s,ecg (mV),spo2\n{rows}\n"))
    (said,) = [remark for remark in got.remarks if "saturated" in remark]
    word = "highest" if end > 0 else "lowest"
    assert f"'ecg' stays at its {word} value, {end} mV, in" in said
    assert got.facts["flaws"] == ["saturated: ecg"]


def test_the_rounded_peak_of_a_coarse_curve_is_not_saturated(write) -> None:
    beats = np.round(300 * np.sin(2 * np.pi * 1.2 * np.arange(2000) / 250)) / 200
    rows = "\n".join(f"{i / 250},{beat:.3f}" for i, beat in enumerate(beats))
    assert "flaws" not in read(write(f"time_s,ecg (mV)\n{rows}\n")).facts


def test_a_log_of_too_many_readings_is_refused_as_it_is_read(write, monkeypatch) -> None:
    monkeypatch.setattr("pipelines.formats.log_tables.MAX_VALUES", 1000)
    rows = "\n".join(f"{i},{i % 7},{i % 5}" for i in range(600))
    with pytest.raises(UnreadableFile, match=r"log\.csv holds too many readings"):
        read(write(f"time_s,a,b\n{rows}\n"))


def test_a_record_of_many_samples_is_read_in_pieces(tmp_path: Path, monkeypatch) -> None:
    for module in ("recordings", "formats.wfdb_records"):
        monkeypatch.setattr(f"pipelines.{module}.BLOCK_SAMPLES", 20_000)
    count = 2_000_000
    (np.arange(count) % 200).astype("<i2").tofile(tmp_path / "long.dat")
    header = f"long 1 250 {count}\nlong.dat 16 200/mV 16 0 0 0 0 ecg\n"
    (tmp_path / "long.hea").write_text(header)
    path = tmp_path / "long.hea"
    read(path)  # what is imported on the way is not the record's

    tracemalloc.start()
    try:
        got = read(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert got.facts["seconds"][-1] == pytest.approx(count / 250, rel=0.001)
    assert got.values.mean() == pytest.approx(0.4975, abs=0.001)
    assert peak < 4 * count  # bytes: less than the samples as float32
