"""From manifest to cohort: sources, patients kept together, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fmstudio.cohort import build_cohort, file_hashes, make_task, propose_roles, read_manifest
from fmstudio.errors import InputError
from fmstudio.types import Source

ROWS = 30
SICK = ["0", "1", "1"] * 10


def people(count: int = ROWS) -> list[str]:
    return [f"P{number:03d}" for number in range(count)]


@pytest.fixture
def build(manifest):
    """build(columns…) -> the cohort, with proposed roles unless `roles` changes them."""

    def build(kind="binary", roles=(), seed=0, require_label=True, **columns):
        columns = {"age": [str(n % 7 + 40) for n in range(ROWS)], "label": SICK} | columns
        got = manifest(**columns)
        chosen = {r.column: r.role for r in propose_roles(got, "label")} | dict(roles)
        task = make_task(got, chosen, kind)
        return build_cohort(got, chosen, task, "test", seed, require_label)

    return build


def assert_no_patient_is_on_two_sides(manifest, label):
    roles = {role.column: role.role for role in propose_roles(manifest, label)}
    cohort = build_cohort(manifest, roles, make_task(manifest, roles, "binary"), "cohort")
    splits: dict[str, set] = {}
    for case in cohort.cases:
        splits.setdefault(case.patient_id, set()).add(case.split)

    assert len(cohort.cases) == len(manifest.rows)
    assert all(len(found) == 1 for found in splits.values())
    for name in ("train", "validation", "test"):
        assert {case.target for case in cohort.split(name)} == {0.0, 1.0}


def test_a_patient_of_the_sample_cohort_is_in_one_split_only():
    folder = Path(__file__).parents[2] / "data_samples" / "cohort"

    assert_no_patient_is_on_two_sides(read_manifest(folder / "manifest.csv"), "label_deterioration")


@pytest.mark.parametrize("seed", range(3))
def test_a_patient_with_many_visits_is_in_one_split_only(manifest, seed):
    rng = np.random.default_rng(seed)
    visits = np.repeat(np.arange(60), rng.geometric(0.4, 60))
    assert_no_patient_is_on_two_sides(
        manifest(
            case_id=[f"c{n:03}" for n in range(len(visits))],
            patient_id=[f"p{who:03}" for who in visits],
            age=[str(40 + who % 40) for who in visits],
            label_murmur=[str(int(who % 3 == 0)) for who in visits],
        ),
        "label_murmur",
    )


@pytest.mark.parametrize(
    "folder",
    ["covid_cxr", "circor_heart_sounds", "pocus_lung_ultrasound", "pneumoniamnist_28"],
)
def test_a_patient_of_a_real_cohort_is_in_one_split_only(shared, folder):
    manifest = read_manifest(shared / "data" / folder / "manifest.csv")
    label = next(c for c in manifest.columns if c.startswith("label_"))

    assert_no_patient_is_on_two_sides(manifest, label)


def test_each_cell_becomes_a_source_and_an_empty_one_none(build, tmp_path):
    for name in ("a.flac", "b.flac"):
        (tmp_path / name).write_bytes(b"x")
    blank = [""] * (ROWS - 2)
    cohort = build(
        heart_sound=["a.flac; b.flac", "", *blank],
        lung_sound=["b.flac", "NA", *blank],
        note=["Coughs at night.", "None", *["No complaint since."] * (ROWS - 2)],
        sex=["M", "", *["F"] * (ROWS - 2)],
        roles={"heart_sound": "audio", "lung_sound": "audio", "note": "notes"},
    )
    first, second = cohort.cases[:2]

    assert first.sources["audio"] == (
        Source("heart_sound", tmp_path / "a.flac"),
        Source("heart_sound", tmp_path / "b.flac"),
        Source("lung_sound", tmp_path / "b.flac"),
    )
    assert first.sources["notes"] == (Source("note", text="Coughs at night."),)
    assert first.sources["ehr"] == (Source("age", text="40"), Source("sex", text="M"))
    assert "audio" not in second.sources
    assert second.sources["notes"] == (Source("note", text="None"),)
    assert second.sources["ehr"] == (Source("age", text="41"),)
    assert set(cohort.modalities) == {"audio", "notes", "ehr"}


def test_a_note_may_be_the_path_of_a_file(build, tmp_path):
    (tmp_path / "n.txt").write_text("Well.")
    cohort = build(note=["n.txt"] * ROWS)

    assert cohort.cases[0].sources["notes"] == (Source("note", path=tmp_path / "n.txt"),)


def test_rows_without_label_or_without_any_input_are_set_aside(build):
    label = ["", "NA", *SICK[2:]]
    age = [*["50"] * (ROWS - 1), ""]
    cohort = build(label=label, age=age, weight=[*["70", "80"] * 14, "90", ""])

    assert cohort.set_aside == (0, 1, ROWS - 1)
    assert len(cohort.cases) == ROWS - 3
    assert cohort.cases[0].row == 2


def test_without_case_and_patient_columns_each_row_is_a_case_and_a_patient(build):
    cohort = build()

    assert cohort.cases[4].case_id == "case-4"
    assert cohort.cases[4].patient_id == "case-4"


def test_ids_stay_text(build):
    cohort = build(case_id=[f"{n:03d}" for n in range(ROWS)])

    assert cohort.cases[1].case_id == "001"


def test_groups_are_kept_beside_the_inputs(build):
    cohort = build(sex=["M", "F"] * 15, roles={"sex": "group,ehr"})

    assert cohort.cases[0].groups == {"sex": "M"}
    assert Source("sex", text="M") in cohort.cases[0].sources["ehr"]
    assert build(sex=["M", "F"] * 15, roles={"sex": "group"}).cases[0].sources["ehr"] == (
        Source("age", text="40"),
    )


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"patient_id": ["P1"] * ROWS}, "All 30 cases are of one patient"),
        ({"patient_id": ["P1", "P2"] * 15}, "All 30 cases are of 2 patients"),
        ({"label": ["0", "1", *[""] * 28]}, "has 2 cases with a label"),
        ({"case_id": ["c1", *people(29)[:28], "c1"]}, r"The case 'c1' is in lines 2, 31"),
        ({"case_id": ["", *people(29)]}, r"Column 'case_id' is empty in line 2"),
        (
            {"film": ["a.dcm", "b.dcm"] * 15},
            r"30 files named in manifest\.csv do not exist: a\.dcm",
        ),
        ({"film": ["../secret.dcm"] * ROWS}, r"'\.\./secret\.dcm' \(line 2\), which is outside"),
        ({"film": ["x/../../y.dcm"] * ROWS}, "outside the manifest's folder"),
        ({"film": ["/etc/film.dcm"] * ROWS}, "outside the manifest's folder"),
        ({"film": ["C:\\scans\\a.dcm"] * ROWS}, "outside the manifest's folder"),
        ({"film": ["http://host/a.dcm"] * ROWS}, "outside the manifest's folder"),
        (
            {"age": [*["50", "61.5"] * 14, "sixty", "70"]},
            r"Column 'age' holds numbers, but text in line 30: 'sixty'",
        ),
        ({"label": ["1", "1", *["0"] * 28]}, "Only 2 patients have 'label' = '1'"),
        ({"split": ["train", "tset", *["test"] * 28]}, r"holds 'tset' \(line 3\)"),
        ({"split": ["test"] * ROWS}, "no case in train"),
    ],
)
def test_what_cannot_be_learned_from_is_refused_naming_the_place(build, columns, message):
    forced = {name: "split" for name in columns if name == "split"}
    with pytest.raises(InputError, match=message) as caught:
        build(**columns, roles=forced)

    assert caught.value.hint


def test_a_manifest_without_any_input_is_refused(build):
    with pytest.raises(InputError, match=r"No column of manifest\.csv holds an input"):
        build(roles={"age": "ignore"})


def test_words_for_missing_and_bounds_are_no_text_among_numbers(build):
    cells = ["50", "61.5", "<0.5", "NA", "unknown", "-", "?", "nan", "", "37,2", "38 °C"]

    assert build(age=[*cells, *["50"] * (ROWS - len(cells))])


def test_a_category_with_a_number_among_its_values_is_still_a_category(build):
    assert build(stage=["I", "II", "3"] * 10)


def test_given_splits_are_used_as_they_are(build):
    given = ["training", "Valid", "TEST"] * 10
    cohort = build(split=given, label=["0", "0", "0", "1", "1", "1"] * 5)

    assert [case.split for case in cohort.cases[:3]] == ["train", "validation", "test"]
    assert cohort.remarks == ()


@pytest.mark.parametrize(("given", "lacking"), [("test", "validation"), ("validation", "test")])
def test_a_missing_part_is_taken_from_train_and_said(build, given, lacking):
    cohort = build(split=[*["train"] * 24, *[given] * 6])

    assert {case.split for case in cohort.cases[24:]} == {given}
    assert len(cohort.split(lacking)) == 6
    assert f"no {lacking}: taken from the patients of train" in cohort.remarks[0]


def test_a_patient_in_two_given_splits_is_refused_by_name(build):
    with pytest.raises(InputError, match=r"1 patients are in more than one split.*: P000"):
        build(
            patient_id=["P000", "P000", *people()[2:]],
            split=["train", "validation", "test"] * 10,
            roles={"split": "split"},
        )


def test_all_cases_of_a_patient_share_a_split_whatever_the_seed(build):
    patients = [f"P{n // 2}" for n in range(ROWS)]
    for seed in range(5):
        cohort = build(patient_id=patients, label=["0", "1"] * 15, seed=seed)
        pairs = zip(cohort.cases[::2], cohort.cases[1::2], strict=True)
        assert all(a.split == b.split for a, b in pairs)


def test_numbers_are_learned_from_and_stratified(build):
    cohort = build(kind="regression", label=[str(n * 1.5) for n in range(ROWS)])

    assert cohort.cases[2].target == 3.0
    assert [len(cohort.split(name)) for name in ("train", "validation", "test")] == [18, 6, 6]


def test_cases_to_predict_need_neither_label_nor_files_nor_number(manifest):
    task = make_task(manifest(label=["0", "1"]), {"label": "label"}, "binary")
    got = manifest(case_id=["a", "b"], film=["gone.dcm", ""], age=["50", "sick"])
    roles = {"case_id": "case_id", "film": "radiology", "age": "ehr"}
    cohort = build_cohort(got, roles, task, "new", require_label=False)

    assert [case.case_id for case in cohort.cases] == ["a", "b"]
    assert [case.target for case in cohort.cases] == [None, None]
    assert cohort.cases[0].sources["radiology"][0].path.name == "gone.dcm"
    assert cohort.set_aside == ()


def test_the_fingerprint_changes_with_manifest_roles_and_files_and_with_nothing_else(
    build, tmp_path
):
    film = tmp_path / "a.png"
    film.write_bytes(b"one")
    columns = {"image": ["a.png"] * ROWS}
    first = build(**columns).fingerprint

    assert build(**columns).fingerprint == first
    assert build(**columns, seed=5).fingerprint == first
    assert build(**columns, roles={"age": "ignore"}).fingerprint != first
    assert build(**columns, age=["50"] * 29 + ["51"]).fingerprint != first
    film.write_bytes(b"two")
    assert build(**columns).fingerprint != first


def write_record(folder, samples):
    """A WFDB record of one signal of 16 bits; its header does not change with the samples."""
    (folder / "a.hea").write_text("a 1 100 4\na.dat 16 200 16 0 0 0 0 ECG\n")
    (folder / "a.dat").write_bytes(bytes(samples))


def test_the_signals_that_a_header_names_are_part_of_the_fingerprint(build, tmp_path):
    write_record(tmp_path, range(8))
    columns = {"ecg_signal": ["a.hea"] * ROWS}
    first = build(**columns)
    write_record(tmp_path, range(1, 9))
    second = build(**columns)

    assert second.fingerprint != first.fingerprint
    assert len(file_hashes(second.cases[0])["device_logs"]) == 2


def test_hashes_of_a_case_tell_files_apart_and_hide_short_values(build, tmp_path):
    (tmp_path / "a.png").write_bytes(b"abc")
    case = build(image=["a.png"] * ROWS, sex=["M", "F"] * 15).cases[0]
    hashes = file_hashes(case)

    # FIPS 180-2, appendix B.1: the SHA-256 of "abc".
    assert hashes["radiology"] == [
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    ]
    assert len(hashes["ehr"]) == 1
