"""Faults planted in a made-up cohort, one of every kind that a cohort report must find.

    plant("mixed_units", folder, seed)

changes the manifest and files of a cohort that `generate.py` wrote, and tells which columns and
rows are at fault.
"""

from __future__ import annotations

import csv
import wave
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image

LABEL = "label_deterioration"
FEW = 4  # files or cells that are spoilt

Rows = list[dict[str, str]]


@dataclass(frozen=True)
class Planted:
    """Where a fault lies: columns, and rows counted from 0; either may be empty."""

    columns: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()


def plant(kind: str, folder: Path, seed: int = 0) -> Planted:
    """Plant one fault. Raises KeyError for a kind that cannot be planted."""
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    planted = FAULTS[kind](folder, rows, np.random.default_rng(seed))
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return planted


def _with(rows: Rows, column: str) -> list[int]:
    return [place for place, row in enumerate(rows) if row[column]]


def _positive(row: Mapping[str, str]) -> bool:
    return row[LABEL] == "1"


def _patient_across_splits(folder: Path, rows: Rows, rng: np.random.Generator) -> Planted:
    for place, row in enumerate(rows):
        row["split"] = ("train", "train", "train", "validation", "test")[place % 5]
    for place in (3, 8):  # the patient before comes back, on the other side
        rows[place]["patient_id"] = rows[place - 1]["patient_id"]
    return Planted(("split", "patient_id"), (2, 3, 7, 8))


def _duplicate_files(folder: Path, rows: Rows, rng: np.random.Generator) -> Planted:
    """Films of other patients, smaller, brighter and compressed."""
    there = _with(rows, "film")
    pairs = [(there[2 * n], there[2 * n + 1]) for n in range(FEW)]
    for source, target in pairs:
        image = pydicom.dcmread(folder / rows[source]["film"])
        pixels = image.pixel_array.astype(float)
        if image.PhotometricInterpretation == "MONOCHROME1":
            pixels = pixels.max() - pixels
        low, high = np.percentile(pixels, [1, 99])
        grey = np.clip((pixels - low) / (high - low), 0, 1) ** 0.9 * 255
        small = Image.fromarray(grey.astype(np.uint8))
        small = small.resize((int(small.width * 0.6), int(small.height * 0.6)))
        rows[target]["film"] = f"films/copy_{target}.jpg"
        small.save(folder / rows[target]["film"], quality=70)
    return Planted(("film",), tuple(sorted(row for pair in pairs for row in pair)))


def _label_in_notes(folder: Path, rows: Rows, rng: np.random.Generator) -> Planted:
    told = [p for p in _with(rows, "note_file") if _positive(rows[p]) and rng.random() < 0.7]
    for place in told:
        path = folder / rows[place]["note_file"]
        path.write_text(f"{path.read_text('utf-8')} Transferred to intensive care.", "utf-8")
    return Planted(("note_file",), tuple(told))


def _column_gives_label(folder: Path, rows: Rows, rng: np.random.Generator) -> Planted:
    for row in rows:
        row["treatment_score"] = f"{4 * _positive(row) + 0.5 * rng.standard_normal():.2f}"
    return Planted(("treatment_score",))


def _after_outcome(folder: Path, rows: Rows, rng: np.random.Generator) -> Planted:
    """A dose that is written down only for those who got worse."""
    for row in rows:
        given = rng.random() < (0.9 if _positive(row) else 0.03)
        row["vasopressor_dose"] = f"{rng.gamma(2, 0.1):.2f}" if given else ""
    return Planted(("vasopressor_dose",))


def _site_gives_label(folder: Path, rows: Rows, rng: np.random.Generator) -> Planted:
    for row in rows:
        if rng.random() < 0.8:
            row["site"] = "harbour" if _positive(row) else "north"
    return Planted(("site",))


def _order_gives_label(folder: Path, rows: Rows, rng: np.random.Generator) -> Planted:
    rows.sort(key=_positive)
    return Planted()


def _mixed_units(folder: Path, rows: Rows, rng: np.random.Generator) -> Planted:
    odd = []
    for place, row in enumerate(rows):
        celsius = rng.normal(37.6, 0.9)
        if rng.random() < 0.12:
            odd.append(place)
        row["temp_c"] = f"{celsius * 1.8 + 32 if place in odd else celsius:.1f}"
    return Planted(("temp_c",), tuple(odd))


def _impossible_values(folder: Path, rows: Rows, rng: np.random.Generator) -> Planted:
    odd = rng.choice(len(rows), FEW, replace=False)
    for place in odd:
        rows[place]["age"] = "999"
    return Planted(("age",), tuple(sorted(map(int, odd))))


def _spelling(folder: Path, rows: Rows, rng: np.random.Generator) -> Planted:
    odd = [p for p in _with(rows, "smoker") if rows[p]["smoker"] == "former"][:FEW]
    for place, wrong in zip(odd, ("Former", "fromer", "former ", "FORMER"), strict=False):
        rows[place]["smoker"] = wrong
    return Planted(("smoker",), tuple(p for p in odd if rows[p]["smoker"].strip() != "former"))


def _unreadable(folder: Path, rows: Rows, rng: np.random.Generator) -> Planted:
    odd = _with(rows, "film")[:FEW]
    for place in odd:
        path = folder / rows[place]["film"]
        path.write_bytes(path.read_bytes()[:3000])
    return Planted(("film",), tuple(odd))


def _constant_signal(folder: Path, rows: Rows, rng: np.random.Generator) -> Planted:
    odd = _with(rows, "breath_sound")[:FEW]
    for place in odd:
        with wave.open(str(folder / rows[place]["breath_sound"]), "wb") as sound:
            sound.setparams((1, 2, 8000, 0, "NONE", ""))
            sound.writeframes(bytes(2 * 8000 * 6))
    return Planted(("breath_sound",), tuple(odd))


def _wrong_modality(folder: Path, rows: Rows, rng: np.random.Generator) -> Planted:
    """Two photographs of a screen in colour, and a film whose header says that it is a scan."""
    colour, header, *_ = np.array_split(_with(rows, "film")[:3], 2)
    for place in map(int, colour):
        stripes = np.linspace(0, 8 * np.pi, 400)
        waves = 0.5 + 0.5 * np.sin(stripes[:, None] * rng.uniform(0.8, 1.2, 3))
        picture = np.repeat(waves[None], 300, 0) * rng.uniform(0.4, 1, 3)
        rows[place]["film"] = f"films/photo_{place}.png"
        Image.fromarray((255 * picture).astype(np.uint8)).save(folder / rows[place]["film"])
    for place in map(int, header):
        image = pydicom.dcmread(folder / rows[place]["film"])
        image.Modality = "MR"
        image.save_as(folder / rows[place]["film"])
    return Planted(("film",), tuple(map(int, (*colour, *header))))


def _identifiers(folder: Path, rows: Rows, rng: np.random.Generator) -> Planted:
    odd = _with(rows, "note_file")[:FEW]
    for number, place in enumerate(odd):
        path = folder / rows[place]["note_file"]
        who = f"Patient name: Sample Person, born 0{number + 1}.04.1950, MRN 0012345{number}."
        path.write_text(f"{who} {path.read_text('utf-8')}", "utf-8")
    return Planted(("note_file",), tuple(odd))


def _label_noise(folder: Path, rows: Rows, rng: np.random.Generator) -> Planted:
    """A result that tells the outcome well, and a few outcomes turned around."""
    for row in rows:
        row["troponin_ng_l"] = (
            f"{np.exp(2 + 1.6 * _positive(row) + 0.4 * rng.standard_normal()):.1f}"
        )
    odd = rng.choice(len(rows), FEW, replace=False)
    for place in odd:
        rows[place][LABEL] = "0" if _positive(rows[place]) else "1"
    return Planted((LABEL,), tuple(sorted(map(int, odd))))


def _few_cases(folder: Path, rows: Rows, rng: np.random.Generator) -> Planted:
    yes = [row for row in rows if _positive(row)][:7]
    no = [row for row in rows if not _positive(row)][:17]
    rows[:] = [*yes, *no]
    return Planted((LABEL,))


def _one_class(folder: Path, rows: Rows, rng: np.random.Generator) -> Planted:
    parts: dict[str, str] = {}
    for place, row in enumerate(rows):
        row["split"] = parts.setdefault(
            row["patient_id"], ("train", "train", "validation", "test")[place % 4]
        )
        if row["split"] == "test":
            row[LABEL] = "0"
    return Planted((LABEL,))


def _missing_labels(folder: Path, rows: Rows, rng: np.random.Generator) -> Planted:
    for place in range(FEW):
        rows[place][LABEL] = ""
    return Planted((LABEL,), tuple(range(FEW)))


FAULTS: Mapping[str, Callable[[Path, Rows, np.random.Generator], Planted]] = {
    "patient_across_splits": _patient_across_splits,
    "duplicate_files": _duplicate_files,
    "label_in_notes": _label_in_notes,
    "column_gives_label": _column_gives_label,
    "after_outcome": _after_outcome,
    "site_gives_label": _site_gives_label,
    "order_gives_label": _order_gives_label,
    "mixed_units": _mixed_units,
    "impossible_values": _impossible_values,
    "spelling": _spelling,
    "unreadable": _unreadable,
    "constant_signal": _constant_signal,
    "wrong_modality": _wrong_modality,
    "identifiers": _identifiers,
    "label_noise": _label_noise,
    "few_cases": _few_cases,
    "one_class": _one_class,
    "missing_labels": _missing_labels,
}
