"""Proposed roles: right for every real cohort, and with a reason for each column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fmstudio.cohort import check_roles, propose_roles, read_manifest
from fmstudio.contracts import pipelines
from fmstudio.errors import InputError

# What a person would choose; every column that is not named here is a table value.
EXPECTED = {
    "circor_heart_sounds": (
        "label_murmur",
        {
            "audio": ["audio_AV", "audio_PV", "audio_TV", "audio_MV"],
            "ignore": ["META_murmur_locations_LEAKY", "META_systolic_grading_LEAKY"],
        },
    ),
    "covid_cxr": (
        "label_covid",
        {
            "radiology": ["image"],
            "notes": ["note_masked"],
            "ignore": ["leukocytes", "neutrophils", "finding", "survival", "license"],
        },
    ),
    "depresjon_actigraphy": (
        "label_depressed",
        {
            "device_logs": ["device_log"],
            "ignore": [
                "n_minutes",
                "REC_days_LEAKY",
                "MADRS_start_LEAKY",
                "MADRS_end_LEAKY",
                "afftype_LEAKY",
                "inpatient_LEAKY",
                "marriage_LEAKY",
                "work_LEAKY",
                "source_id_LEAKY",
            ],
        },
    ),
    "donateacry_negative_control": ("label_hungry", {"audio": ["audio"], "ignore": ["reason"]}),
    "mts_dialog_notes": (
        "label_section",
        {
            "notes": ["dialogue", "note"],
            "ignore": ["orig_split"],
        },
    ),
    "physionet2012_icu": (
        "label_in_hospital_death",
        {
            "device_logs": ["device_log"],
            "ignore": [
                "SCORE_saps1",
                "SCORE_sofa",
                "OUTCOME_los_days_LEAKY",
                "OUTCOME_survival_days_LEAKY",
            ],
        },
    ),
    "pneumoniamnist_28": ("label_pneumonia", {"radiology": ["image"], "split": ["orig_split"]}),
    "pocus_lung_ultrasound": (
        "label_pathological",
        {
            "video": ["video"],
            "notes": ["note_masked"],
            "ignore": ["label", "license", "source_filename_LEAKY", "source_url"],
        },
    ),
    "shanghai_diabetes_cgm": (
        "label_any_complication",
        {
            "device_logs": ["device_log"],
            "notes": ["note"],
            "ignore": [
                "label_macrovascular",
                "label_microvascular",
                "label_type1",
                "label_hypoglycemia",
                "COMPL_text_LEAKY",
                "REC_n_readings_LEAKY",
            ],
        },
    ),
}


def assert_each_column_is(manifest, label, named):
    """Every column has its expected role, a reason, and a modality where it is an input."""
    expected = dict.fromkeys(manifest.columns, "ehr")
    expected |= {"case_id": "case_id", "patient_id": "patient_id", label: "label"}
    expected |= {column: role for role, columns in named.items() for column in columns}

    proposed = propose_roles(manifest, label)

    assert {role.column: role.role for role in proposed} == expected
    assert all(role.reason for role in proposed)
    assert all((role.modality is not None) == (role.role in pipelines()) for role in proposed)


def test_every_column_of_the_sample_cohort_is_taken_for_what_it_is():
    folder = Path(__file__).parents[2] / "data_samples" / "cohort"

    assert_each_column_is(
        read_manifest(folder / "manifest.csv"),
        "label_deterioration",
        {
            "radiology": ["film"],
            "device_logs": ["device_log"],
            "audio": ["breath_sound"],
            "video": ["echo_clip"],
            "notes": ["note_file"],
            "group": ["site", "age_band"],
        },
    )


def test_columns_as_studies_name_them_are_taken_for_what_they_are(manifest):
    count, rng = 60, np.random.default_rng(3)
    sick = rng.integers(0, 2, count)
    numbers = rng.normal(60, 10, count).round(1)
    words = ["cough", "fever", "no", "pain", "at", "night", "since", "monday", "breathless"]
    columns = {
        "case_id": [f"c{n:03}" for n in range(count)],
        "patient_id": [f"p{n:03}" for n in range(count)],
        "age": [str(int(number)) for number in numbers],
        "sex": ["F" if n % 3 else "M" for n in range(count)],
        "hba1c_pct": [str(round(number / 9, 1)) for number in numbers],
        "image": [f"images/{n}.png" for n in range(count)],
        "audio_AV": [f"sounds/{n}_AV.flac" for n in range(count)],
        "video": [f"clips/{n}.mp4" for n in range(count)],
        "cgm_log": [f"logs/{n}.csv" for n in range(count)],
        "note": [" ".join(rng.choice(words, 12)) + "." for _ in range(count)],
        "orig_split": [("train", "validation", "test")[n % 3] for n in range(count)],
        "license": ["CC BY 4.0"] * count,
        "OUTCOME_los_days_LEAKY": [str(int(3 + 9 * one)) for one in sick],
        "label_death": [str(one) for one in sick],
        "label_readmitted": [str(one) for one in rng.integers(0, 2, count)],
    }

    assert_each_column_is(
        manifest(**columns),
        "label_death",
        {
            "radiology": ["image"],
            "audio": ["audio_AV"],
            "video": ["video"],
            "notes": ["note"],
            "device_logs": ["cgm_log"],
            "split": ["orig_split"],
            "ignore": ["license", "OUTCOME_los_days_LEAKY", "label_readmitted"],
        },
    )


@pytest.mark.parametrize("folder", EXPECTED)
def test_every_column_of_a_real_cohort_is_taken_for_what_it_is(shared, folder):
    label, named = EXPECTED[folder]

    assert_each_column_is(read_manifest(shared / "data" / folder / "manifest.csv"), label, named)


def role_of(manifest, column, label="label", **more):
    return next(r for r in propose_roles(manifest, label, **more) if r.column == column)


def test_a_proposal_shows_examples_and_how_much_is_filled(manifest):
    got = role_of(manifest(age=["61", "", "NA", "61"], label=["0", "1", "0", "1"]), "age")

    assert (got.filled, got.distinct, got.examples) == (2, 1, ("61",))


def test_an_ending_that_several_pipelines_read_goes_by_the_columns_name(manifest):
    shots = manifest(
        cine=["a.dcm", "b.dcm"],
        chest_film=["c.dcm", "d.dcm"],
        monitor=["e.csv", "f.csv"],
        labs=["g.csv", "h.csv"],
        label=["0", "1"],
    )

    assert role_of(shots, "cine").role == "video"
    assert role_of(shots, "chest_film").role == "radiology"
    assert role_of(shots, "monitor").role == "device_logs"
    assert role_of(shots, "labs").role == "ehr"


def test_a_column_of_paths_is_never_taken_for_text(manifest):
    got = manifest(note=["texts/a.txt", "texts/b.txt; texts/c.txt"], label=["0", "1"])

    assert role_of(got, "note").role == "notes"
    assert role_of(got, "note").reason.startswith("Names .txt files")


def test_identifiers_and_names_of_people_are_never_inputs(manifest):
    rows = 30
    got = manifest(
        accession=[f"A-{n * 7919}" for n in range(rows)],
        row=[str(n) for n in range(rows)],
        patient_name=["Jane Doe", "John Roe"] * 15,
        phone=["123"] * rows,
        label=["0", "1"] * 15,
    )

    for column in ("accession", "row", "patient_name", "phone"):
        assert role_of(got, column).role == "ignore"


def test_without_a_named_label_the_first_that_fits_the_task_is_taken_and_said(manifest):
    got = manifest(
        label=["a", "b", "c", "a"], label_sick=["0", "1", "1", "0"], age=["1", "2", "3", "4"]
    )

    first = role_of(got, "label", label=None)
    assert first.role == "label"
    assert "label_sick" in first.reason
    assert role_of(got, "label_sick", label=None, kind="binary").role == "label"
    assert role_of(got, "label", label=None, kind="binary").role == "ignore"
    both = propose_roles(got, None, kind="multilabel")
    assert [role.role for role in both][:2] == ["label", "label"]


def test_a_label_that_is_no_column_is_refused_with_the_nearest_name(manifest):
    with pytest.raises(InputError, match="no column 'lable_sick'") as caught:
        propose_roles(manifest(label_sick=["0", "1"]), "lable_sick")

    assert "Did you mean 'label_sick'?" in caught.value.hint


def test_a_column_that_tells_the_outcome_in_other_words_is_left_out(manifest):
    got = manifest(label=["0", "1"] * 10, cause=["well", "flu"] * 10, sex=["M", "M", "F", "F"] * 5)

    assert role_of(got, "cause").role == "ignore"
    assert "gives label away" in role_of(got, "cause").reason
    assert role_of(got, "sex").role == "ehr"


def test_places_and_bands_of_a_number_are_groups_to_compare_and_no_inputs(manifest):
    got = manifest(
        label=["0", "1"] * 10,
        age=[str(40 + n) for n in range(20)],
        age_band=(["under 50"] * 10 + ["over"] * 10),
        site=["north", "north", "east", "east"] * 5,
        dose_band=["low", "low", "high", "high"] * 5,
    )

    assert role_of(got, "site").role == "group"
    assert role_of(got, "age_band").role == "group"
    assert role_of(got, "dose_band").role == "ehr"  # nothing else tells the dose


def test_an_unknown_role_or_two_patient_columns_are_refused(manifest):
    got = manifest(a=["1"], b=["2"])

    with pytest.raises(InputError, match="cannot have the role 'genomics'"):
        check_roles(got, {"a": "genomics"})
    with pytest.raises(InputError, match="cannot have the role ''"):
        check_roles(got, {"a": ""})
    with pytest.raises(InputError, match="no column 'c'"):
        check_roles(got, {"c": "ehr"})
    with pytest.raises(InputError, match="Columns a, b all have the role patient_id"):
        check_roles(got, {"a": "patient_id", "b": "patient_id"})
    check_roles(got, {"a": "group,ehr", "b": "ehr"})
