"""What is read from a manifest is what was typed, or the fault is named."""

from __future__ import annotations

import datetime

import openpyxl
import pandas as pd
import pytest

from fmstudio.cohort import read_manifest
from fmstudio.errors import InputError, NotFound

PLAIN = "case_id,age,note\nc1,61,well\nc2,,Fièvre à 39\n"


def test_cells_are_text_exactly_as_typed(write):
    got = read_manifest(write("id,code,note\n001,1e5,None\n2,12345678901234567890, NA \n"))

    assert got.columns == ("id", "code", "note")
    assert got.rows[0] == {"id": "001", "code": "1e5", "note": "None"}
    assert got.rows[1] == {"id": "2", "code": "12345678901234567890", "note": " NA "}


@pytest.mark.parametrize(
    ("encoding", "remarked"),
    [
        ("utf-8", False),
        ("utf-8-sig", False),
        ("utf-16", True),
        ("utf-16-le", True),
        ("utf-16-be", True),
        ("cp1252", True),
        ("latin-1", True),
    ],
)
def test_encodings_that_can_be_told_are_read_and_remarked(write, encoding, remarked):
    got = read_manifest(write(PLAIN.encode(encoding)))

    assert got.columns == ("case_id", "age", "note")
    assert got.rows[1]["note"] == "Fièvre à 39"
    assert bool(got.remarks) == remarked


@pytest.mark.parametrize("encoding", ["cp1251", "gb18030", "shift_jis"])
def test_an_encoding_that_could_be_any_is_refused_with_a_way_forward(write, encoding):
    text = (
        "case_id,note\nc1,Кашель и температура\n"
        if encoding == "cp1251"
        else (
            "case_id,note\nc1,"
            + ("咳嗽发热三天" if encoding == "gb18030" else "せきとねつがあります")
            + "\n"
        )
    )
    with pytest.raises(InputError, match=r"not UTF-8 \(line 2\)") as caught:
        read_manifest(write(text.encode(encoding)))

    assert "UTF-8" in caught.value.hint


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found(write, separator):
    text = 'case_id,age,note\nc1,"61,5",well\nc2,"70,0","a; b\tc|d"\n'
    rows = [["case_id", "age", "note"], ["c1", "61,5", "well"], ["c2", "70,0", "a; b\tc|d"]]
    if separator != ",":
        text = "\n".join(separator.join(f'"{cell}"' for cell in row) for row in rows)
    got = read_manifest(write(text))

    assert got.rows[0] == {"case_id": "c1", "age": "61,5", "note": "well"}
    assert got.rows[1]["note"] == "a; b\tc|d"


def test_a_line_break_in_quotation_marks_is_part_of_the_cell_and_lines_still_count(write):
    got = read_manifest(write('case_id,note\nc1,"first\nsecond"\n\nc2,"say ""aah"""\n'))

    assert [row["note"] for row in got.rows] == ["first\nsecond", 'say "aah"']
    assert got.lines == [2, 5]
    assert got.where([0, 1]) == "lines 2, 5"


def test_empty_rows_are_left_out_and_remarked(write):
    got = read_manifest(write("a,b\n1,2\n,\n , \n3,4\n"))

    assert [row["a"] for row in got.rows] == ["1", "3"]
    assert got.remarks == ("2 empty rows were left out.",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("  \n\n", "is empty"),
        ("case_id,label\n", "a header but no rows"),
        ("a,b\n1,2\n1,2,3\n", r"line 3: 3 cells, but the header has 2"),
        ("a,b\n1,2\n\n1\n", r"line 4: 1 cells"),
        ('a,b\n1,"2\n3,4\n', "line 2: the row cannot be read"),
        ("a,b,a\n1,2,3\n", "more than one column 'a'"),
        ("a, b ,b\n1,2,3\n", "more than one column 'b'"),
        (",a,b\n0,1,2\n", "column 1 has no name"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00", "not a text table"),
        (b"a,b\n1,x\x00y\n", "line 2 holds bytes that no text has"),
        (b"PK\x03\x04rest of a workbook", "it is an Excel workbook"),
        (b"\xd0\xcf\x11\xe0old", "old or password-protected"),
    ],
)
def test_what_is_no_table_is_refused_naming_the_fault(write, content, message):
    with pytest.raises(InputError, match=message) as caught:
        read_manifest(write(content))

    assert caught.value.hint
    assert "/" not in caught.value.message


def test_a_manifest_that_is_not_there_or_is_a_folder_is_named(tmp_path):
    with pytest.raises(NotFound, match=r"^nowhere\.csv does not exist"):
        read_manifest(tmp_path / "nowhere.csv")
    with pytest.raises(InputError, match="is a folder"):
        read_manifest(tmp_path)


def test_a_file_of_another_type_is_refused(write):
    with pytest.raises(InputError, match=r"notes\.docx does not end like a table"):
        read_manifest(write("a,b\n1,2\n", "notes.docx"))
    with pytest.raises(InputError, match="is not an Excel workbook"):
        read_manifest(write("a,b\n1,2\n", "m.xlsx"))
    with pytest.raises(InputError, match="is not a Parquet file"):
        read_manifest(write("a,b\n1,2\n", "m.parquet"))


@pytest.mark.parametrize("name", ["m.xlsx", "m.parquet"])
def test_a_damaged_workbook_or_parquet_file_is_refused(write, name):
    start = b"PK\x03\x04" if name.endswith("xlsx") else b"PAR1"
    with pytest.raises(InputError, match="cannot be opened"):
        read_manifest(write(start + b"\x00" * 200, name))


@pytest.fixture
def workbook(tmp_path):
    def save(*rows, second=()):
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        if second:
            book.create_sheet("other").append(second)
        book.save(tmp_path / "m.xlsx")
        return tmp_path / "m.xlsx"

    return save


def test_a_workbook_gives_the_text_that_its_cells_show(workbook):
    day = datetime.datetime(2021, 4, 3)
    path = workbook(
        ["case_id", "age", "seen", "ok", "code"], ["c1", 61.5, day, True, "007"], [], ["c2", 3]
    )
    got = read_manifest(path)

    assert got.rows[0] == {
        "case_id": "c1",
        "age": "61.5",
        "seen": "2021-04-03",
        "ok": "True",
        "code": "007",
    }
    assert got.rows[1] == {"case_id": "c2", "age": "3", "seen": "", "ok": "", "code": ""}
    assert got.lines == [2, 4]


def test_a_second_sheet_is_said_to_be_left_out(workbook):
    got = read_manifest(workbook(["a"], ["1"], second=["b"]))

    assert got.remarks == ("Only the sheet 'Sheet' was read.",)


def test_a_formula_without_a_stored_value_is_not_taken_for_an_empty_cell(workbook):
    with pytest.raises(InputError, match="cell B2 holds a formula"):
        read_manifest(workbook(["a", "b"], ["1", "=A2+1"]))


def test_parquet_keeps_whole_numbers_whole_and_missing_values_empty(tmp_path):
    table = pd.DataFrame(
        {"case_id": ["c1", "c2"], "age": [61.0, None], "label": [1, 0], "note": ["None", None]}
    )
    table.to_parquet(tmp_path / "m.parquet")
    got = read_manifest(tmp_path / "m.parquet")

    assert got.rows[0] == {"case_id": "c1", "age": "61", "label": "1", "note": "None"}
    assert got.rows[1] == {"case_id": "c2", "age": "", "label": "0", "note": ""}


def test_a_parquet_column_of_lists_is_named(tmp_path):
    pd.DataFrame({"a": [[1, 2]]}).to_parquet(tmp_path / "m.parquet")

    with pytest.raises(InputError, match="column 'a' holds list"):
        read_manifest(tmp_path / "m.parquet")


def test_odd_column_names_are_just_names(write):
    got = read_manifest(write("__class__,select,😀\n1,2,3\n"))

    assert got.rows == [{"__class__": "1", "select": "2", "😀": "3"}]
