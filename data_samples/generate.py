"""Make a cohort of made-up patients in six modalities, as files in the layout of a hospital.

    python data_samples/generate.py OUT --cases 300 --seed 0 --workers 2

writes OUT/manifest.csv and the folders it points to. The same seed gives the same cases, however
many are made and on however many processes.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

if not __package__:  # run as a script: the package is found from the folder above
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from data_samples.generator import clip, film, monitor, note, sound, table
from data_samples.generator.state import (
    INTERCEPT,
    SEVERITIES,
    SIGNS,
    WEIGHTS,
    State,
    best_auroc,
    case_rng,
    draw_states,
)

__all__ = ["best_auroc", "generate", "new_patient"]

LABEL = "label_deterioration"
FOLDERS = ("films", "monitor", "breath_sounds", "echo", "notes")
SITES = ("north", "harbour", "valley")
COLUMNS = (
    "case_id",
    "patient_id",
    "site",
    "age_band",
    *table.COLUMNS,
    "film",
    "device_log",
    "breath_sound",
    "echo_clip",
    "note_file",
    LABEL,
)
CAUSES = {
    "lung": "opacity",
    "airway": "obstruction",
    "heart": "cardiac",
    "infection": "inflammation",
}
TREATMENTS = {"oxygen": "hypoxia", "antibiotics": "inflammation", "diuretics": "cardiac"}


def generate(
    folder: Path,
    cases: int = 60,
    seed: int = 0,
    workers: int = 1,
    more_labels: bool = False,
    latents: Path | None = None,
) -> Path:
    """Write a cohort into `folder` and return the path of its manifest.

    `more_labels` adds outcome columns for other kinds of task, named other_label_…: severity
    (regression), cause (multiclass), and three treatments (multilabel). `latents` is where to
    write the hidden state of each case, for benchmarks; keep it away from the cohort.

    Raises ValueError if there is no case to make.
    """
    if cases < 1:
        raise ValueError(f"cases is {cases}; there must be at least one")
    for name in FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    states = draw_states(cases, seed)
    make = partial(_write_case, folder, seed, more_labels)
    manifest = folder / "manifest.csv"
    if workers > 1:
        # a fresh interpreter each: a fork of a process with threads (torch, tests) may hang
        fresh = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=fresh) as pool:
            _write_rows(manifest, pool.map(make, states, chunksize=4))
    else:
        _write_rows(manifest, map(make, states))
    if latents is not None:
        _write_rows(latents, map(_hidden, states))
    return manifest


def new_patient(folder: Path, seed: int) -> None:
    """Write one patient with all six modalities and no outcome: a file of each, no manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    state = next(state for state in draw_states(1000, seed) if len(state.present) == len(SIGNS))
    rng = case_rng(seed, state.index, 1)
    film.write(folder / "film.dcm", state, "north", rng)
    note.write(folder / "note.txt", state, rng)
    sound.write(folder / "breath_sound.wav", state, "north", rng)
    clip.write(folder / "echo_clip.mp4", state, "north", rng)
    (folder / monitor.write(folder, state, "north", rng)).rename(folder / "monitor.csv")
    _write_rows(folder / "blood_results.csv", [table.row(state, rng)])


def _write_case(folder: Path, seed: int, more_labels: bool, state: State) -> dict[str, str]:
    """Write the files of one case and return its row of the manifest."""
    rng = case_rng(seed, state.index, 1)
    site = str(rng.choice(SITES, p=[0.4, 0.35, 0.25]))
    row = dict.fromkeys(COLUMNS, "")
    row |= {"case_id": state.case_id, "patient_id": state.person.patient_id, "site": site}
    row |= {"age_band": table.age_band(state.person.age)} | table.row(state, rng)
    if "film" in state.present:
        row["film"] = f"films/{state.case_id}.dcm"
        film.write(folder / row["film"], state, site, rng)
    if "monitor" in state.present:
        row["device_log"] = f"monitor/{monitor.write(folder / 'monitor', state, site, rng)}"
    if "sound" in state.present:
        row["breath_sound"] = f"breath_sounds/{state.case_id}.wav"
        sound.write(folder / row["breath_sound"], state, site, rng)
    if "clip" in state.present:
        row["echo_clip"] = f"echo/{state.case_id}.mp4"
        clip.write(folder / row["echo_clip"], state, site, rng)
    if "note" in state.present:
        row["note_file"] = f"notes/{state.case_id}.txt"
        note.write(folder / row["note_file"], state, rng)
    row[LABEL] = str(int(state.deteriorates))
    return row | (_other_labels(state, rng) if more_labels else {})


def _other_labels(state: State, rng: np.random.Generator) -> dict[str, str]:
    """Outcomes for the other kinds of task, each from the same hidden state with some chance."""
    severity = dict(zip(SEVERITIES, state.severities, strict=True))
    score = 50 + 11 * (WEIGHTS @ state.severities) / np.sqrt(2) + 4 * rng.standard_normal()
    driver = {cause: severity[s] + 0.3 * rng.standard_normal() for cause, s in CAUSES.items()}
    row = {
        "other_label_severity": f"{np.clip(score, 0, 100):.1f}",
        "other_label_cause": max(driver, key=lambda cause: driver[cause]),
    }
    for treatment, reason in TREATMENTS.items():
        given = severity[reason] + 0.5 * rng.standard_normal() > 0.3
        row[f"other_label_{treatment}"] = str(int(given))
    return row


def _hidden(state: State) -> dict[str, str]:
    """The hidden state of one case as a row."""
    row = {"case_id": state.case_id, "log_odds": f"{INTERCEPT + WEIGHTS @ state.severities:.6f}"}
    row |= {f"severity_{s}": f"{v:.6f}" for s, v in zip(SEVERITIES, state.severities, strict=True)}
    for modality, (main, side) in SIGNS.items():
        row[f"{modality}_{main}"] = f"{state.signs[modality][0]:.6f}"
        row[f"{modality}_{side}"] = f"{state.signs[modality][1]:.6f}"
    return row | {"present": " ".join(sorted(state.present))}


def _write_rows(path: Path, rows: Iterable[dict[str, str]]) -> None:
    filled = list(rows)
    with path.open("w", newline="", encoding="utf-8") as file:
        table_file = csv.DictWriter(file, filled[0], lineterminator="\n")
        table_file.writeheader()
        table_file.writerows(filled)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Make a cohort of made-up patients.")
    parser.add_argument("folder", type=Path, nargs="?", help="where to write it")
    parser.add_argument("--cases", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--more-labels", action="store_true", help="add other_label_… columns")
    parser.add_argument("--latents", type=Path, help="also write the hidden state to this CSV")
    parser.add_argument("--new-patient", action="store_true", help="one patient, no outcome")
    parser.add_argument("--best", action="store_true", help="print the best possible AUROCs")
    options = parser.parse_args(arguments)
    if options.best:
        for name, value in best_auroc().items():
            print(f"{name:12s} {value:.3f}")
    if options.folder is None:
        if not options.best:
            parser.error("say where to write the cohort")
    elif options.new_patient:
        new_patient(options.folder, options.seed)
    else:
        made = generate(
            options.folder,
            options.cases,
            options.seed,
            options.workers,
            options.more_labels,
            options.latents,
        )
        print(f"{options.cases} cases in {made}")


if __name__ == "__main__":
    main()
