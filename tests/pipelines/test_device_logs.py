"""The device log pipeline: times, channels and gaps as the monitor wrote them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fmstudio.errors import UnreadableFile
from fmstudio.types import ModalityInput, Source
from pipelines.device_logs import PIPELINE
from pipelines.recordings import MAX_STEPS


@pytest.fixture
def write(tmp_path: Path):
    def write_log(text: str | bytes, name: str = "log.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write_log


def read(*paths: Path, names: tuple[str, ...] = ()) -> ModalityInput:
    names = names or ("monitor",) * len(paths)
    got = PIPELINE.read([Source(n, path=p) for n, p in zip(names, paths, strict=True)])
    assert np.isfinite(got.values).all()
    assert (got.values[~got.mask] == 0).all()
    assert (np.diff(got.facts["seconds"]) > 0).all()
    return got


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """A WFDB record of 40 s: two leads and a pulse wave at 250 Hz; its header."""
    import wfdb

    seconds = np.arange(10_000) / 250
    waves = np.stack([np.sin(7 * seconds), np.cos(7 * seconds), 50 + 9 * np.sin(7 * seconds)], 1)
    folder = tmp_path / "of the monitor"
    folder.mkdir()
    wfdb.wrsamp(
        "ward7",
        fs=250,
        units=["mV", "mV", "NU"],
        sig_name=["II", "V", "PLETH"],
        p_signal=waves,
        fmt=["16"] * 3,
        write_dir=str(folder),
    )
    return folder / "ward7.hea"


def column(got: ModalityInput, name: str) -> list[float | None]:
    at = got.facts["channels"].index(name)
    pairs = zip(got.values[:, at], got.mask[:, at], strict=True)
    return [round(float(value), 4) if there else None for value, there in pairs]


def test_a_wide_log_gives_a_channel_per_column_and_masks_empty_cells(write) -> None:
    got = read(write("time_s,hr_bpm,SpO2 (%)\n0,80,97\n1,,96\n2.5,82,\n"))
    assert got.facts["channels"] == ["hr_bpm", "SpO2"]
    assert got.facts["units"] == ["bpm", "%"]
    assert got.facts["seconds"] == [0, 1, 2.5]
    assert column(got, "hr_bpm") == [80, None, 82]
    assert column(got, "SpO2") == [97, 96, None]
    assert got.remarks == ()


def test_a_long_log_gives_a_channel_per_parameter(write) -> None:
    got = read(
        write("Time,Parameter,Value,Unit\n00:00,Weight,89.5,kg\n00:39,HR,82,bpm\n49:10,HR,90,bpm\n")
    )
    assert got.facts["channels"] == ["Weight", "HR"]
    assert got.facts["units"] == ["kg", "bpm"]
    assert got.facts["seconds"] == [0, 39 * 60, 49 * 3600 + 600]
    assert column(got, "HR") == [None, 82, 90]


@pytest.mark.parametrize(
    ("name", "first", "second", "seconds"),
    [
        ("timestamp", "2021-03-04 10:00", "2021-03-04 10:15", 900),
        ("timestamp", "2021-03-04T10:00:00Z", "2021-03-04T12:00:00+01:00", 3600),
        ("timestamp", "2021-03-04 10:00:00.250", "2021-03-04 10:00:01", 0.75),
        ("Zeit", "04.03.2021 10:00", "04.03.2021 10:15", 900),
        ("date", "25/12/2021 10:00", "26/12/2021 10:00", 86400),
        ("when", "04-Mar-2021 10:00:00", "04-Mar-2021 10:01:00", 60),
        ("clock", "10:00", "11:30", 5400),
        ("clock", "23:50:00", "00:10:00", 1200),
        ("clock", "10:00 AM", "2:00 PM", 4 * 3600),
        ("time", "1614852000", "1614852060", 60),
        ("time", "1614852000000", "1614852060000", 60),
        ("time", "1614852000000000", "1614852060000000", 60),
        ("time", "1614852000000000000", "1614852060000000000", 60),
        ("time_ms", "0", "1500", 1.5),
        ("Time (min)", "0", "1.5", 90),
        ("elapsed_hours", "0", "2", 7200),
        ("date", "44197", "44197.5", 43200),
        ("seconds", "5", "7", 2),
    ],
)
def test_every_usual_way_of_writing_time_is_read(
    write, name: str, first: str, second: str, seconds: float
) -> None:
    got = read(write(f"{name},hr\n{first},80\n{second},82\n"))
    assert got.facts["seconds"] == pytest.approx([0, seconds])
    assert column(got, "hr") == [80, 82]


def test_plain_numbers_without_a_unit_are_taken_as_seconds_and_said(write) -> None:
    got = read(write("time,hr\n0,80\n60,82\n"))
    assert got.facts["seconds"] == [0, 60]
    assert "taken as seconds" in got.remarks[0]


@pytest.mark.parametrize("rows", [50, 30_000])
def test_a_long_count_of_milliseconds_is_not_taken_for_a_date(write, rows: int) -> None:
    step = 10**9 // rows  # 278 hours in all: as large a number as a date in seconds
    lines = "\n".join(f"{i * step},{i}" for i in range(rows))
    got = read(write(f"time_ms,hr\n{lines}"))
    assert got.facts["seconds"][-1] == pytest.approx(1e6, rel=0.03)


def test_date_and_time_in_two_columns_are_one_moment(write) -> None:
    got = read(write("Date,Time,hr\n2021-03-04,23:00,80\n2021-03-05,01:00,82\n"))
    assert got.facts["channels"] == ["hr"]
    assert got.facts["seconds"] == [0, 7200]


def test_dates_that_may_be_months_or_days_are_read_by_the_one_order_that_fits(write) -> None:
    got = read(write("date,hr\n03/04/2021,80\n13/04/2021,82\n"))
    assert got.facts["seconds"] == [0, 10 * 86400]
    assert "day/month/year" in got.remarks[0]
    with pytest.raises(UnreadableFile, match=r"times in column 'date' .*03/04/2021"):
        read(write("date,hr\n03/04/2021,80\n04/04/2021,82\n"))


def test_rows_out_of_order_and_twice_are_sorted_and_averaged_with_a_remark(write) -> None:
    got = read(write("time_s,hr\n20,90\n0,80\n20,92\n10,85\n"))
    assert got.facts["seconds"] == [0, 10, 20]
    assert column(got, "hr") == [80, 85, 91]
    assert any("order of time" in remark for remark in got.remarks)
    assert any("averaged" in remark for remark in got.remarks)


def test_rows_without_a_time_are_left_out_and_counted(write) -> None:
    got = read(write("time_s,hr\n0,80\n,81\n2,82\n"))
    assert column(got, "hr") == [80, 82]
    assert "log.csv: rows without a time were left out: 1." in got.remarks


def test_a_column_of_words_is_left_out_and_a_word_among_numbers_masked(write) -> None:
    got = read(write("time_s,hr,diet\n0,80,soup\n1,leads off,\n2,82,rice\n"))
    assert got.facts["channels"] == ["hr"]
    assert column(got, "hr") == [80, 82]
    assert any("'diet'" in remark for remark in got.remarks)
    assert any("'hr'" in remark and "row 2" in remark for remark in got.remarks)


@pytest.mark.parametrize("name", ["hr", "glucose_mg_dl"])
def test_words_all_over_a_column_that_should_hold_numbers_are_refused(write, name: str) -> None:
    lines = "".join(f"{i},error {i},{i}\n" for i in range(8))
    with pytest.raises(UnreadableFile, match=rf"column '{name}'.*row 1: 'error 0'"):
        read(write(f"time_s,{name},ok\n{lines}0.5,70,1\n"))


def test_semicolons_decimal_commas_and_utf16_are_read(write) -> None:
    text = "Zeit;Temp (°C)\n2021-03-04 10:00;36,5\n2021-03-04 10:05;37,25\n"
    got = read(write(text.encode("utf-16")))
    assert column(got, "Temp") == [36.5, 37.25]
    assert got.facts["units"] == ["°C"]
    assert any("decimal comma" in remark for remark in got.remarks)


def test_a_row_of_units_below_the_header_is_taken_as_units(write) -> None:
    got = read(write("'Elapsed time','MLII'\n'seconds','mV'\n0.000,-0.145\n0.003,-0.140\n"))
    assert got.facts["units"] == ["mV"]
    assert column(got, "'MLII'") == [-0.145, -0.14]


def test_workbook_and_parquet_say_the_same_as_csv(write, tmp_path: Path) -> None:
    want = read(write("timestamp,hr\n2021-03-04 10:00:00,80\n2021-03-04 10:15:00,82.5\n"))
    stamps = np.array(["2021-03-04T10:00", "2021-03-04T10:15"], "datetime64[us]")
    book = openpyxl.Workbook()
    book.active.append(["timestamp", "hr"])
    for stamp, value in zip(stamps.tolist(), (80, 82.5), strict=True):
        book.active.append([stamp, value])
    book.save(tmp_path / "log.xlsx")
    pq.write_table(pa.table({"timestamp": stamps, "hr": [80, 82.5]}), tmp_path / "log.parquet")
    for name in ("log.xlsx", "log.parquet"):
        got = read(tmp_path / name)
        assert got.facts == want.facts, name
        assert np.array_equal(got.values, want.values)


def test_files_of_one_case_are_merged_on_their_dates(write) -> None:
    one = write("timestamp,hr\n2021-03-04 10:00,80\n2021-03-04 10:10,82\n", "one.csv")
    two = write("timestamp,spo2\n2021-03-04 10:05,97\n2021-03-04 10:10,96\n", "two.csv")
    got = read(one, two)
    assert got.facts["seconds"] == [0, 300, 600]
    assert column(got, "hr") == [80, None, 82]
    assert column(got, "spo2") == [None, 97, 96]


def test_channels_of_one_name_are_told_apart_by_their_column(write) -> None:
    one, two = write("time_s,hr\n0,80\n", "one.csv"), write("time_s,hr\n0,90\n", "two.csv")
    got = read(one, two, names=("bedside", "watch"))
    assert got.facts["channels"] == ["bedside hr", "watch hr"]
    assert got.values.tolist() == [[80, 90]]


def test_a_file_that_continues_another_extends_its_channels(write) -> None:
    one = write("timestamp,hr\n2021-03-04 10:00,80\n", "one.csv")
    two = write("timestamp,hr\n2021-03-05 10:00,90\n", "two.csv")
    got = read(two, one)
    assert got.facts["channels"] == ["hr"]
    assert column(got, "hr") == [80, 90]


def test_files_with_and_without_dates_each_start_at_zero_and_it_is_said(write) -> None:
    one = write("timestamp,hr\n2021-03-04 10:00,80\n", "one.csv")
    two = write("time_s,spo2\n30,97\n40,96\n", "two.csv")
    got = read(one, two)
    assert got.facts["seconds"] == [0, 10]
    assert any("started at 0" in remark for remark in got.remarks)


def test_a_long_recording_is_averaged_into_equal_steps(write) -> None:
    count = 3 * MAX_STEPS - 1
    lines = "\n".join(f"{i},{i % 3}" for i in range(count))
    got = read(write(f"time_s,ramp\n{lines}"))
    assert got.values.shape == (MAX_STEPS, 1)
    assert np.allclose(got.values[:-1], 1)  # every step averages 0, 1, 2
    assert got.facts["seconds"][:3] == [0, 3, 6]
    assert "averaged into" in got.remarks[-1]


def test_a_gap_stays_a_gap(write) -> None:
    lines = [f"{i},{i}" for i in (*range(15_000), *range(1_000_000, 1_015_000))]
    got = read(write("time_s,hr\n" + "\n".join(lines)))
    assert np.diff(got.facts["seconds"]).max() > 900_000
    assert got.mask.all()


def test_a_log_without_readings_counts_as_missing(write) -> None:
    got = read(write("Time,Parameter,Value\n"))
    assert got.empty
    assert "no row" in got.remarks[0]


def test_a_constant_channel_is_remarked_on(write) -> None:
    lines = "\n".join(f"{i},5,{i}" for i in range(20))
    assert "Constant throughout: flat." in read(write(f"time_s,flat,ok\n{lines}")).remarks


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("hr,spo2\n80,97\n82,96\n", "no time column"),
        ("time_s,note\n0,calm\n1,awake\n", "no channel with numbers"),
        ("time,hr\nsoon,80\nlater,81\n", "times in column 'time' cannot be read"),
        ("time_s,hr,hr\n0,80,81\n", "more than one column named 'hr'"),
        (b"\x89PNG\r\n\x1a\n" + bytes(99), "a PNG image"),
        (b"", "empty"),
    ],
)
def test_what_is_no_log_is_refused_by_name(write, text: str | bytes, told: str) -> None:
    with pytest.raises(UnreadableFile, match=told) as error:
        read(write(text))
    assert error.value.message.startswith("log.csv")
    assert error.value.hint


def test_a_header_and_its_signals_may_lie_in_different_folders(
    record: Path, tmp_path: Path
) -> None:
    """As uploads do: each file gets a folder of its own."""
    paths = []
    for name in ("ward7.dat", "ward7.hea"):
        (tmp_path / name).mkdir()
        paths.append(Path(shutil.copy(record.with_name(name), tmp_path / name / name)))
    got, want = read(*paths), read(record)
    assert np.array_equal(got.values, want.values)
    with pytest.raises(UnreadableFile, match=r"names the signal file ward7\.dat"):
        read(paths[1])
    with pytest.raises(UnreadableFile, match="whose header is not there"):
        read(paths[0])


def test_a_record_may_be_named_without_its_ending(record: Path) -> None:
    assert read(record.with_suffix("")).facts == read(record).facts


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "http://a.b/c.dat", ".."])
def test_a_header_cannot_reach_files_elsewhere(write, name: str) -> None:
    header = write(f"rec 1 100 10\n{name} 16 200/mV 16 0 0 0 0 II\n", "rec.hea")
    with pytest.raises(UnreadableFile, match=r"rec\.hea"):
        read(header)


def test_a_truncated_record_is_refused(record: Path) -> None:
    signals = record.with_suffix(".dat")
    signals.write_bytes(signals.read_bytes()[: signals.stat().st_size // 2])
    with pytest.raises(UnreadableFile, match=r"ward7\.hea"):
        read(record)


def test_a_header_that_declares_terabytes_is_refused_before_memory_is_taken(write) -> None:
    write(bytes(200), "rec.dat")
    header = write("rec 1 100 1000000000000\nrec.dat 16 200/mV 16 0 0 0 0 II\n", "rec.hea")
    with pytest.raises(UnreadableFile, match="hold only"):
        read(header)


def test_the_preview_shows_curves_a_strip_of_fast_signals_and_ranges(record: Path) -> None:
    got = PIPELINE.preview([Source("ecg", path=record)])
    assert [caption for _, caption in got.images] == ["The whole recording", "10 s from the middle"]
    for picture, _ in got.images:
        assert picture.dtype == np.uint8
        assert picture.shape[2] == 3
        assert (picture[:6, :, :] > 150).all()  # a light card, whatever the page
        assert (picture < 100).any()
    assert got.table[0] == ("Channel", "Readings", "Lowest", "Median", "Highest")
    assert [row[:2] for row in got.table[1:]] == [
        ("II (mV)", "10000"),
        ("V (mV)", "10000"),
        ("PLETH", "10000"),
    ]


def test_the_preview_of_many_channels_shows_the_fullest_eight(write) -> None:
    lines = [
        f"{minute}," + ",".join("5" if minute <= channel else "" for channel in range(30))
        for minute in range(40)
    ]
    header = "minutes," + ",".join(f"c{channel}" for channel in range(30))
    got = PIPELINE.preview([Source("log", path=write("\n".join([header, *lines]) + "\n"))])
    assert len(got.images) == 1
    assert got.images[0][1] == "The whole recording: the 8 fullest of 30 channels"
    assert len(got.table) == 31


def test_the_preview_of_an_empty_log_is_empty(write) -> None:
    got = PIPELINE.preview([Source("log", path=write("Time,Parameter,Value\n"))])
    assert got.images == ()
    assert got.remarks


def assert_holds_what_pandas_reads(path: Path) -> None:
    got, table = read(path), pd.read_csv(path)
    if "Parameter" in table:
        table = table.groupby(["Time", "Parameter"])["Value"].mean().unstack()
    else:
        table = table.set_index("timestamp").apply(pd.to_numeric, errors="coerce")
    for name in got.facts["channels"]:
        known = np.array([v for v in column(got, name) if v is not None])
        want = table[name].dropna()
        assert len(known) == len(want), (path.name, name)
        assert known.sum() == pytest.approx(float(want.sum()), rel=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_long_and_wide_logs_hold_what_pandas_reads(write, seed: int) -> None:
    rng = np.random.default_rng(seed)
    minutes = np.sort(rng.choice(2880, 300, replace=False))
    names = rng.choice(["HR", "SysABP", "Temp", "GCS", "Urine"], 300)
    readings = rng.normal(80, 20, 300).round(1)
    long = ["Time,Parameter,Value"] + [
        f"{m // 60:02}:{m % 60:02},{name},{reading}"
        for m, name, reading in zip(minutes, names, readings, strict=True)
    ]
    assert_holds_what_pandas_reads(write("\n".join(long) + "\n", "long.csv"))
    wide = ["timestamp,glucose,insulin"]
    for step, reading in enumerate(readings):
        insulin = "" if step % 7 else f"{abs(reading) / 10:.1f}"
        day, hour = divmod(step // 4, 24)
        wide.append(f"2021-03-{day + 1:02} {hour:02}:{step % 4 * 15:02}:00,{reading},{insulin}")
    assert_holds_what_pandas_reads(write("\n".join(wide) + "\n", "wide.csv"))


@pytest.mark.parametrize(
    "cohort", ["physionet2012_icu", "shanghai_diabetes_cgm", "depresjon_actigraphy"]
)
def test_logs_of_real_cohorts_hold_what_pandas_reads(shared: Path, cohort: str) -> None:
    for path in sorted((shared / "data" / cohort / "logs").glob("*.csv"))[:12]:
        assert_holds_what_pandas_reads(path)
