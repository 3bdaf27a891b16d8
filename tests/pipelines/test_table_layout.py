"""Where a table's header is: below a preamble, above units, in a comment, or not there."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from fmstudio.errors import UnreadableFile
from pipelines.formats.tables import TextTable, open_table

ROWS = [f"{i / 10:.1f},{60 + i},{97 - i % 3}" for i in range(30)]


def open_text(folder: Path, *lines: str) -> tuple[TextTable, list[tuple[str, ...]]]:
    (folder / "log.csv").write_text("\n".join(lines) + "\n")
    table = open_table(folder / "log.csv")
    rows = [row for chunk in table.chunks for row in zip(*chunk, strict=True)]
    return table, rows


@pytest.mark.parametrize(
    "preamble",
    [
        [],
        ["Monitor export"],
        ["", "Monitor export", ""],
        ["Device,Serial", "Bedside,4711"],
        ["Device,Bedside", "Sampling rate,10", "Start,2021-02-03 10:00", "Patient weight,71.5"],
        ["Device: Bedside,,", "Rate: 10 Hz,,", ",,"],
        ["# made by a monitor", "# rate,10,Hz", "sep=,"],
        [f"Setting {i},{i}" for i in range(30)],
        ["Monitor_9A1,Monitor_9A1,Monitor_9A1"],
        ["ward,bed,room"],
    ],
)
def test_the_header_is_found_below_lines_that_are_not_the_table(
    tmp_path: Path, preamble: list[str]
) -> None:
    table, rows = open_text(tmp_path, *preamble, "time_s,HR,SpO2", *ROWS)
    assert table.names == ("time_s", "HR", "SpO2")
    assert rows == [tuple(row.split(",")) for row in ROWS]
    hidden = [line for line in preamble if line.strip(", ") and not line.startswith(("#", "sep="))]
    assert any("above its header" in remark for remark in table.remarks) == bool(hidden)


def test_words_among_the_first_values_do_not_become_the_header(tmp_path: Path) -> None:
    table, rows = open_text(tmp_path, "name,value", "plan,rest", "urine,clear", "Na,140", "K,4.1")
    assert table.names == ("name", "value")
    assert len(rows) == 4


def test_a_table_of_values_alone_names_its_columns_by_place(tmp_path: Path) -> None:
    table, rows = open_text(tmp_path, *ROWS)
    assert table.names == ("column 1", "column 2", "column 3")
    assert len(rows) == len(ROWS)
    assert any("no header" in remark for remark in table.remarks)


def test_names_may_stand_in_a_comment(tmp_path: Path) -> None:
    table, rows = open_text(tmp_path, "# run 3", "# time_s,HR,SpO2", *ROWS)
    assert table.names == ("time_s", "HR", "SpO2")
    assert len(rows) == len(ROWS)


@pytest.mark.parametrize(
    ("header", "names"),
    [
        (",0,1", ("column 1", "0", "1")),
        ("0,1,2", ("0", "1", "2")),
        ("HR,SpO2", ("column 1", "HR", "SpO2")),
    ],
)
def test_columns_that_software_numbered_or_did_not_name(
    tmp_path: Path, header: str, names: tuple[str, ...]
) -> None:
    table, rows = open_text(tmp_path, header, *ROWS)
    assert table.names == names
    assert len(rows) == len(ROWS)


def test_repeated_headers_and_comments_among_the_rows_are_left_out_and_counted(
    tmp_path: Path,
) -> None:
    header = "time_s,HR,SpO2"
    lines = [header, *ROWS[:10], header, *ROWS[10:20], "# paused", "", header, *ROWS[20:]]
    table, rows = open_text(tmp_path, *lines)
    assert rows == [tuple(row.split(",")) for row in ROWS]
    told = " ".join(table.remarks)
    assert "header stands 2 more times" in told
    assert "were left out: 1" in told


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_a_preamble_with_commas_does_not_hide_the_delimiter(tmp_path: Path, delimiter: str) -> None:
    rows = [row.replace(",", delimiter).replace(".", ",") for row in ROWS]
    header = delimiter.join(("time_s", "HR", "SpO2"))
    table, got = open_text(tmp_path, "Export of ward 3, bed 4, 2 m", header, *rows)
    assert table.names == ("time_s", "HR", "SpO2")
    assert table.decimal == ","
    assert len(got) == len(ROWS)


def test_a_cell_too_many_names_its_line_and_an_empty_one_does_no_harm(tmp_path: Path) -> None:
    _, rows = open_text(tmp_path, "time_s,HR,SpO2", *(row + "," for row in ROWS))
    assert len(rows) == len(ROWS)
    with pytest.raises(UnreadableFile, match=r"log\.csv: line 4 has 4 cells") as error:
        open_text(tmp_path, "time_s,HR,SpO2", *ROWS[:2], "0,5,80,97", *ROWS[2:])
    assert "comma" in error.value.hint


def test_a_workbook_has_its_header_found_in_the_same_way(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for cells in (["Ward", 3], [], ["time_s", "HR"], [0, 80], [1, 82], [2, 81]):
        book.active.append(cells)
    book.save(tmp_path / "log.xlsx")
    table = open_table(tmp_path / "log.xlsx")
    assert table.names == ("time_s", "HR")
    assert next(row for chunk in table.chunks for row in zip(*chunk, strict=True)) == ("0", "80")
