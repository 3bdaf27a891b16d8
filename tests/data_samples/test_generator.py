"""The made-up cohort: readable, repeatable, honest about its ceiling, and visible signs."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
import pytest

from data_samples.generate import COLUMNS, LABEL, generate, new_patient
from data_samples.generator import clip, film, monitor, note, sound
from data_samples.generator.state import SIGNS, auroc, best_auroc, case_rng, draw_states
from fmstudio.contracts import pipelines
from fmstudio.types import Source

SAMPLES = Path(__file__).resolve().parents[2] / "data_samples"
FILES = {
    "film": "radiology",
    "device_log": "device_logs",
    "breath_sound": "audio",
    "echo_clip": "video",
    "note_file": "notes",
}


def rows(manifest: Path) -> list[dict[str, str]]:
    with manifest.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory) -> Path:
    return generate(tmp_path_factory.mktemp("cohort"), cases=14, seed=3)


def test_every_file_of_a_cohort_is_there_and_read_by_its_pipeline(cohort):
    read = Counter()
    for row in rows(cohort):
        for column, modality in FILES.items():
            if row[column]:
                source = Source(column, path=cohort.parent / row[column])
                assert not pipelines()[modality].read([source]).empty
                read[modality] += 1

    assert set(read) == set(FILES.values())
    listed = {row[column] for row in rows(cohort) for column in FILES if row[column]}
    written = {name.replace(".dat", ".hea") for name in content(cohort.parent)}
    assert listed == written - {"manifest.csv"}


def test_monitors_export_both_tables_and_wfdb_records(cohort):
    endings = {Path(row["device_log"]).suffix for row in rows(cohort)}

    assert {".csv", ".hea"} <= endings


def test_the_same_seed_gives_the_same_bytes_on_one_process_or_two_and_in_a_larger_cohort(
    cohort, tmp_path
):
    generate(tmp_path, cases=6, seed=3, workers=2)
    small, large = content(tmp_path), content(cohort.parent)
    del small["manifest.csv"]

    assert all(large[name] == data for name, data in small.items())
    assert rows(tmp_path / "manifest.csv") == rows(cohort)[:6]


def test_another_seed_gives_other_patients(cohort, tmp_path):
    other = rows(generate(tmp_path, cases=2, seed=4))

    assert other[0]["patient_id"] != rows(cohort)[0]["patient_id"]
    assert other[0]["crp_mg_l"] != rows(cohort)[0]["crp_mg_l"]


def test_films_carry_made_up_identifiers_that_say_so(cohort):
    for path in (cohort.parent / "films").iterdir():
        image = pydicom.dcmread(path)
        assert str(image.PatientName).startswith("SAMPLE^")
        assert image.PatientID.startswith("SAMPLE-")
        for uid in (image.SOPInstanceUID, image.StudyInstanceUID, image.SeriesInstanceUID):
            assert uid.is_valid
            assert uid.startswith("2.25.")


def test_modalities_are_missing_in_some_cases_but_never_all_of_them():
    states = draw_states(2000, seed=0)

    for modality in SIGNS:
        missing = np.mean([modality not in state.present for state in states])
        assert 0.08 < missing < 0.17
    assert all(state.present for state in states)


def test_a_third_of_the_cases_deteriorate_and_a_few_patients_return():
    states = draw_states(2000, seed=0)
    cases = Counter(state.person.patient_id for state in states)

    assert 0.32 < np.mean([state.deteriorates for state in states]) < 0.39
    assert 0.03 < np.mean([count > 1 for count in cases.values()]) < 0.12
    assert max(cases.values()) == 2


def test_no_single_modality_suffices_and_all_together_nearly_do():
    best = best_auroc(60_000, seed=1)
    singles = [best[modality] for modality in SIGNS]

    assert 0.90 < best["severities"] < 0.94
    assert best["severities"] > best["signs"] > best["cohort"] > max(singles) + 0.15
    assert all(0.66 < single < 0.72 for single in singles)


def test_the_drawn_outcomes_keep_to_the_stated_ceiling():
    states = draw_states(3000, seed=8)
    outcome = np.array([state.deteriorates for state in states])

    assert auroc(outcome, np.array([state.risk for state in states])) == pytest.approx(
        0.927, abs=0.015
    )


def test_the_readme_states_the_ceilings_that_the_generator_computes():
    text = (SAMPLES / "README.md").read_text(encoding="utf-8")

    for name, value in best_auroc().items():
        assert f"{value:.3f}" in text, f"{name} {value:.3f}"


def test_notes_never_tell_the_outcome():
    told = ("deteriorat", "worse", "intensive care", "icu", "intubat", "died", "death", "label")
    for state in draw_states(200, seed=2):
        text = note.compose(state, case_rng(2, state.index, 1)).lower()
        assert not [word for word in told if word in text.replace("difficult", "")]


def test_more_burden_reads_as_worse_breathlessness():
    assert "no breathlessness" in note.TOPICS["Breathing"][0]
    rng = np.random.default_rng(0)
    well = {note._phrase(note.TOPICS["Breathing"], -2.5, rng) for _ in range(20)}
    ill = {note._phrase(note.TOPICS["Breathing"], 2.5, rng) for _ in range(20)}

    assert well == set(note.TOPICS["Breathing"][0].split("|"))
    assert ill == set(note.TOPICS["Breathing"][-1].split("|"))


def over(signs: tuple[float, float], measure) -> list[float]:
    """Mean of a measure over twelve draws, for a low and a high sign."""
    return [np.mean([measure(sign, np.random.default_rng(k)) for k in range(12)]) for sign in signs]


def test_consolidation_whitens_the_lower_zones():
    def lower_zones(sign, rng):
        chest = film.chest(sign, 0.0, side=96, habitus=0.0, rng=rng)
        return (
            chest[52:66, 20:40].mean() + chest[52:66, 62:78].mean() - 2 * chest[20:34, 20:40].mean()
        )

    healthy, ill = over((-1.5, 1.5), lower_zones)
    assert ill > healthy + 0.2


def test_a_weak_heart_moves_its_wall_less():
    def beat(sign, rng):
        frames = clip.beating_heart(sign, 0.0, side=64, rng=rng)
        dark = (frames[:, 12:25, 29:46] < 60).sum((1, 2))  # the cavity below the apex
        return np.ptp(dark) / dark.max()

    strong, weak = over((-1.5, 1.5), beat)
    assert clip.ejection_fraction(-1.5) > 0.6 > 0.3 > clip.ejection_fraction(1.5)
    assert strong > 1.5 * weak


def test_obstruction_wheezes_between_200_and_800_hz_while_breathing_out():
    def tonality(sign, rng):
        spectrum = np.abs(np.fft.rfft(sound.breathing(sign, -3.0, rng))) ** 2
        band = spectrum[int(200 * sound.SECONDS) : int(800 * sound.SECONDS)]
        return np.log10(band.max() / np.median(band))

    clear, wheezy = over((-2.0, 2.0), tonality)
    assert wheezy > clear + 1


def test_hypoxia_lowers_saturation_and_makes_it_dip():
    seconds = np.arange(0, 480, 2.0)

    def saturation(sign, rng):
        return monitor.vital_signs(sign, 0.0, seconds, rng)[:, 1].min()

    healthy, ill = over((-1.5, 1.5), saturation)
    assert ill < healthy - 5


def test_other_labels_come_only_when_asked_for(cohort, tmp_path):
    more = rows(generate(tmp_path, cases=12, seed=3, more_labels=True))

    assert not [name for name in rows(cohort)[0] if name.startswith("other_label_")]
    assert len([name for name in more[0] if name.startswith("other_label_")]) == 5
    assert {row["other_label_cause"] for row in more} <= {"lung", "airway", "heart", "infection"}
    assert all(0 <= float(row["other_label_severity"]) <= 100 for row in more)


def test_zero_cases_are_refused(tmp_path):
    with pytest.raises(ValueError, match="cases is 0"):
        generate(tmp_path / "none", cases=0)

    assert not (tmp_path / "none").exists()


def test_the_command_writes_a_cohort_and_the_hidden_state_apart_from_it(tmp_path):
    command = [sys.executable, SAMPLES / "generate.py", tmp_path / "out", "--cases", "2"]
    subprocess.run([*command, "--latents", tmp_path / "hidden.csv"], check=True, cwd=tmp_path)

    hidden = rows(tmp_path / "hidden.csv")
    assert [row["case_id"] for row in hidden] == [
        row["case_id"] for row in rows(tmp_path / "out" / "manifest.csv")
    ]
    assert "severity_opacity" in hidden[0]
    assert not [name for name in content(tmp_path / "out") if "hidden" in name]


def test_the_sample_cohort_is_the_one_the_readme_says_it_is():
    shipped = rows(SAMPLES / "cohort" / "manifest.csv")
    states = draw_states(60, seed=262)

    assert tuple(shipped[0]) == COLUMNS
    assert [row[LABEL] for row in shipped] == [str(int(state.deteriorates)) for state in states]
    assert [row["patient_id"] for row in shipped] == [state.person.patient_id for state in states]
    for row, state in zip(shipped, states, strict=True):
        assert bool(row["film"]) == ("film" in state.present)
        for column in FILES:
            assert (SAMPLES / "cohort" / row[column]).exists()
    assert all(shipped[0][column] for column in FILES), "the first case shows all modalities"


def test_the_samples_stay_small():
    size = sum(path.stat().st_size for path in SAMPLES.rglob("*") if path.is_file())

    assert size < 12e6


def test_the_new_patient_has_every_modality_and_no_outcome(tmp_path):
    new_patient(tmp_path, seed=2027)
    names = {path.name for path in (SAMPLES / "new_patient").iterdir()}

    assert names == {path.name for path in tmp_path.iterdir()}
    table = rows(SAMPLES / "new_patient" / "blood_results.csv")
    assert len(table) == 1
    assert not [name for name in table[0] if "label" in name]
    suffixes = {modality: pipelines()[modality].suffixes for modality in pipelines()}
    for modality, endings in suffixes.items():
        assert [name for name in names if Path(name).suffix in endings], modality
