"""The report on a cohort counts what is there and names what a person should look at."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from fmstudio.cohort.audit import cohort_report
from fmstudio.results.json_form import as_json

ROWS = 30


@pytest.fixture
def report(known):
    """report(columns…) -> the report on the cohort that they make."""

    def report(kind="binary", **columns):
        columns = {
            "patient_id": None,
            "age": [str(n % 7) for n in range(ROWS)],
            "label": ["0", "1", "1"] * 10,
        } | columns
        return as_json(cohort_report(known(kind, **columns)))

    return report


def finding(report, kind):
    (found,) = (one for one in report["findings"] if one["kind"] == kind)
    return found


def test_cases_patients_modalities_labels_and_splits_are_counted(report):
    got = report(patient_id=[f"P{n // 2}" for n in range(ROWS)], note=["Coughs all night."] * ROWS)

    assert (got["cases"], got["patients"]) == (30, 15)
    assert got["modalities"] == {"ehr": 30, "notes": 30}
    assert got["labels"] == {"0": 10, "1": 20}
    assert sum(got["splits"].values()) == 30
    assert got["missing"] == {"age": 0, "note": 0}


def test_a_report_without_patients_says_so(report):
    assert finding(report(), "no_patient_id")["severity"] == "note"


def test_rows_without_a_label_are_counted_with_their_numbers(report):
    got = finding(report(label=["", "1", "1", *["0", "1", ""] * 9]), "missing_labels")

    assert got["rows"] == [0, *range(5, 30, 3)]
    assert got["columns"] == ["label"]
    assert "10 of 30 cases have no label" in got["message"]


def test_classes_that_were_left_out_are_named(report):
    label = [*["a", "b"] * 14, "rare", "rare"]
    every = report(kind="multiclass", label=label)["findings"]
    got = [f for f in every if f["rows"] and f["kind"] == "few_cases"]

    assert got[0]["kind"] == "few_cases"
    assert "rare (2)" in got[0]["message"]
    assert got[0]["rows"] == [28, 29]


def test_a_class_that_a_given_split_lacks_is_named(report):
    split = ["train", "train", "test", "validation"] * 7 + ["train", "train"]
    label = ["1" if part == "train" and n % 2 else "0" for n, part in enumerate(split)]
    got = [f["message"] for f in report(split=split, label=label)["findings"]]

    assert "No patient of test has 'label' = '1'." in got
    assert "No patient of validation has 'label' = '1'." in got


def test_a_regression_tells_the_range_of_its_numbers(report):
    got = report(kind="regression", label=[str(n) for n in range(ROWS)])

    assert got["labels"] == {"label": 30}
    assert got["label_range"] == {"low": 0.0, "median": 14.5, "high": 29.0}


def test_files_that_cannot_be_read_are_named_with_the_reason(report, tmp_path):
    for n in range(ROWS):
        Image.effect_noise((40, 40), 50).save(tmp_path / f"{n}.png")
    (tmp_path / "3.png").write_bytes((tmp_path / "4.png").read_bytes()[:700])
    (tmp_path / "5.png").write_bytes(b"not a picture")
    got = report(image=[f"{n}.png" for n in range(ROWS)])
    found = finding(got, "unreadable")

    assert found["severity"] == "warning"
    assert (found["columns"], found["rows"]) == (["image"], [3, 5])
    assert "3.png" in found["message"]
    assert str(tmp_path) not in json.dumps(got)
    assert not [one for one in got["findings"] if one["kind"] == "no_input"]


def test_a_cohort_whose_files_are_mostly_unreadable_is_stopped(report, tmp_path):
    for n in range(ROWS):
        (tmp_path / f"{n}.png").write_bytes(b"not a picture")
    got = report(image=[f"{n}.png" for n in range(ROWS)], age=[""] * ROWS)

    assert finding(got, "unreadable")["severity"] == "stop"
    assert finding(got, "no_input")["rows"] == list(range(ROWS))
