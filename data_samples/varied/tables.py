"""EHR tables: (patient) -> rows of numbers, categories and dates, as `pipelines/ehr.py` delivers.

Laboratory values, demographics, habits and symptoms, named in the style of one hospital or mixed.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from data_samples.varied.made import Made, between, chance, finding, near, pick, signed, table
from data_samples.varied.parameters import PARAMETERS
from data_samples.varied.patient import Patient, draw_patient
from data_samples.varied.phrases import describe
from data_samples.varied.wording import rows

Row = tuple[str, str, float | str | None]
_QUESTIONS = (
    tuple(  # what is asked, whether it is a symptom, state, how likely with it at its worst
        (row["name"], row["asked"] == "symptom", row["state"], float(row["likely"]))
        for row in rows("questions")
    )
)
_JUDGED = (
    "infection",
    "kidney",
    "liver",
    "anaemia",
    "diabetes",
    "heart_failure",
    "shock",
    "hypoxia",
)
_YES_NO = (
    ("yes", "no"),
    ("Y", "N"),
    ("True", "False"),
    ("ja", "nein"),
    ("present", "absent"),
    (1.0, 0.0),
    (1.0, 0.0),
)
_UNITS_IN_NAMES = {
    "mg/dL": "mg_dl",
    "mmol/L": "mmol_l",
    "g/dL": "g_dl",
    "mmHg": "mmhg",
    "%": "pct",
    "bpm": "bpm",
    "/min": "per_min",
    "°C": "c",
    "U/L": "u_l",
    "mg/L": "mg_l",
}
_WARDS = (
    "ICU",
    "Medical",
    "Surgical",
    "Coronary Care",
    "Cardiac Surgery Recovery",
    "ED",
    "Paediatrics",
    "NICU",
)


def draw(rng: np.random.Generator, patient: Patient | None = None) -> Made:
    """One row of a hospital's table for a patient, 2 to 60 features."""
    patient = patient or draw_patient(rng)
    states = patient.states
    cells, findings = _person(rng, patient)
    what = rng.random()
    missing = pick(rng, (0.0, 0.0, 0.1, 0.3, 0.6))
    if what < 0.8:
        some, found = _measured(rng, patient, states, missing)
        cells += some
        findings |= found
    if what > 0.55 or chance(rng, 0.25):
        some, found = _asked(rng, states, missing)
        cells += some
        findings |= found
    if chance(rng, 0.15):
        day = int(between(rng, 14_000, 20_000))
        cells.append(
            (pick(rng, ("admission_date", "date_of_visit", "sampled_on")), "date", float(day))
        )
    if chance(rng, 0.5):
        order = rng.permutation(len(cells))
        cells = [cells[i] for i in order]
    words = " ".join(describe(rng, findings, limit=pick(rng, (2, 3, 4))))
    return Made(table(cells), findings, words)


def _person(rng: np.random.Generator, patient: Patient) -> tuple[list[Row], dict[str, float]]:
    age, adult = patient.age, patient.age > 17
    cells: list[Row] = []
    if age < 2 and chance(rng, 0.5):
        cells.append((pick(rng, ("age_months", "age_mo")), "", float(round(age * 12, 1))))
    elif chance(rng, 0.25):
        bands = pick(rng, (_DECADES, _GROUPS))
        cells.append(
            (
                pick(rng, ("age_band", "age_group")),
                "",
                next(name for top, name in bands if age < top),
            )
        )
    else:
        cells.append((pick(rng, ("age", "Age", "age_years", "patient_age")), "", float(int(age))))
    style = int(rng.random() * 4)
    female, male = (("F", "M"), ("Female", "Male"), ("female", "male"), ("w", "m"))[style]
    cells.append(
        (pick(rng, ("sex", "gender", "Sex", "Gender")), "", female if patient.female else male)
    )
    tall = 50 + 118 * (1 - np.exp(-age / 6.5)) + (0 if patient.female or not adult else 12)
    height = near(rng, tall, 0.04 * tall, 40, 210)
    bmi = float(np.clip((15.5 + 8.5 * min(age / 22, 1)) * (1 + 0.17 * patient.habitus), 10, 58))
    weight = bmi * (height / 100) ** 2
    if chance(rng, 0.5):
        cells.append((pick(rng, ("height_cm", "height", "Height")), "cm", round(height, 1)))
        cells.append((pick(rng, ("weight_kg", "weight", "Weight")), "kg", round(weight, 1)))
    if chance(rng, 0.3):
        cells.append((pick(rng, ("bmi", "BMI")), "kg/m2", round(bmi, 1)))
    if adult and chance(rng, 0.3):
        cells.append(
            (
                pick(rng, ("smoking", "smoker", "smoking_status")),
                "",
                pick(rng, ("never", "former", "current")),
            )
        )
    if adult and chance(rng, 0.2):
        cells.append(
            (
                pick(rng, ("alcohol", "alcohol_use")),
                "",
                pick(rng, ("drinker", "non-drinker", "occasional")),
            )
        )
    if chance(rng, 0.3):
        cells.append((pick(rng, ("ward", "icu_type", "unit", "department")), "", pick(rng, _WARDS)))
    if patient.female and adult and age < 48 and chance(rng, 0.2):
        cells.append(("pregnant", "", pick(rng, ("True", "False", "False"))))
    findings = {"age": signed(age / 45 - 1), "female": 1.0 if patient.female else -1.0}
    if any(name.lower().startswith(("weight", "bmi")) for name, *_ in cells):
        findings["overweight"] = signed(patient.habitus / 1.6)
    return cells, findings


_DECADES = tuple((top, f"{top - 10}-{top - 1}") for top in range(10, 131, 10))
_GROUPS = (
    (0.08, "Neonate"),
    (1, "Infant"),
    (12, "Child"),
    (18, "Adolescent"),
    (40, "Young Adult"),
    (65, "Adult"),
    (200, "Elderly"),
)


@lru_cache(maxsize=4096)
def _name(name: str, unit: str, style: int) -> str:
    """A feature's name in one of several spellings."""
    tail = _UNITS_IN_NAMES.get(unit, "")
    if style == 1 and tail and tail not in name.lower():
        return f"{name.lower().replace(' ', '_').replace('-', '_')}_{tail}"
    if style == 2:
        return f"{name} [{unit}]" if unit else name
    if style == 3:
        return f"lab_{name.lower().replace(' ', '_')}"
    return name


def _measured(
    rng: np.random.Generator, patient: Patient, states: dict[str, float], missing: float
) -> tuple[list[Row], dict[str, float]]:
    keep, style, same = between(rng, 0.15, 0.8), pick(rng, (0, 0, 0, 1, 3)), chance(rng, 0.5)
    cells: list[Row] = []
    loads: dict[str, float] = {}
    for parameter in PARAMETERS:
        if rng.random() > keep:
            continue
        form = parameter.forms[-1] if same else pick(rng, parameter.forms)
        name, unit = _name(form.name, form.unit, style), form.unit
        if rng.random() < missing:
            cells.append((name, unit, None))
            continue
        z = parameter.score(patient, states, float(rng.standard_normal()))
        value = float(parameter.level(z, patient.age)) * form.factor + form.offset
        cells.append((name, unit, float(f"{value:.4g}")))
        for state, load in parameter.loads.items():
            loads[state] = max(loads.get(state, 0), abs(load))
    findings = {
        f"lab_{state}": finding(states[state]) for state in _JUDGED if loads.get(state, 0) >= 2.5
    }
    return cells, findings


def _asked(
    rng: np.random.Generator, states: dict[str, float], missing: float
) -> tuple[list[Row], dict[str, float]]:
    yes, no = pick(rng, _YES_NO)
    before, lead = pick(rng, ("", "", "sym_", "symptom_", "has_")), pick(rng, ("", "hx_", "hist_"))
    with_history = chance(rng, 0.5)
    cells: list[Row] = []
    findings: dict[str, float] = {}
    for name, symptom, state, likely in _QUESTIONS:
        if rng.random() < (0.45 if symptom else 0.6) or not (symptom or with_history):
            continue
        there = bool(rng.random() < 0.05 + likely * states[state])
        unknown = rng.random() < missing
        answer = yes if there else no
        cells.append(((before if symptom else lead) + name, "", None if unknown else answer))
        if not unknown and name in ("fever", "cough", "dyspnoea"):
            findings[name] = 1.0 if there else -1.0
    return cells, findings
