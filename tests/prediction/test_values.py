"""Each value of a case is held against what training had: converted, named, or refused."""

from __future__ import annotations

import numpy as np
import pytest

from fmstudio.contracts import pipeline
from fmstudio.encoders.series_patches import ENCODER as SERIES
from fmstudio.encoders.table_tokens import ENCODER as TABLES
from fmstudio.errors import InputError
from fmstudio.prediction.expected import Expected, expectations
from fmstudio.prediction.values import Checked, checked, fields
from fmstudio.types import ModalityInput, Source

TABLE, LOG = pipeline("ehr"), pipeline("device_logs")
ROWS = 40


def table(**cells: str) -> ModalityInput:
    return TABLE.read([Source(name, text=text) for name, text in cells.items()])


def learned(**columns: list[str]) -> dict[str, Expected]:
    """What the table encoder learns from cases with these columns."""
    cases = [
        table(**dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)
    ]
    return expectations(TABLE, TABLES.fit(cases)["features"])


def spread(low: float, high: float) -> list[str]:
    return [f"{value:.4g}" for value in np.linspace(low, high, ROWS)]


def check(expected: dict[str, Expected], **cells: str) -> Checked:
    return checked(TABLE, table(**cells), expected)


AGE = learned(age=spread(28, 96), sex=["F", "M"] * (ROWS // 2))


def test_a_value_outside_of_training_is_named_with_the_range():
    assert check(AGE, age="20").warnings == ["age 20 is outside 28 to 96 seen in training."]
    assert check(AGE, age="250").warnings[0].startswith("age 250 is outside 28 to 96 seen")
    assert check(AGE, age="28", sex="M").warnings == []
    assert check(AGE, age="96").warnings == []


def test_a_table_with_one_usual_value_is_not_unlike_the_training_data():
    assert check(AGE, age="50").guard["flag"] is False
    assert check(AGE, age="50").guard["score"] < 1
    assert check(AGE, age="97").guard["flag"] is True
    assert check(AGE, age="97").guard["score"] > 1


@pytest.mark.parametrize("value", ["250", "-5", "126"])
def test_what_no_person_can_have_is_refused_by_a_page(value):
    [verdict] = check(AGE, age=value).verdicts

    assert "beyond what a person can have (0 to 125 years)" in verdict.refusal
    assert verdict.usable


def test_what_training_had_is_never_refused_though_no_person_should_have_it():
    months = learned(age=spread(200, 1100))  # an age in months: not the quantity of the name

    assert check(months, age="1000").warnings == []
    assert not check(months, age="1200").verdicts[0].refusal


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ({"age": "abc"}, "'abc' is not a number; training had 28 to 96"),
        ({"age": "1950-03-01"}, "'1950-03-01' is not a number"),
        ({"age": "63 kg"}, "is given in kg, and training had it in years"),
    ],
)
def test_what_is_no_such_value_gets_no_answer(cells, why):
    found = check(AGE, **cells)

    assert why in found.verdicts[0].refusal
    with pytest.raises(InputError, match="age "):
        found.refuse()


def test_a_category_is_known_whatever_its_capitals_and_named_if_it_is_new():
    found = check(AGE, sex="f")
    assert found.given.facts["categories"] == ["F"]
    assert found.remarks == ["sex: 'f' was read as 'F'."]

    found = check(AGE, sex="X")
    assert found.warnings == ["sex 'X' was not seen in training (F or M)."]
    assert found.guard["flag"] is True


def test_a_date_is_held_against_dates():
    days = [f"2021-03-{day:02d}" for day in range(1, 29)]
    dates = learned(onset=days)

    assert dates["onset"].is_date
    assert check(dates, onset="2021-03-07").warnings == []
    assert check(dates, onset="2031-01-01").warnings == [
        "onset 2031-01-01 is outside 2021-03-01 to 2021-03-28 seen in training."
    ]
    assert check(dates, onset="44197").verdicts[0].refusal.startswith("'44197' is not a date")


# (column, range of training, value typed, offered in the unit of training)
OTHER_UNITS = [
    ("creatinine_umol_l", (38, 420), "0.9", "79.58"),
    ("creatinine", (38, 420), "0.9", "79.58"),
    ("creatinine_mg_dl", (0.5, 4), "79.58", "0.9"),
    ("glucose_mg_dl", (60, 300), "5.5", "99.1"),
    ("temp_c", (35, 41), "98.6", "37"),
    ("temp_f", (95, 106), "37", "98.6"),
    ("weight_kg", (45, 110), "180", "81.65"),
    ("height_cm", (150, 195), "1.75", "175"),
    ("height_cm", (150, 195), "5.9", "179.8"),
    ("bilirubin_mg_dl", (0.2, 8), "17.1", "1"),
    ("haemoglobin_g_dl", (7, 17), "135", "13.5"),
    ("lactate_mmol_l", (0.5, 4.5), "18.02", "2"),
    ("wbc_10e9_l", (2, 30), "8000", "8"),
    ("platelets", (50, 450), "250000", "250"),
    ("fio2_pct", (21, 100), "0.4", "40"),
    ("pao2_mmhg", (55, 300), "12", "90.01"),
    ("albumin_g_dl", (2, 5), "38", "3.8"),
    ("calcium_mmol_l", (1.8, 3), "9.6", "2.395"),
    ("serum_potassium_mmol_l", (2.5, 6), "4.1", None),
]


@pytest.mark.parametrize(("column", "ends", "value", "offered"), OTHER_UNITS)
def test_a_value_that_would_be_usual_in_another_unit_is_offered_converted(
    column, ends, value, offered
):
    expected = learned(**{column: spread(*ends)})

    [verdict] = check(expected, **{column: value}).verdicts

    assert (verdict.offer and verdict.offer.value) == offered
    if offered is not None:
        assert f"it would be {offered} {expected[column].unit}" in verdict.warning
        written = check(expected, **{column: verdict.offer.given})
        assert written.warnings == []
        assert float(written.given.values[0]) == pytest.approx(float(offered), rel=1e-3)


def test_a_named_unit_is_converted_and_said():
    expected = learned(creatinine_umol_l=spread(38, 420))

    found = check(expected, creatinine_umol_l="0.9 mg/dL")

    assert float(found.given.values[0]) == pytest.approx(79.578, rel=1e-5)
    assert found.remarks == [
        "creatinine_umol_l: 0.9 mg/dL was converted to 79.58 µmol/L, the unit of training."
    ]
    assert found.warnings == []
    assert float(check(expected, creatinine_umol_l="80").given.values[0]) == 80


def test_the_values_of_training_say_its_unit_where_the_name_is_wrong():
    expected = learned(creatinine_mg_dl=spread(38, 420))

    assert expected["creatinine_mg_dl"].unit == "µmol/L"
    assert check(expected, creatinine_mg_dl="80").warnings == []
    assert float(check(expected, creatinine_mg_dl="80").given.values[0]) == 80


def test_of_many_readings_the_strangest_is_named_and_the_others_counted(tmp_path):
    path = tmp_path / "labs.csv"
    path.write_text("name,value\nage,20\nage,10\nage,50\nage,25\n")
    found = checked(TABLE, TABLE.read([Source("ehr", path=path)]), AGE)

    assert found.warnings == [
        "age 10 is outside 28 to 96 seen in training. So are 2 more of its values."
    ]


@pytest.mark.parametrize(
    ("text", "remark", "refusal"),
    [
        ("63", "", ""),
        (" 63.0 ", "", ""),
        ("63,5", "read as 63.5 years", ""),
        ("63 y", "read as 63 years", ""),
        ("63 yrs", "read as 63 years", ""),
        ("> 60", "read as 60 years", ""),
        ("1,234", "", "'1,234' could be 1234 or 1.234 and was left out"),
        ("unknown", "", ""),
        ("", "", ""),
    ],
)
def test_a_field_says_how_it_was_read_where_that_is_not_plain(text, remark, refusal):
    [verdict] = fields(TABLE, table(age=text), [text], AGE)

    assert (verdict.remark, verdict.refusal) == (remark, refusal)


def recording(values: np.ndarray, channel: str, unit: str) -> ModalityInput:
    facts = {"channels": [channel], "units": [unit], "seconds": list(range(len(values)))}
    mask = np.ones((len(values), 1), bool)
    return ModalityInput("series", values[:, None].astype(np.float32), mask, facts)


def test_a_recording_in_another_unit_is_converted_if_it_says_so_and_named_if_not():
    draw = np.random.default_rng(0)
    cases = [recording(draw.normal(37, 0.6, 60), "temp", "°C") for _ in range(20)]
    expected = expectations(LOG, SERIES.fit(cases)["channels"])
    warm = draw.normal(100, 0.5, 60)

    said = checked(LOG, recording(warm, "temp", "°F"), expected)
    assert np.allclose(said.given.values[:, 0], (warm - 32) / 1.8, atol=1e-3)
    assert said.remarks == ["temp: was converted from °F to °C, the unit of training."]
    assert said.warnings == []

    [warning] = checked(LOG, recording(warm, "temp", ""), expected).warnings
    assert "unusual in °C" in warning
    assert "in °F they would be around 37.7" in warning
