"""Whom a base may learn from: everybody who is not held out, with or without a label."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fmstudio.cohort import build_cohort, make_task, propose_roles, read_manifest
from fmstudio.errors import InputError
from fmstudio.pretrain_config import PretrainConfig
from fmstudio.pretraining.cases import further_cases, gather
from fmstudio.records import CohortRecord, ProjectRecord
from fmstudio.settings import Settings

NOTE = "Cough and fever for {} days, the chest is clear on day {}."


def write(folder: Path, rows: list[dict[str, object]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder / "manifest.csv"


def row(number: int, label: object, patient: str | None = None) -> dict[str, object]:
    return {
        "case_id": f"c{number}",
        "patient_id": patient or f"p{number}",
        "age": 30 + number % 40,
        "crp": number * 1.5,
        "note_file": f"n{number}.txt",
        "label_ill": label,
    }


@pytest.fixture
def made(tmp_path):
    """60 labelled cases, 20 without a label, three of those of a patient who has labelled ones."""
    rows = [row(n, n % 2) for n in range(60)]
    rows += [row(n, "") for n in range(60, 77)]
    rows += [row(n, "", patient=f"p{n - 77}") for n in range(77, 80)]
    path = write(tmp_path / "cohort", rows)
    for one in rows:
        number = str(one["case_id"])[1:]
        (path.parent / f"n{number}.txt").write_text(NOTE.format(number, number))
    manifest = read_manifest(path)
    roles = {c.column: c.role for c in propose_roles(manifest)}
    task = make_task(manifest, roles, "binary")
    cohort = build_cohort(manifest, roles, task, "made")
    now = datetime.now(UTC)
    record = CohortRecord(1, 1, "made", str(path), roles, cohort.fingerprint, {}, now)
    return Settings(tmp_path / "home"), ProjectRecord(1, "ill", task, now), record, cohort


def config(**changes) -> PretrainConfig:
    return PretrainConfig(name="new", **changes)


def test_training_patients_and_unlabelled_ones_are_learned_from_and_held_out_ones_are_not(made):
    settings, project, record, cohort = made
    found = gather(settings, project, record, config())
    learned = {case.patient_id for case in found.cases}
    held_out = {case.patient_id for case in cohort.cases if case.split != "train"}

    assert {case.patient_id for case in cohort.split("train")} <= learned
    assert {f"p{n}" for n in range(60, 77)} <= learned
    assert not learned & held_out
    extra = [n for n in range(3) if f"p{n}" in held_out]
    assert found.counts["cases without a label"] == 20 - len(extra)
    assert found.counts["left out"] == len(extra)
    assert found.labelled.fingerprint == cohort.fingerprint


def test_a_further_table_needs_no_labels_and_brings_no_held_out_file_under_another_name(
    made, tmp_path
):
    settings, project, record, cohort = made
    hidden = next(case for case in cohort.cases if case.split == "test")
    seen = next(iter(source.path for source in hidden.sources["notes"]))
    rows = [{"id": f"x{n}", "age": 50, "note_file": f"m{n}.txt"} for n in range(30)]
    path = write(tmp_path / "more", rows)
    for n in range(30):
        (path.parent / f"m{n}.txt").write_text(f"Another hospital writes about patient {n}.")
    (path.parent / "m7.txt").write_bytes(seen.read_bytes())
    _, fingerprint = further_cases(path, project, record.roles)
    found = gather(settings, project, record, config(manifest=str(path), fingerprint=fingerprint))

    names = {case.case_id for case in found.cases}
    assert {f"x{n}" for n in range(30)} - names == {"x7"}
    assert found.counts["cases of the further table"] == 29


def test_rows_without_names_are_not_taken_for_patients_of_the_cohort(made, tmp_path):
    settings, project, _, _ = made
    path = write(tmp_path / "more", [{"age": n, "crp": 2 * n} for n in range(40)])
    cases, fingerprint = further_cases(path, project, {})
    found = gather(settings, project, None, config(manifest=str(path), fingerprint=fingerprint))

    assert cases[3].patient_id == "manifest: case-3"
    assert (found.labelled, len(found.cases)) == (None, 40)


def test_a_table_that_changed_is_refused(made, tmp_path):
    settings, project, record, _ = made
    path = write(tmp_path / "more", [{"case_id": f"y{n}", "age": n} for n in range(40)])
    asked = config(manifest=str(path), fingerprint=further_cases(path, project, record.roles)[1])
    path.write_text(path.read_text().replace("y3,3", "y3,4"))

    with pytest.raises(InputError, match=r"manifest\.csv or a file that it points to has changed"):
        gather(settings, project, record, asked)


def test_modalities_are_narrowed_and_one_that_nobody_has_is_refused(made):
    settings, project, record, _ = made
    found = gather(settings, project, record, config(modalities=("notes",)))

    assert list(found.modalities) == ["notes"]
    with pytest.raises(InputError, match="has the modality 'audio'"):
        gather(settings, project, record, config(modalities=("audio",)))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "My Base"}, "'My Base' cannot be the name"),
        ({"name": "embedded"}, "'embedded' cannot be the name"),
        ({"epochs": 0}, "Epochs is 0"),
        ({"objectives": ()}, "No objective"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(changes, said):
    with pytest.raises(InputError, match=said):
        PretrainConfig(**{"name": "new", **changes})


def test_settings_come_back_from_json_as_they_were():
    asked = config(modalities=("notes",), objectives=("masked",), epochs=3)

    assert PretrainConfig.from_dict(asked.as_dict()) == asked
