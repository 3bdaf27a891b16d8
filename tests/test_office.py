"""Workbooks write some characters as numbers: every reader of workbooks turns them back."""

from __future__ import annotations

import openpyxl
import pytest

from fmstudio.cohort import read_manifest
from fmstudio.contracts import pipeline
from fmstudio.office import unescape
from fmstudio.types import Source


@pytest.mark.parametrize(
    ("stored", "typed"),
    [
        ("Cough._x000D_\nNo fever.", "Cough.\nNo fever."),
        ("Cough._x000d_No fever.", "Cough.\nNo fever."),
        ("Cough._x000A_No fever._x0009_.", "Cough.\nNo fever.\t."),
        ("_x005F_x000D_ stays", "_x000D_ stays"),
        ("a_x005F_b", "a_b"),
        ("_xD83D__xDE00_", "\U0001f600"),
        ("_xD83D_ alone", "\ufffd alone"),
        ("bell_x0007_ and nothing_x0000_", "bell and nothing"),
        ("max_x_value _x00Z0_ _x000D", "max_x_value _x00Z0_ _x000D"),
    ],
)
def test_an_escape_is_the_character_that_it_stands_for(stored, typed):
    assert unescape(stored) == typed


def test_cells_and_headings_of_a_workbook_are_read_without_escapes(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["case_id", "free_x0020_text", "temp_x005F_x0041_"])
    book.active.append(["c_x0031_", "Cough._x000D_\nNo fever.", 38.5])
    book.save(tmp_path / "m.xlsx")

    got = read_manifest(tmp_path / "m.xlsx")
    table = pipeline("ehr").read([Source("labs", path=tmp_path / "m.xlsx")])

    assert got.rows == [{"case_id": "c1", "free text": "Cough.\nNo fever.", "temp_x0041_": "38.5"}]
    assert "temp_x0041_" in table.facts["names"]
    assert "free text" in table.facts["names"]
