"""The column decides how its cells are read: dates, decimal signs, flags, bounds."""

from __future__ import annotations

import math
from datetime import date

import pytest

from fmstudio.cohort import build_cohort, make_task
from fmstudio.cohort.dates import written_date
from fmstudio.cohort.readings import NUMBERS, OTHER, reading_of
from fmstudio.contracts import pipeline
from fmstudio.errors import InputError


def read(cells, name="x"):
    """The cells of a column in their plain form."""
    reading = reading_of(name, cells)
    return [reading.text(cell) for cell in cells]


@pytest.mark.parametrize(
    ("cells", "iso"),
    [
        (["3/4/2021", "13/4/2021"], ["2021-04-03", "2021-04-13"]),
        (["3/4/2021", "4/13/2021"], ["2021-03-04", "2021-04-13"]),
        (["3/4/21", "13/4/21", "1/1/68"], ["2021-04-03", "2021-04-13", "1968-01-01"]),
        (["21/04/03", "45/12/31"], ["2021-04-03", "1945-12-31"]),
        (["3.4.2021", "4.5.2021"], ["2021-04-03", "2021-05-04"]),
        (["2021/4/3", "2021.04.03", "2021-04-03"], ["2021-04-03"] * 3),
        (["3-4-2021 14:30", "13-4-2021 9:05"], ["2021-04-03 14:30", "2021-04-13 9:05"]),
        (
            ["3 Mai 2021", "4. März 2021", "April 3, 2021", "3-Apr-2021"],
            ["2021-05-03", "2021-03-04", "2021-04-03", "2021-04-03"],
        ),
        (
            ["3 août 2021", "3 de abril de 2021", "3 dez 2021"],
            ["2021-08-03", "2021-04-03", "2021-12-03"],
        ),
        (["5/5/2021", "6/6/2021"], ["2021-05-05", "2021-06-06"]),
        (["3/4/2021", "4/5/2021"], ["3/4/2021", "4/5/2021"]),  # nobody can tell
        (["3/4/2021", "13/4/2021", "4/13/2021"], ["3/4/2021", "2021-04-13", "2021-04-13"]),
    ],
)
def test_the_order_of_day_and_month_is_that_of_the_whole_column(cells, iso):
    assert read(cells) == iso


def test_a_date_that_no_calendar_has_does_not_decide_the_order():
    cells = ["31/02/2021", "3/4/2021", "13/4/2021"]

    assert read(cells) == ["31/02/2021", "2021-04-03", "2021-04-13"]
    assert written_date("1901-02-29").days == {}


def test_numbers_in_a_column_of_dates_are_the_days_of_a_spreadsheet():
    cells = ["2020-12-31", "44197", "2021-01-02", "2021-01-03", "2021-01-04"]
    assert read(cells)[1] == "2021-01-01"
    assert read(["44197", "44198.0"], "date_of_birth") == ["2021-01-01", "2021-01-02"]
    assert read(["20210403", "20211231"], "visit_date") == ["2021-04-03", "2021-12-31"]
    assert read(["44197", "44198"], "platelets") == ["44197", "44198"]


@pytest.mark.parametrize(
    ("cells", "plain"),
    [
        (["1,5", "2,25", "1,234"], ["1.5", "2.25", "1.234"]),
        (["1,234", "12.5"], ["1234", "12.5"]),
        (["1.234", "12,5"], ["1234", "12.5"]),
        (["1.234", "12.5"], ["1.234", "12.5"]),
        (["1.234.567", "1.234"], ["1234567", "1234"]),
        (["1,234", "900", "1,100", "870"], ["1234", "900", "1100", "870"]),
        (["1,234", "1,8", "2"], ["1.234", "1.8", "2"]),
        (["1 234,5", "1'234.5", "1\u202f234"], ["1234.5", "1234.5", "1234"]),
        (["1,234", "2,345"], ["1,234", "2,345"]),  # nobody can tell
        (["1,5E+03", "2,0e-1"], ["1500", "0.2"]),
        (["1.5e3", "\u22124"], ["1500", "-4"]),
        (["<10", "> 100", "7,5", "7"], ["<10", ">100", "7.5", "7"]),
        (["53%", "7 %", "12"], ["53%", "7%", "12"]),
        (["5,2 mg/dl", "4,1 mg/dl"], ["5.2 mg/dl", "4.1 mg/dl"]),
    ],
)
def test_decimal_signs_and_groups_are_those_of_the_whole_column(cells, plain):
    assert read(cells) == plain


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["94*", "95", "96 **"], [94, 95, 96]),
        (["5.2 H", "3.1 L", "4.0", "4.1"], [5.2, 3.1, 4.0, 4.1]),
        (["5.2H", "3.1LL", "4.0"], [5.2, 3.1, 4.0]),
        (["5.2 (H)", "3.1 (!)", "4.0 [L]"], [5.2, 3.1, 4.0]),
        (["5,2 ↑", "3,1↓", "4,0"], [5.2, 3.1, 4.0]),
        (["3.1 L", "4.0", "4.1", "4.2"], [3.1, 4.0, 4.1, 4.2]),
    ],
)
def test_flags_beside_numbers_are_left_out_and_said(cells, values):
    reading = reading_of("potassium", cells)

    assert reading.kind == NUMBERS
    assert [float(reading.text(cell)) for cell in cells] == values
    assert any("flags" in remark for remark in reading.remarks)


def test_one_letter_behind_all_numbers_is_a_unit():
    reading = reading_of("volume", ["3.1 L", "4.0 L", "4.2 L"])

    assert [reading.unit(cell) for cell in ["3.1 L", "4.0 L"]] == ["L", "L"]
    assert reading.remarks == ()


def test_words_and_bands_stay_as_they_are():
    assert reading_of("x", ["yes", "no", "3"]).kind == OTHER
    assert read(["<65", ">=65", "<65"]) == ["<65", ">=65", "<65"]


def test_infinite_and_huge_numbers_are_numbers_that_cannot_be_used():
    cells = ["1", "2", "3", "inf", "-Infinity", "1e308", "1e999"]
    reading = reading_of("x", cells)

    assert reading.kind == NUMBERS
    assert [math.isinf(reading.number(cell)) for cell in cells] == [False] * 3 + [True] * 4


def test_what_was_decided_reaches_the_inputs_and_the_remarks(manifest, roles):
    count = 24
    table = manifest(
        case_id=[f"c{i}" for i in range(count)],
        label=[str(i % 2) for i in range(count)],
        began=[f"{1 + i}/9/2016" for i in range(count)],
        crp=[f"1,{i:03d}" if i % 2 else f"{i},5" for i in range(count)],
        potassium=[f"{4 + i / 10:.1f}{' H' if i % 3 else ''}" for i in range(count)],
        bp=[f"{110 + i}/{60 + i}" for i in range(count)],
        fit=["<10" if i % 2 else str(12 + i) for i in range(count)],
    )
    chosen = roles(table, "label")
    cohort = build_cohort(table, chosen, make_task(table, chosen, "binary"), "c")
    got = pipeline("ehr").read(cohort.cases[3].sources["ehr"])

    values = dict(zip(got.facts["names"], got.values.tolist(), strict=True))
    assert got.mask.all()
    assert values == pytest.approx(
        {
            "began": (date(2016, 9, 4) - date(1970, 1, 1)).days,
            "crp": 1.003,
            "potassium": 4.3,
            "bp systolic": 113,
            "bp diastolic": 63,
            "fit": 10,
        }
    )
    told = " ".join(cohort.remarks)
    assert "day/month/year" in told
    assert "decimal commas" in told
    assert "H" in told


def test_text_among_numbers_is_still_refused(manifest, roles):
    table = manifest(
        label=[str(i % 2) for i in range(30)],
        crp=["see note" if i == 7 else str(i) for i in range(30)],
    )
    chosen = roles(table, "label")
    task = make_task(table, chosen, "binary")

    with pytest.raises(InputError, match=r"text in line 9: 'see note'"):
        build_cohort(table, chosen, task, "c")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("94*", 94),
        ("5.2 H", 5.2),
        ("3.1 [L]", 3.1),
        ("4.4 (!)", 4.4),
        ("<10", 10),
        ("1,5E+03", 1500),
    ],
)
def test_a_single_cell_at_prediction_is_read_as_in_its_column(text, number):
    from fmstudio.types import Source

    got = pipeline("ehr").read([Source("x", text=text)])

    assert got.values.tolist() == pytest.approx([number])
    assert got.mask.all()
    assert got.remarks


def test_letters_that_are_units_stay_with_their_numbers():
    assert read(["38 C", "98 F", "37"]) == ["38 C", "98 F", "37"]
    assert read(["3 L", "400 mL", "2 L", "7"]) == ["3 L", "400 mL", "2 L", "7"]
