"""Units, impossible values, spellings, identifiers and sizes; and labels that may be wrong."""

from __future__ import annotations

import numpy as np
import pytest

from fmstudio.cohort.audit.checks.spelling import variants
from fmstudio.cohort.audit.evidence import Doubt
from tests.audit.conftest import LABELS, ROWS, found

RNG = np.random.default_rng(1)


def test_fahrenheit_among_celsius_is_found_and_converted(known):
    celsius = RNG.normal(37.4, 0.8, ROWS)
    temp = [f"{c * 1.8 + 32 if n % 9 == 0 else c:.1f}" for n, c in enumerate(celsius)]
    (got,) = found(known(temp_c=temp), "mixed_units")

    assert got["rows"] == list(range(0, ROWS, 9))
    (step,) = got["mends"][0]["steps"]
    assert float(temp[0]) * step["factor"] + step["offset"] == pytest.approx(celsius[0], abs=0.06)


def test_mmol_among_mg_per_dl_is_found_only_where_several_are_alike(known):
    glucose = np.round(RNG.normal(130, 30, ROWS).clip(60, 300))
    some = [f"{g / 18 if n % 10 == 0 else g:.1f}" for n, g in enumerate(glucose)]
    one = [f"{39 if n == 0 else g:.1f}" for n, g in enumerate(glucose)]  # a low one, and possible

    (got,) = found(known(glucose_mg_dl=some), "mixed_units")
    assert got["rows"] == list(range(0, ROWS, 10))
    assert found(known(glucose_mg_dl=one), "mixed_units") == []


def test_units_written_in_the_cells_may_not_differ(known):
    cells = [f"{8 + n % 5} {'g/dl' if n % 4 else 'mmol/l'}" for n in range(ROWS)]
    (got,) = found(known(ferritin_level=cells), "mixed_units")

    assert got["rows"] == list(range(0, ROWS, 4))


def test_values_that_nobody_can_have_and_codes_are_found(known):
    spo2 = ["940" if n == 5 else str(90 + n % 10) for n in range(ROWS)]
    wait = ["-9" if n in (3, 4) else str(n % 30) for n in range(ROWS)]
    got = {
        one["columns"][0]: one["rows"]
        for one in found(known(spo2=spo2, waiting_days=wait), "impossible_values")
    }

    assert got == {"spo2": [5], "waiting_days": [3, 4]}


def test_a_column_that_is_negative_by_nature_keeps_its_minus_nine(known):
    excess = [f"{value:.0f}" for value in RNG.normal(0, 6, ROWS)]
    excess[3] = "-9"

    assert found(known(base_excess=excess), "impossible_values") == []


def test_spellings_of_one_category_are_told_from_categories_that_look_alike():
    assert variants({"female": 30, "Female ": 3, "F": 2, "male": 25, "femlae": 1}) == {
        "Female ": "female",
        "F": "female",
        "femlae": "female",
    }
    assert (
        variants({"type 1": 20, "type 2": 20, "left": 9, "lift": 9, "GENHX": 90, "GYNHX": 3}) == {}
    )


def test_what_tells_who_a_patient_is_is_found_in_columns_and_notes(known):
    names = [
        f"{('Anna', 'Bert', 'Carla', 'Dora')[n % 4]} Sample{chr(97 + n % 26)}{'abc'[n // 26]}"
        for n in range(ROWS)
    ]
    note = ["Stable, sleeps well today."] * ROWS
    note[:4] = [f"Call +49 221 4785-{n}321, MRN 00{n}12345, born 03.05.1961." for n in range(4)]
    got = found(
        known(contact=names, note=note, roles={"contact": "ehr", "note": "notes"}), "identifiers"
    )

    assert {tuple(one["columns"]): one["severity"] for one in got} == {
        ("contact",): "warning",
        ("note",): "warning",
    }
    assert "Anna" not in str(got)
    assert next(one for one in got if one["columns"] == ["note"])["rows"] == [0, 1, 2, 3]


def test_the_width_of_the_interval_is_that_of_hanley_and_mcneil(known):
    label = [str(int(n % 3 == 0)) for n in range(200)]
    split = ["train", "train", "train", "validation", "test"] * 40
    (got,) = found(known(label=label, split=split), "few_cases")

    # 40 held out, 13 or 14 of them ill: SE = sqrt((.16 + 13 * .0267 + 25 * .0711) / (14 * 26))
    assert got["severity"] == "note"
    assert "± 0.1" in got["message"]


def test_accepted_findings_stay_as_notes(known):
    from dataclasses import replace

    from fmstudio.cohort.cleaning import accept, mend

    temp = [str(98.6 if n % 5 == 0 else 37.0 + n % 3 / 10) for n in range(ROWS)]
    before = known(temp_c=temp)
    after = replace(before, manifest=mend(before.manifest, [accept("mixed_units", ["temp_c"])]))
    (got,) = found(after, "mixed_units")

    assert got["severity"] == "note"
    assert got["message"].startswith("Accepted: ")
    assert got["mends"] == []


def test_labels_in_doubt_are_listed_the_most_doubtful_first(known):
    from dataclasses import replace

    doubts = [Doubt(4, "label", 0.08, LABELS[4], "0"), Doubt(2, "label", 0.01, LABELS[2], "1")]
    (got,) = found(replace(known(), doubts=doubts), "label_noise")

    assert got["severity"] == "note"
    assert got["rows"] == [2, 4]
