"""A cleaned manifest is a table with steps beside it; the table is never changed."""

from __future__ import annotations

import pytest

from fmstudio.cohort import build_cohort, make_task, read_manifest
from fmstudio.cohort.cleaning import (
    convert,
    empty,
    give_role,
    leave_out,
    rewrite,
    roles_after,
    write_mended,
)
from fmstudio.errors import InputError

TABLE = "case,temp,sex,label\n" + "".join(
    f"c{n},{99.5 if n == 2 else 37},{'Female' if n == 3 else 'female'},{n % 2}\n" for n in range(30)
)


@pytest.fixture
def mended(write, tmp_path):
    def make(*steps, on=None):
        folder = tmp_path / f"mended-{len(list(tmp_path.glob('mended-*')))}"
        folder.mkdir()
        return write_mended(folder, on or write(TABLE), steps)

    return make


def test_steps_change_what_is_read_and_not_the_table(mended, write):
    path = mended(
        convert("temp", [2], 5 / 9, -160 / 9),
        rewrite("sex", {"Female": "female"}),
        empty("temp", [4]),
    )
    got = read_manifest(path)

    assert [got.rows[n]["temp"] for n in (1, 2, 4)] == ["37", "37.5", ""]
    assert {row["sex"] for row in got.rows} == {"female"}
    assert write(TABLE).read_text() == TABLE
    assert got.sha256 != read_manifest(write(TABLE)).sha256


def test_a_row_that_is_left_out_keeps_its_number_and_is_no_case(mended):
    manifest = read_manifest(mended(leave_out([0, 5])))
    roles = {"case": "case_id", "temp": "ehr", "sex": "ehr", "label": "label"}
    cohort = build_cohort(manifest, roles, make_task(manifest, roles, "binary"), "test")

    assert cohort.set_aside == (0, 5)
    assert [case.case_id for case in cohort.cases[:2]] == ["c1", "c2"]
    assert cohort.cases[0].row == 1


def test_a_mended_table_can_be_mended_again(mended):
    once = mended(leave_out([0]), give_role("sex", "ignore"))
    got = read_manifest(mended(leave_out([7]), on=once))

    assert got.left_out == {0, 7}
    assert roles_after(got.steps) == {"sex": "ignore"}


def test_a_step_for_a_row_or_column_that_is_gone_names_it(mended):
    with pytest.raises(InputError, match="no row 99"):
        read_manifest(mended(leave_out([99])))
    with pytest.raises(InputError, match="no column 'weight'"):
        read_manifest(mended(empty("weight", [1])))


def test_another_json_file_is_no_mended_table(write):
    with pytest.raises(InputError, match="not a cleaned table"):
        read_manifest(write('{"format": 9}', "x.mended.json"))
