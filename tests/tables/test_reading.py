"""Tables of cases are parsed by a child process under limits, and come back as they are."""

from __future__ import annotations

import csv
import subprocess
import sys
import textwrap
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fmstudio.cohort import read_manifest
from fmstudio.contracts import pipelines
from fmstudio.errors import InputError, UnreadableFile
from fmstudio.sandbox.wire import pack_table, receive, send, unpack_table
from fmstudio.tables.header import find_header
from fmstudio.tables.parquet import read_parquet
from fmstudio.tables.table import packed
from fmstudio.types import Source
from tests.tables.books import row, sheet, text, write_book

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["m.csv", "m.xlsx", "m.parquet"])
def test_the_studios_own_process_never_parses_a_table(tmp_path, name):
    table = pd.DataFrame({"case_id": ["c1", "c2"], "age": [61, 70]})
    writer = {"csv": table.to_csv, "xlsx": table.to_excel, "parquet": table.to_parquet}
    writer[name.partition(".")[2]](tmp_path / name, index=False)
    code = f"""
        import sys
        from fmstudio.cohort import read_manifest
        assert [row["age"] for row in read_manifest({str(tmp_path / name)!r}).rows] == ["61", "70"]
        parsers = {{"openpyxl", "pyarrow", "pandas", "xml.etree.ElementTree",
                   "fmstudio.tables.reading", "fmstudio.tables.delimited"}}
        print(sorted(parsers & sys.modules.keys()))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, capture_output=True, text=True
    )

    assert done.stdout.strip() == "[]", done.stderr


def test_a_table_that_takes_too_long_is_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.setenv("FMSTUDIO_READ_SECONDS", "0.2")
    path = tmp_path / "slow.csv"
    path.write_text("case_id,note\n" + "".join(f'c{i},"some words"\n' for i in range(2_000_000)))

    with pytest.raises(UnreadableFile, match=r"slow\.csv took longer than 0\.2 s"):
        read_manifest(path)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux alone")
def test_a_workbook_that_needs_too_much_memory_ends_its_child_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("FMSTUDIO_READ_MEMORY_MB", "64")
    cells = "".join(row(text("x" * 1_000_000)) for _ in range(60))
    path = write_book(tmp_path / "bomb.xlsx", {"S": sheet(row(text("note")) + cells)})
    assert path.stat().st_size < 500_000

    with pytest.raises(UnreadableFile, match=r"bomb\.xlsx needs more than 64 MB"):
        read_manifest(path)
    (tmp_path / "fine.csv").write_text("a,b\n1,2\nx,3\n")
    assert len(read_manifest(tmp_path / "fine.csv").rows) == 2


def test_every_kind_of_text_comes_back_as_it_was(tmp_path):
    odd = [
        "",
        " ",
        "a\nb",
        "0\t1",
        "𝄞 emoji 😀",
        "é\u0301",
        "\u202eabc",
        "'",
        '"',
        "null",
        "x" * 70_000,
    ]
    table = packed(["odd", "number"], [(n + 2, [cell, str(n)]) for n, cell in enumerate(odd)])
    with (tmp_path / "wire").open("wb") as stream:
        header, parts = pack_table(table, "0" * 64)
        send(stream, header, parts)
    with (tmp_path / "wire").open("rb") as stream:
        columns, lines = unpack_table(*receive(stream, 2**30))

    assert columns == {"odd": odd, "number": [str(n) for n in range(len(odd))]}
    assert lines == list(range(2, len(odd) + 2))


def test_an_answer_whose_sizes_do_not_agree_is_not_taken():
    header, parts = pack_table(packed(["a"], [(2, ["xy"]), (3, ["z"])]), "0" * 64)
    for wrong in ([parts[0], parts[1][:-1], parts[2]], [parts[0][:4], *parts[1:]]):
        with pytest.raises(ValueError, match=r"bytes|lengths"):
            unpack_table(header, wrong)


# --- where the header is --------------------------------------------------------------------------

TABLE = "case_id,age,label\nc1,61,0\nc2,70,1\n"


@pytest.mark.parametrize(
    ("above", "line"),
    [
        ("Export of the study\n", 2),
        ("Export of the study\n\nmade by hand\n\n", 5),
        ("# made 2021-04-03, by hand\n# second line\n", 3),
        ("Glucose,Generated on,02-03-2021\n", 2),
        ("Study of 2021,,\n,,\n", 3),
        ("\ufeffTitle\n", 2),
    ],
)
def test_a_header_below_other_lines_is_found_and_said(tmp_path, above, line):
    (tmp_path / "m.csv").write_text(above + TABLE, encoding="utf-8")
    got = read_manifest(tmp_path / "m.csv")

    assert got.columns == ("case_id", "age", "label")
    assert [r["age"] for r in got.rows] == ["61", "70"]
    assert got.lines == [line + 1, line + 2]
    assert any(f"line {line}" in remark for remark in got.remarks)


def test_a_line_that_names_the_separator_is_no_case(tmp_path):
    (tmp_path / "m.csv").write_text("sep=;\n" + TABLE.replace(",", ";"))

    assert read_manifest(tmp_path / "m.csv").columns == ("case_id", "age", "label")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("c1,61,0\nc2,70,1\nc3,50,1\n", "no header: line 1 holds values"),
        ("a,b\nr1,1,2\nr2,3,4\n", "line 2: 3 cells, but the header has 2"),
        (",age,sex\nx1,unknown,F\nx2,5,M\nx3,6,M\n", "column 1 has no name"),
        (TABLE + "c3,50,1,surplus\n", "line 4: 4 cells"),
        (TABLE + "c3,50\n", "line 4: 2 cells"),
    ],
)
def test_a_table_whose_header_or_cells_do_not_fit_is_refused_and_loses_nothing(
    tmp_path, content, fault
):
    (tmp_path / "m.csv").write_text(content)

    with pytest.raises(InputError, match=fault):
        read_manifest(tmp_path / "m.csv")


def test_empty_columns_and_surplus_separators_are_no_fault(tmp_path):
    (tmp_path / "m.csv").write_text(";case_id;age;\n;c1;61;\n;c2;70;;\n")
    got = read_manifest(tmp_path / "m.csv")

    assert got.columns == ("case_id", "age")
    assert [r["age"] for r in got.rows] == ["61", "70"]


def test_a_real_header_is_not_taken_for_a_title():
    records = [["name", "sex", "smoker"], ["A", "F", "yes"], ["B", "M", "no"]]
    assert find_header(records).place == 0
    years = [["case_id", "2019", "2020"], ["c1", "x", "5"], ["c2", "y", "6"]]
    assert find_header(years).place == 0


def test_a_single_line_without_end_is_refused_within_bounds(tmp_path):
    (tmp_path / "m.csv").write_text("case_id,note\nc1," + "x" * 20_000_000)

    with pytest.raises(InputError, match="line 2: the row cannot be read"):
        read_manifest(tmp_path / "m.csv")


def test_odd_names_and_long_identifiers_stay_as_they_are(tmp_path):
    names = ["case_id", "label", "split", "select", "__class__", "😀", "name with  spaces"]
    cells = [["001", "1e5", "12345678901234567890", "0x1F", "1_000", "None", "3.10"]] * 2
    with (tmp_path / "m.csv").open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([names, *cells])
    got = read_manifest(tmp_path / "m.csv")

    assert got.columns == (*names[:-1], "name with spaces")
    assert list(got.rows[1].values()) == cells[0]


def test_a_parquet_file_whose_names_or_words_are_no_text_is_refused(tmp_path):
    whole = tmp_path / "t.parquet"
    pq.write_table(
        pa.table({"age": [1, 2], "wardname": ["wordhere", "x"]}), whole, compression="none"
    )
    for word in (b"wardname", b"wordhere"):
        (tmp_path / "u.parquet").write_bytes(
            whole.read_bytes().replace(word, b"\xff\xfe" + word[2:])
        )
        with pytest.raises(InputError, match=r"u\.parquet"):
            list(read_parquet("u.parquet", (tmp_path / "u.parquet").read_bytes())[1])
        source = Source("t", path=tmp_path / "u.parquet")
        with pytest.raises(InputError, match=r"u\.parquet"):
            pipelines()["ehr"].read([source])
