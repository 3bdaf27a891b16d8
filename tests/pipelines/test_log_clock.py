"""Times of logs are found by what the columns hold; where they cannot be, one question is open."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fmstudio.errors import InputError, UnreadableFile
from fmstudio.types import ModalityInput, Source
from pipelines.device_logs import PIPELINE

ECG = np.round(np.sin(np.arange(40) / 5), 3)


def log(folder: Path, header: str, times: list[str], front: bool = True, more: str = "") -> Path:
    rows = [
        ",".join([time, f"{ecg}{more}"] if front else [f"{ecg}{more}", time])
        for time, ecg in zip(times, ECG, strict=True)
    ]
    path = folder / "log.csv"
    path.write_text("\n".join([header, *rows] if header else rows) + "\n", "utf-8")
    return path


def read(path: Path, **answers: str) -> ModalityInput:
    return PIPELINE.read([Source("ecg", path=path, answers=tuple(answers.items()))])


def counts(step: float, start: float = 0.0) -> list[str]:
    return [f"{start + i * step:.10g}" for i in range(len(ECG))]


@pytest.mark.parametrize(
    ("header", "times", "step"),
    [
        ("t_s,ecg", counts(0.004), 0.004),
        ("sec,ecg", counts(0.5), 0.5),
        ("elapsed,ecg", counts(2), 2),
        ("Time [ms],ecg", counts(4), 0.004),
        ("t[us],ecg", counts(4000), 0.004),
        ("TimeStamp (ms),ecg", counts(4), 0.004),
        ("t,ecg", counts(0.02), 0.02),
        ("ts,ecg", counts(0.02), 0.02),
        ("Zeit,ecg", counts(0.5), 0.5),
        ("Zeit in Minuten,ecg", counts(1), 60),
        ("temps (s),ecg", counts(0.5), 0.5),
        ("Tiempo (ms),ecg", counts(500), 0.5),
        ("elapsed_hours,ecg", counts(0.5), 1800),
        ("position,ecg", counts(0.04), 0.04),
        (",ecg", counts(0.04), 0.04),
        ("Unnamed: 0,ecg", counts(0.04), 0.04),
        ("", counts(0.04), 0.04),
        ("time_s,ecg", counts(0.1, -2), 0.1),
        ("relative_time_ms,ecg", counts(100, -2000), 0.1),
        ("time,ecg", counts(60, 1.6e9), 60),
        ("what,ecg", counts(60_000, 1.6e12), 60),
        ("when,ecg", [f"202103041015{i:02d}" for i in range(40)], 1),
        ("Uhrzeit,ecg", [f"10:{i:02d}" for i in range(40)], 60),
        ("hh:mm:ss,ecg", [f"00:00:{i:02d}" for i in range(40)], 1),
        ("mm:ss,ecg", [f"00:{i:02d}" for i in range(40)], 1),
        ("x,ecg", [f"00:{i:02d}.5" for i in range(40)], 1),
        ("x,ecg", [f"10:00:{i:02d}:250" for i in range(40)], 1),
        ("x,ecg", [f"2021-03-04T10:{i:02d}:00Z" for i in range(40)], 60),
        ("x,ecg", [f"04.03.2021 10:{i:02d}" for i in range(40)], 60),
        ("x,ecg", [f"03/04/2021 10:{i:02d}" for i in range(40)], 60),
    ],
)
@pytest.mark.parametrize("front", [True, False])
def test_times_are_read_by_what_the_column_holds(
    tmp_path: Path, header: str, times: list[str], step: float, front: bool
) -> None:
    if not front:
        header = ",".join(reversed(header.split(",")))
    got = read(log(tmp_path, header, times, front))
    assert len(got.facts["channels"]) == 1
    assert np.allclose(got.values[:, 0], ECG, atol=1e-6)
    assert got.facts["seconds"][0] == 0
    assert np.allclose(np.diff(got.facts["seconds"]), step, atol=2e-6)


def test_a_unit_in_a_second_header_line_counts(tmp_path: Path) -> None:
    path = log(tmp_path, "Elapsed time,ECG\n(ms),(mV)", counts(4))
    got = read(path)
    assert got.facts["seconds"][1] == pytest.approx(0.004)
    assert got.facts["units"] == ["mV"]


@pytest.mark.parametrize(
    ("header", "more", "channels"),
    [
        ("Unnamed: 0,time_s,ecg", "{i},{t}", ["ecg"]),
        ("sample,timestamp,ecg", "{i},2021-03-04 10:00:{i:02d}", ["ecg"]),
        ("time_s,clock,ecg", "{t},10:00:{i:02d}", ["ecg"]),
        ("day,heure,ecg", "2021-03-04,10:00:{i:02d}", ["ecg"]),
        ("date,t_s,ecg", "2021-03-04,{t}", ["ecg"]),
        ("birth_date,t_s,ecg", "1950-03-04,{t}", ["ecg"]),
        ("steps_total,t_s,ecg", "{i}00.5,{t}", ["steps_total", "ecg"]),
    ],
)
def test_of_several_candidates_the_one_that_says_when_is_used(
    tmp_path: Path, header: str, more: str, channels: list[str]
) -> None:
    rows = [f"{more.format(i=i, t=i)},{ecg}" for i, ecg in enumerate(ECG)]
    (tmp_path / "log.csv").write_text("\n".join([header, *rows]))
    got = read(tmp_path / "log.csv")
    assert got.facts["channels"] == channels
    assert np.allclose(np.diff(got.facts["seconds"]), 1)


def test_a_file_of_pandas_with_its_index_is_read(tmp_path: Path) -> None:
    table = pa.table({"elapsed": np.arange(40) * 0.5, "ecg": ECG, "__index_level_0__": range(40)})
    pq.write_table(table, tmp_path / "log.parquet")
    got = read(tmp_path / "log.parquet")
    assert got.facts["channels"] == ["ecg"]
    assert got.facts["seconds"][1] == 0.5


def test_the_whole_column_decides_the_order_of_its_dates(tmp_path: Path) -> None:
    days = [f"{day:02d}/04/2021 {hour:02d}:00" for day in (3, 4, 5) for hour in range(24)]
    rows = "\n".join(f"{day},{i}" for i, day in enumerate(days))
    (tmp_path / "log.csv").write_text(f"when,hr\n{rows}\n")
    assert np.allclose(np.diff(read(tmp_path / "log.csv").facts["seconds"]), 3600)


def test_a_date_far_down_decides_the_order_of_those_above(tmp_path: Path) -> None:
    minutes = range(25_000)  # more than are read at once
    days = ["11/12/2021", "12/12/2021", "13/12/2021"] + [f"{d}/12/2021" for d in range(14, 30)]
    lines = [f"{days[m // 1440]} {m // 60 % 24:02d}:{m % 60:02d},{m}" for m in minutes]
    (tmp_path / "log.csv").write_text("when,hr\n" + "\n".join(lines))
    assert read(tmp_path / "log.csv").facts["seconds"][-1] == pytest.approx(60 * 25_000, rel=0.01)


NUMBERED = [
    ("sample,ecg", [str(i) for i in range(40)]),
    ("Unnamed: 0,ecg", [str(i) for i in range(40)]),
    (",ecg", [str(i) for i in range(1, 41)]),
    ("index,ecg", [str(i) for i in range(40)]),
    ("", [str(i) for i in range(40)]),
]


@pytest.mark.parametrize(("header", "times"), NUMBERED)
def test_numbers_of_samples_leave_the_rate_open_and_are_read_with_it(
    tmp_path: Path, header: str, times: list[str]
) -> None:
    path = log(tmp_path, header, times)
    with pytest.raises(UnreadableFile, match="has no time column") as error:
        read(path)
    assert "--log-rate HZ" in error.value.hint
    (left_open,) = PIPELINE.open_questions([Source("ecg", path=path)])
    assert left_open.needed
    assert left_open.choices[0].endswith(":samples")
    answers = (("log_rate", "250"),)
    assert PIPELINE.open_questions([Source("ecg", path=path, answers=answers)]) == ()
    got = read(path, log_rate="250")
    assert np.allclose(got.values[:, 0], ECG)
    assert got.values.shape[1] == 1
    assert np.allclose(np.diff(got.facts["seconds"]), 0.004)


def test_rows_without_any_time_are_read_at_a_rate_that_is_said(tmp_path: Path) -> None:
    rows = "\n".join(f"{ecg},{-ecg}" for ecg in ECG)
    (tmp_path / "log.csv").write_text(f"I,II\n{rows}\n")
    with pytest.raises(UnreadableFile, match="has no time column"):
        read(tmp_path / "log.csv")
    got = read(tmp_path / "log.csv", log_rate="100 Hz")
    assert got.facts["channels"] == ["I", "II"]
    assert got.facts["seconds"][:2] == [0, 0.01]


@pytest.mark.parametrize(
    ("answer", "rate", "step"),
    [
        ("ticks:ms", "", 0.004),
        ("TICKS:us", "", 4e-6),
        ("ticks:samples", "8", 0.5),
        ("ticks", "", 4),
        ("ticks", "8", 0.5),
    ],
)
def test_a_column_that_is_said_is_time_in_the_unit_that_is_said(
    tmp_path: Path, answer: str, rate: str, step: float
) -> None:
    path = log(tmp_path, "ecg,ticks", counts(4), front=False)
    got = read(path, log_time=answer, **({"log_rate": rate} if rate else {}))
    assert got.facts["channels"] == ["ecg"]
    assert np.allclose(np.diff(got.facts["seconds"]), step, atol=1e-6)


def test_what_is_said_goes_before_what_a_file_seems_to_say(tmp_path: Path) -> None:
    path = log(tmp_path, "time,ecg", counts(4))
    (left_open,) = PIPELINE.open_questions([Source("ecg", path=path)])
    assert not left_open.needed
    assert left_open.choices[0] == "time:s"
    assert read(path).facts["seconds"][1] == 4
    assert read(path, log_time="time:ms").facts["seconds"][1] == 0.004


def test_an_answer_that_cannot_be_one_is_refused() -> None:
    for key, answer in (("log_rate", "0"), ("log_rate", "fast"), ("log_time", " ")):
        with pytest.raises(InputError):
            PIPELINE.checked_answer(key, answer)
    assert PIPELINE.checked_answer("log_rate", "250.0 Hz") == "250"
    assert PIPELINE.checked_answer("log_time", " hh:mm:ss ") == "hh:mm:ss"


def test_a_signal_that_happens_to_rise_is_not_taken_for_time(tmp_path: Path) -> None:
    rows = "\n".join(f"{60 + (i * 7) % 5},{i * i + i / 3:.2f}" for i in range(40))
    (tmp_path / "log.csv").write_text(f"hr,energy\n{rows}\n")
    with pytest.raises(UnreadableFile, match="has no time column"):
        read(tmp_path / "log.csv")


# --- cells -------------------------------------------------------------------------------------


def cells(folder: Path, name: str, values: list[str]) -> ModalityInput:
    rows = "\n".join(f'{i},"{value}"' for i, value in enumerate(values))
    (folder / "log.csv").write_text(f"time_s,{name}\n{rows}\n", "utf-8")
    return read(folder / "log.csv")


@pytest.mark.parametrize(
    ("name", "values", "want", "remark"),
    [
        ("crp", ["<10", "10", "12"], [10, 10, 12], "1 cell such as '<10': the bound"),
        ("crp", ["94*", "4.1 H", "3.0 L"], [94, 4.1, 3.0], "3 cells such as '94*': the flag"),
        ("crp", ["H 9.5", "5 (L)", "↑"], [9.5, 5, None], "2 cells such as 'H 9.5': the flag"),
        ("crp", ["1,5", "2,25", "1,234"], [1.5, 2.25, 1.234], "decimal comma"),
        ("glucose_mg_dl", ["100", "Low", "HIGH"], [100, 40, 400], "'Low' in 1 cells"),
        ("glucose_mg_dl", ["100", "Low", "480", "Hi"], [100, 40, 480, 480], "'High' in 1 cells"),
        ("glucose (mmol/L)", ["5.5", "LO", "Hi"], [5.5, 2.2, 22.2], "its limit, 2.2"),
        ("pressure", ["5", "Low", "7"], [5, 5, 7], "its limit, 5"),
    ],
)
def test_cells_of_a_log_are_read_as_their_column_means_them(
    tmp_path: Path, name: str, values: list[str], want: list[float | None], remark: str
) -> None:
    got = cells(tmp_path, name, values)
    assert [bool(there) for there in got.mask[:, 0]] == [v is not None for v in want][
        : len(got.mask)
    ]
    assert got.values[got.mask] == pytest.approx([v for v in want if v is not None])
    assert remark in " ".join(got.remarks)


def test_two_numbers_in_a_cell_are_two_channels(tmp_path: Path) -> None:
    got = cells(tmp_path, "NIBP (mmHg)", ["120/80", "", "118 / 76 (90)"])
    assert got.facts["channels"] == ["NIBP systolic", "NIBP diastolic"]
    assert got.facts["units"] == ["mmHg", "mmHg"]
    assert got.values.tolist() == [[120, 80], [118, 76]]


def test_two_numbers_in_a_cell_of_a_long_log_are_two_channels(tmp_path: Path) -> None:
    text = "time,parameter,value,unit\n10:00,NIBP,120/80,mmHg\n10:01,HR,70,/min\n10:02,HR,71,/min\n"
    (tmp_path / "log.csv").write_text(text)
    got = read(tmp_path / "log.csv")
    assert got.facts["channels"] == ["NIBP systolic", "NIBP diastolic", "HR"]
    assert got.facts["units"] == ["mmHg", "mmHg", "/min"]
    assert got.values[0, :2].tolist() == [120, 80]


def test_columns_that_tell_of_the_device_are_no_channels(tmp_path: Path) -> None:
    rows = "\n".join(f"4711,0,{i},{60 + i % 3}" for i in range(20))
    (tmp_path / "log.csv").write_text(f"Serial Number,Record Type,time_s,HR\n{rows}\n")
    got = read(tmp_path / "log.csv")
    assert got.facts["channels"] == ["HR"]
    assert "'Serial Number', 'Record Type'" in " ".join(got.remarks)
