"""The EHR pipeline: what a table cell says, and what it must not be made to say."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fmstudio.errors import UnreadableFile
from fmstudio.types import ModalityInput, Source
from pipelines.ehr import MAX_ROWS, PIPELINE


def read_cell(text: str, name: str = "feature") -> tuple[float | None, str | None, str, bool]:
    """Number, category, unit of one cell and whether a remark was made."""
    got = PIPELINE.read([Source(name, text=text)])
    number = float(got.values[0]) if got.mask[0] and got.facts["categories"][0] is None else None
    return number, got.facts["categories"][0], got.facts["units"][0], bool(got.remarks)


@pytest.fixture
def read_table(tmp_path: Path):
    def read(text: str | bytes, name: str = "case.csv") -> ModalityInput:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return PIPELINE.read([Source("labs", path=path)])

    return read


def rows(got: ModalityInput) -> list[tuple[str, float | str | None]]:
    return [
        (name, category or (round(float(value), 4) if there else None))
        for name, category, value, there in zip(
            got.facts["names"], got.facts["categories"], got.values, got.mask, strict=True
        )
    ]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12.5", 12.5),
        ("-3", -3),
        ("−3.5", -3.5),
        ("1e3", 1000),
        (".5", 0.5),
        ("007", 7),
        (" 4 ", 4),
    ],
)
def test_a_plain_number_is_read_without_remark(text: str, number: float) -> None:
    assert read_cell(text) == (number, None, "", False)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12,5", 12.5),
        ("0,125", 0.125),
        ("1,234,567", 1234567),
        ("1,234.5", 1234.5),
        ("1.234,5", 1234.5),
        ("1 234 567", 1234567),
        ("1'234", 1234),
        ("<0.5", 0.5),
        (">90", 90),
        ("≥ 12,5", 12.5),
    ],
)
def test_a_number_written_another_way_is_read_with_a_remark(text: str, number: float) -> None:
    got, category, _, remarked = read_cell(text)
    assert got == pytest.approx(number, rel=1e-6)
    assert category is None
    assert remarked


@pytest.mark.parametrize("text", ["1,234", "03/04/2021", "inf", "1e308"])
def test_what_can_be_read_in_two_ways_or_not_at_all_is_masked_and_said(text: str) -> None:
    assert read_cell(text) == (None, None, "", True)


@pytest.mark.parametrize(
    "text", ["", "NA", "n/a", "NaN", "null", "-", "—", "?", "unknown", "missing", "#N/A", "#DIV/0!"]
)
def test_a_word_for_no_value_keeps_its_row_and_is_masked(text: str) -> None:
    got = PIPELINE.read([Source("crp", text=text), Source("age", text="65")])
    assert got.facts["names"] == ["crp", "age"]
    assert got.mask.tolist() == [False, True]
    assert got.values[0] == 0


@pytest.mark.parametrize(
    "text", ["True", "Y", "yes", "F", "None", "35-39", "7m-2y", "20/40", "Namibia", "1.2.3"]
)
def test_words_booleans_and_codes_stay_categories(text: str) -> None:
    assert read_cell(text) == (None, text, "", False)


def test_a_bound_in_a_column_of_bands_is_a_band_and_no_value() -> None:
    assert read_cell(">2y", "age_band") == (None, ">2y", "", False)
    assert read_cell(">2 years", "age")[0] == 2


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("1970-01-02", 1),
        ("2021-03-04", 18690),
        ("04.03.2021", 18690),
        ("2021/03/04", 18690),
        ("4-Mar-2021", 18690),
        ("Mar 4, 2021", 18690),
        ("25/12/2021", 18986),
        ("12/25/2021", 18986),
        ("2021-03-04 12:00", 18690.5),
        ("2021-03-04T02:00:00+02:00", 18690),
    ],
)
def test_a_date_becomes_days_since_1970(text: str, day: float) -> None:
    assert read_cell(text) == (day, None, "date", False)


@pytest.mark.parametrize("text", ["2021-13-45", "31.02.2021", "2021-03-04 25:00"])
def test_a_date_that_does_not_exist_is_not_read_as_one(text: str) -> None:
    assert read_cell(text)[0] is None


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("Glucose (mg/dL)", "mg/dL"),
        ("Temp [°C]", "°C"),
        ("glucose_mg_dl", "mg/dL"),
        ("hba1c_mmol_mol", "mmol/mol"),
        ("k_mmol_l", "mmol/L"),
        ("wbc_10e9_l", "10^9/L"),
        ("temperature_c", "°C"),
        ("height_cm", "cm"),
        ("weight_kg", "kg"),
        ("spo2_pct", "%"),
        ("vitamin_c", ""),
        ("kg", ""),
        ("age", ""),
    ],
)
def test_the_unit_is_taken_from_the_column_name(name: str, unit: str) -> None:
    assert read_cell("5", name)[2] == unit


def test_a_bracketed_unit_leaves_the_name_and_a_suffix_stays() -> None:
    got = PIPELINE.read([Source("Glucose (mg/dL)", text="90"), Source("height_cm", text="170")])
    assert got.facts["names"] == ["Glucose", "height_cm"]


@pytest.mark.parametrize(
    ("text", "number", "unit"),
    [("45%", 45, "%"), ("37.2 °C", 37.2, "°C"), ("5,2 mmol/L", 5.2, "mmol/L")],
)
def test_a_unit_written_in_the_cell_is_kept(text: str, number: float, unit: str) -> None:
    got = read_cell(text)
    assert got[0] == pytest.approx(number, rel=1e-6)
    assert got[2] == unit


def test_a_cell_in_another_unit_than_its_column_is_remarked_on() -> None:
    got = PIPELINE.read([Source("glucose_mg_dl", text="5.2 mmol/L")])
    assert got.facts["units"] == ["mmol/L"]
    assert "mmol/L" in got.remarks[0]
    assert "mg/dL" in got.remarks[0]


def test_a_wide_file_of_one_row_gives_a_row_per_column(read_table) -> None:
    got = read_table("age,sex,crp_mg_l\n65,F,\n")
    assert rows(got) == [("age", 65), ("sex", "F"), ("crp_mg_l", None)]
    assert got.facts["seconds"] == [None, None, None]


def test_a_long_file_gives_a_row_per_line_with_unit_and_time(read_table) -> None:
    got = read_table(
        "Time,Test,Result,Unit\n08:00,Na,140,mmol/L\n20:30,Na,138,mmol/L\n20:30,Culture,positive,\n"
    )
    assert rows(got) == [("Na", 140), ("Na", 138), ("Culture", "positive")]
    assert got.facts["units"] == ["mmol/L", "mmol/L", ""]
    assert got.facts["seconds"] == [0, 45000, 45000]


def test_a_timed_file_gives_a_row_per_reading_and_none_for_empty_cells(read_table) -> None:
    got = read_table("date,na,k\n2021-03-04,140,\n2021-03-05,138,4.1\n")
    assert rows(got) == [("na", 140), ("na", 138), ("k", 4.1)]
    assert got.facts["seconds"] == [0, 86400, 86400]


def test_a_laboratory_value_with_time_in_its_name_is_no_time(read_table) -> None:
    got = read_table("prothrombin_time,time_h\n12,0\n13,6\n")
    assert rows(got) == [("prothrombin_time", 12), ("prothrombin_time", 13)]
    assert got.facts["seconds"] == [0, 6 * 3600]


def test_a_date_column_of_a_single_row_is_a_feature(read_table) -> None:
    assert rows(read_table("admission_date,age\n1970-01-11,65\n")) == [
        ("admission_date", 10),
        ("age", 65),
    ]


def test_several_rows_without_times_or_names_are_refused(read_table) -> None:
    with pytest.raises(UnreadableFile, match=r"case\.csv has 2 rows and no time column"):
        read_table("age,sex\n65,F\n70,M\n")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_any_usual_encoding_is_read_and_said(read_table, encoding: str) -> None:
    got = read_table("Größe;Größe_cm;Ort\n1;170,5;Köln\n".encode(encoding))
    assert rows(got) == [("Größe", 1), ("Größe_cm", 170.5), ("Ort", "Köln")]
    assert any("encod" in r or "UTF-16" in r or "Windows" in r for r in got.remarks) == (
        encoding not in ("utf-8", "utf-8-sig")
    )


def test_semicolons_and_decimal_commas_are_found_for_the_whole_file(read_table) -> None:
    got = read_table("name;value\nCRP;1,234\nNa;140\nK;4,1\n")
    assert rows(got) == [("CRP", 1.234), ("Na", 140), ("K", 4.1)]


def test_quoted_line_ends_ragged_rows_and_comment_lines_do_no_harm(read_table) -> None:
    got = read_table('# exported\n\nname,value\nplan,"rest\nfluids"\nNa\nK,4.1,,\n')
    assert rows(got) == [("plan", "rest\nfluids"), ("Na", None), ("K", 4.1)]


def test_a_cell_too_many_is_a_fault_that_names_its_line(read_table) -> None:
    with pytest.raises(UnreadableFile, match=r"line 4 has 3 cells, and the header names 2"):
        read_table("name,value\nNa,140\n\nK,4,1\n")


def test_workbook_and_parquet_say_the_same_as_csv(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["name", "value", "unit"])
    book.active.append(["Na", 140, "mmol/L"])
    book.active.append(["CRP", "<0.5", "mg/L"])
    book.save(tmp_path / "case.xlsx")
    table = pa.table({"name": ["Na", "CRP"], "value": ["140", "<0.5"], "unit": ["mmol/L", "mg/L"]})
    pq.write_table(table, tmp_path / "case.parquet")
    for name in ("case.xlsx", "case.parquet"):
        got = PIPELINE.read([Source("labs", path=tmp_path / name)])
        assert rows(got) == [("Na", 140), ("CRP", 0.5)], name
        assert got.facts["units"] == ["mmol/L", "mg/L"]


def test_numbers_and_dates_of_a_wide_parquet_file_keep_their_type(tmp_path: Path) -> None:
    table = pa.table(
        {
            "age": [65],
            "crp": pa.array([None], pa.float64()),
            "born": pa.array([np.datetime64("1970-01-03", "us")]),
            "smoker": [True],
        }
    )
    pq.write_table(table, tmp_path / "case.parquet")
    got = PIPELINE.read([Source("labs", path=tmp_path / "case.parquet")])
    assert rows(got) == [("age", 65), ("crp", None), ("born", 2), ("smoker", "True")]


def test_cells_and_files_of_one_case_are_read_together(tmp_path: Path) -> None:
    (tmp_path / "labs.csv").write_text("na\n140\n")
    got = PIPELINE.read([Source("age", text="65"), Source("labs", path=tmp_path / "labs.csv")])
    assert rows(got) == [("age", 65), ("na", 140)]


def test_a_file_with_a_header_only_counts_as_missing(read_table) -> None:
    got = read_table("age,sex\n")
    assert got.empty
    assert "no row" in got.remarks[0]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(99), "a PNG image"),
        (b"", "empty"),
        (bytes(range(256)) * 9, "binary"),
        (b"age,age\n1,2\n", "more than one column named 'age'"),
        (b"%PDF-1.4\n%\xe2\xe3", "a PDF document"),
    ],
)
def test_what_is_no_table_is_refused_by_name(read_table, content: bytes, told: str) -> None:
    with pytest.raises(UnreadableFile, match=told) as error:
        read_table(content)
    assert error.value.message.startswith("case.csv")
    assert error.value.hint


def test_a_quotation_mark_that_is_never_closed_does_not_eat_a_large_file(read_table) -> None:
    with pytest.raises(UnreadableFile, match="well-formed"):
        read_table('name,value\nplan,"rest\n' + "x" * 2_000_000)


def test_a_missing_file_is_refused_without_its_folder(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile) as error:
        PIPELINE.read([Source("labs", path=tmp_path / "gone.csv")])
    assert error.value.message == "gone.csv is not there."
    assert str(tmp_path) not in error.value.message + error.value.hint


def test_a_table_too_long_for_one_case_is_cut_to_its_last_values(read_table) -> None:
    lines = [f"{i},{i}" for i in range(MAX_ROWS + 10)]
    got = read_table("time_s,hr\n" + "\n".join(lines))
    assert len(got.values) == MAX_ROWS
    assert got.values[-1] == MAX_ROWS + 9
    assert f"only the last {MAX_ROWS}" in got.remarks[-1]


def test_no_source_gives_no_row() -> None:
    got = PIPELINE.read([])
    assert got.empty
    assert got.values.dtype == np.float32


def test_the_preview_shows_name_value_unit_and_a_dash_for_missing() -> None:
    got = PIPELINE.preview(
        [
            Source("Glucose (mg/dL)", text="90"),
            Source("crp_mg_l", text=""),
            Source("sex", text="F"),
            Source("born", text="2021-03-04"),
            Source("leukocytes", text="12345678"),
        ]
    )
    assert got.table == (
        ("Name", "Value", "Unit"),
        ("Glucose", "90", "mg/dL"),
        ("crp_mg_l", "—", "mg/L"),
        ("sex", "F", ""),
        ("born", "2021-03-04", ""),
        ("leukocytes", "12345678", ""),
    )


def assert_rows_are_read_as_written(manifest: Path, starts: tuple[str, ...]) -> None:
    with manifest.open(encoding="utf-8") as stream:
        cases = list(csv.DictReader(stream))[:40]
    names = [name for name in cases[0] if name.startswith(starts)]
    assert len(names) >= 2
    for case in cases:
        filled = [n for n in names if case[n]]
        got = PIPELINE.read([Source(n, text=case[n]) for n in filled])
        assert got.mask.all()
        for i, name in enumerate(filled):
            said = got.facts["categories"][i] or float(got.values[i])
            want = case[name] if isinstance(said, str) else float(case[name])
            assert said == (want if isinstance(want, str) else pytest.approx(want, rel=1e-6))


def test_rows_of_the_sample_cohort_are_read_as_written() -> None:
    manifest = Path(__file__).parents[2] / "data_samples" / "cohort" / "manifest.csv"
    assert_rows_are_read_as_written(
        manifest, ("age", "sex", "smoker", "crp", "wbc", "lactate", "creatinine", "platelets")
    )


@pytest.mark.parametrize(
    "cohort", ["circor_heart_sounds", "physionet2012_icu", "shanghai_diabetes_cgm", "covid_cxr"]
)
def test_rows_of_real_cohorts_are_read_as_written(shared: Path, cohort: str) -> None:
    assert_rows_are_read_as_written(
        shared / "data" / cohort / "manifest.csv",
        ("age", "sex", "height", "weight", "bmi", "hba1c"),
    )


@pytest.mark.parametrize("text", ["120/80", "120 / 80 mmHg", "95/40"])
def test_a_blood_pressure_is_two_numbers(text: str) -> None:
    got = PIPELINE.read([Source("bp", text=text)])
    high, low = (int(part) for part in text.removesuffix(" mmHg").split("/"))

    assert got.facts["names"] == ["bp systolic", "bp diastolic"]
    assert got.values.tolist() == [high, low]
    assert got.facts["units"] == ["mmHg", "mmHg"]
