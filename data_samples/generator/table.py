"""The row of a case in the manifest: (inflammation, saturation) -> blood results and more.

Age, sex, smoking, creatinine, haemoglobin and platelets tell nothing of the outcome on purpose:
a table always has such columns.
"""

from __future__ import annotations

import numpy as np

from data_samples.generator.state import State

COLUMNS = (
    "age",
    "sex",
    "smoker",
    "crp_mg_l",
    "wbc_10e9_l",
    "lactate_mmol_l",
    "procalcitonin_ug_l",
    "creatinine_umol_l",
    "haemoglobin_g_dl",
    "platelets_10e9_l",
    "spo2_pct",
)
CELL_MISSING = 0.06  # share of single results that were not asked for


def row(state: State, rng: np.random.Generator) -> dict[str, str]:
    """The table cells of one case as text; an empty cell is a result that is missing."""
    inflammation, hypoxia = state.signs["table"]
    person = state.person
    noise = rng.standard_normal(8)
    results = {
        "crp_mg_l": (np.exp(3.6 + 0.75 * inflammation + 0.35 * noise[0]), 0),
        "wbc_10e9_l": (max(1.5, 10.5 + 2.6 * inflammation + 1.6 * noise[1]), 1),
        "lactate_mmol_l": (np.exp(0.45 + 0.32 * inflammation + 0.20 * noise[2]), 1),
        "procalcitonin_ug_l": (np.exp(-0.9 + 0.90 * inflammation + 0.70 * noise[3]), 2),
        "creatinine_umol_l": (np.exp(4.4 + 0.28 * noise[4]), 0),
        "haemoglobin_g_dl": (13.9 - 1.2 * (person.sex == "F") + 1.3 * noise[5], 1),
        "platelets_10e9_l": (max(40, 250 + 65 * noise[6]), 0),
        "spo2_pct": (min(100, 94.5 - 2.0 * hypoxia + 0.8 * noise[7]), 0),
    }
    asked = rng.random(len(results)) >= CELL_MISSING
    cells = {"age": str(person.age), "sex": person.sex, "smoker": person.smoker}
    for (name, (value, decimals)), there in zip(results.items(), asked, strict=True):
        cells[name] = f"{value:.{decimals}f}" if there and "table" in state.present else ""
    if rng.random() < CELL_MISSING:
        cells["smoker"] = ""
    return cells


def age_band(age: int) -> str:
    """The age group for subgroup audits."""
    return "under 50" if age < 50 else "50 to 69" if age < 70 else "70 and over"
