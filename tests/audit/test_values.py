"""Values that cannot be, that can be read in two ways, and that are written in two ways."""

from __future__ import annotations

import numpy as np
import pytest

from fmstudio.cohort.cleaning import mend
from tests.audit.conftest import LABELS, ROWS, found

RNG = np.random.default_rng(8)


def at(evidence, kind, column):
    """(rows, severity) of each finding of a kind about a column."""
    return [
        (one["rows"], one["severity"])
        for one in found(evidence, kind)
        if one["columns"] == [column]
    ]


@pytest.mark.parametrize("code", [666, 777, 888, 999, 9999, -99, -9, -8, -1, 66666, -77])
def test_a_code_for_not_known_is_found_by_its_distance_from_the_values(known, code):
    cells = [str(code if n % 10 == 2 else 1 + n % 9) for n in range(ROWS)]

    assert at(known(cycles=cells), "impossible_values", "cycles") == [
        (list(range(2, ROWS, 10)), "warning")
    ]


def test_several_codes_in_one_column_are_all_found(known):
    cells = ["777" if n % 10 == 1 else "-8" if n % 10 == 5 else str(n % 7) for n in range(ROWS)]
    ((rows, _),) = at(known(visits=cells), "impossible_values", "visits")

    assert rows == sorted([*range(1, ROWS, 10), *range(5, ROWS, 10)])


def test_a_number_of_no_usual_code_is_one_if_it_is_far_and_there_again_and_again(known):
    cells = ["5000" if n in (3, 9, 20) else str(10 + n % 20) for n in range(ROWS)]
    assert at(known(days=cells), "impossible_values", "days") == [([3, 9, 20], "warning")]

    once = ["5000" if n == 3 else str(10 + n % 20) for n in range(ROWS)]
    assert at(known(days=once), "impossible_values", "days") == []


def test_values_that_only_look_like_codes_are_left_alone(known):
    platelets = [str(v) for v in (RNG.normal(300, 90, ROWS).round().astype(int) // 1)]
    platelets[3] = "99"
    platelets[4] = "88"
    ages = [str(20 + n % 80) for n in range(ROWS)]  # 66, 77, 88 and 99 among them
    scores = [f"{v:.0f}" for v in RNG.normal(0, 40, ROWS)]
    scores[2] = scores[8] = "-9"
    onset = ["-5" if n == 9 else str(n % 12) for n in range(ROWS)]  # once, and possible
    got = known(platelet_index=platelets, span=ages, balance=scores, days_since_onset=onset)

    for column in ("platelet_index", "span", "balance", "days_since_onset"):
        assert at(got, "impossible_values", column) == []


@pytest.mark.parametrize("word", ["inf", "-inf", "Infinity", "∞", "1e308", "1e999"])
def test_infinite_and_huge_values_are_impossible_and_never_a_spelling(known, word):
    cells = [word if n in (4, 5) else f"{n % 11}.5" for n in range(ROWS)]
    got = known(ferritin_ratio=cells)

    assert at(got, "impossible_values", "ferritin_ratio") == [([4, 5], "warning")]
    assert at(got, "spelling", "ferritin_ratio") == []


@pytest.mark.parametrize("wrong", ["-5", "150", "44197"])
def test_an_age_that_nobody_has_is_found(known, wrong):
    cells = [wrong if n in (7, 8) else str(30 + n % 50) for n in range(ROWS)]

    assert at(known(age=cells), "impossible_values", "age") == [([7, 8], "warning")]


def test_ages_that_are_all_dates_are_found_and_not_taken_for_row_numbers(known):
    got = known(age=[str(44197 + n) for n in range(ROWS)])

    assert got.roles["age"] == "ehr"
    assert at(got, "impossible_values", "age") == [(list(range(ROWS)), "warning")]


@pytest.mark.parametrize("wrong", ["2999-01-01", "1901-02-29", "31.11.2020", "0001-01-01"])
def test_dates_that_cannot_be_are_found(known, wrong):
    cells = [
        wrong if n in (1, 30) else f"2020-{1 + n % 12:02d}-{1 + n % 28:02d}" for n in range(ROWS)
    ]
    for column in ("admission_date", "first_symptom"):
        assert at(known(**{column: cells}), "impossible_values", column) == [([1, 30], "warning")]


def test_dates_before_birth_are_found(known):
    born = [f"19{40 + n % 50}-05-01" for n in range(ROWS)]
    seen = ["1930-01-01" if n == 6 else "2020-03-01" for n in range(ROWS)]
    seen = [cell if n % 2 == 0 else "2020-04-02" for n, cell in enumerate(seen)]
    got = known(date_of_birth=born, seen_on=seen, roles={"seen_on": "ehr"})

    assert at(got, "impossible_values", "seen_on") == [([6], "warning")]


def test_dates_that_can_be_read_in_two_ways_are_asked_about_and_mended(known):
    cells = [f"{1 + n % 12}/{1 + (n + 5) % 12}/2020" for n in range(ROWS)]
    got = known(first_symptom=cells)
    (finding,) = found(got, "two_readings")

    assert finding["severity"] == "warning"
    assert len(finding["rows"]) == sum(len({*cell.split("/")[:2]}) == 2 for cell in cells)
    day_first, month_first, _ = finding["mends"]
    for way, iso in ((day_first, "2020-06-01"), (month_first, "2020-01-06")):
        mended = mend(got.manifest, way["steps"])
        assert mended.cells("first_symptom")[0] == iso
        assert mended.readings["first_symptom"].day(mended.cells("first_symptom")[0])


def test_dates_in_two_orders_stop_with_the_rows_of_the_rarer_one(known):
    cells = [f"{13 + n % 15}/1/2020" for n in range(ROWS)]
    cells[9], cells[12] = "1/31/2020", "2/28/2020"
    got = known(first_symptom=cells)

    assert at(got, "two_readings", "first_symptom") == [([9, 12], "stop")]
    (finding,) = found(got, "two_readings")
    mended = mend(got.manifest, finding["mends"][0]["steps"])
    assert (mended.cells("first_symptom")[0], mended.cells("first_symptom")[9]) == (
        "2020-01-13",
        "",
    )


def test_numbers_that_can_be_read_in_two_ways_are_asked_about_and_mended(known):
    got = known(leucocyte_sum=[f"{1 + n % 9},{100 + n}" for n in range(ROWS)])
    (finding,) = found(got, "two_readings")

    assert finding["rows"] == list(range(ROWS))
    grouped, point = finding["mends"]
    assert mend(got.manifest, grouped["steps"]).cells("leucocyte_sum")[3] == "4103"
    assert mend(got.manifest, point["steps"]).cells("leucocyte_sum")[3] == "4.103"


def test_bounds_flags_and_units_are_neither_spellings_nor_units_of_other_kinds(known):
    fit = ["<10" if n % 4 == 0 else "10" if n % 4 == 1 else str(12 + n % 30) for n in range(ROWS)]
    potassium = [f"{3 + n % 30 / 10:.1f}{('', ' H', ' L')[n % 3]}" for n in range(ROWS)]
    got = known(fit=fit, serum_level=potassium)

    assert found(got, "spelling") == []
    assert found(got, "mixed_units") == []
    assert got.numbers("fit")[:2].tolist() == [10, 10]


def test_classes_that_are_one_number_in_two_spellings_are_asked_about(known):
    label = [f"{cell}.0" if n % 5 == 0 else cell for n, cell in enumerate(LABELS[:ROWS])]
    got = known(label=label)
    ((rows, severity),) = at(got, "spelling", "label")

    assert (rows, severity) == (list(range(0, ROWS, 5)), "warning")
    (finding,) = found(got, "spelling")
    assert mend(got.manifest, finding["mends"][0]["steps"]).cells("label") == LABELS[:ROWS]
    assert at(known(), "spelling", "label") == []


def test_a_column_like_the_label_and_one_of_afterwards_are_found(known):
    copy = [{"0": "A", "1": "B"}[cell] for cell in LABELS[:ROWS]]
    got = known(
        code=copy,
        survival_days=[str(n) for n in range(ROWS)],
        roles={"code": "ehr", "survival_days": "ehr"},
    )

    assert at(got, "column_gives_label", "code")
    assert at(got, "after_outcome", "survival_days")
