"""What the usual measurements of medicine can be: their units, and which values a person can have.

`usual` is what is measured in nearly all patients, the critically ill included; `possible` is what
an instrument can show of a living person. Both are in the first unit; other units follow by factor
and offset. Factors between mass and amount are 1000 / molar mass (IUPAC standard atomic weights
2021), those of HbA1c are the NGSP/IFCC master equation (Hoelzel et al. 2004). Limits are set wide,
in the manner of the outlier limits of MIMIC-Extract (Wang et al. 2020, arXiv 1907.08322).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from fmstudio.types import Quantity

_WORD = re.compile(r"[a-zµμ°%]+|\d+", re.IGNORECASE)

# name: (words, of which the column must have one set), usual, possible, {unit: (factor, offset)}.
# A value in another unit is (value in the first unit) * factor + offset.
_Row = tuple[
    tuple[str, ...], tuple[float, float], tuple[float, float], Mapping[str, tuple[float, float]]
]
_ROWS: Mapping[str, _Row] = {
    "body temperature": (
        ("temp", "temperature", "tmp"),
        (32, 43),
        (20, 46),
        {"°C": (1, 0), "°F": (1.8, 32)},
    ),
    "heart rate": (
        ("hr", "heart rate", "heartrate", "pulse", "pulse rate"),
        (20, 260),
        (0, 350),
        {"/min": (1, 0)},
    ),
    "respiratory rate": (
        ("rr", "resp", "resp rate", "resprate", "respiratory rate"),
        (4, 80),
        (0, 150),
        {"/min": (1, 0)},
    ),
    "oxygen saturation": (
        ("spo2", "sao2", "sp o2", "oxygen saturation", "saturation"),
        (40, 100),
        (0, 100),
        {"%": (1, 0), "fraction": (0.01, 0)},
    ),
    "inspired oxygen": (
        ("fio2", "fi o2"),
        (21, 100),
        (15, 100),
        {"%": (1, 0), "fraction": (0.01, 0)},
    ),
    "systolic pressure": (
        ("sbp", "sysabp", "nisysabp", "systolic", "sys abp", "systolic bp"),
        (50, 270),
        (0, 370),
        {"mmHg": (1, 0), "kPa": (0.133322, 0)},
    ),
    "diastolic pressure": (
        ("dbp", "diasabp", "nidiasabp", "diastolic", "diastolic bp"),
        (20, 170),
        (0, 300),
        {"mmHg": (1, 0), "kPa": (0.133322, 0)},
    ),
    "mean arterial pressure": (
        ("map", "nimap", "mean arterial pressure"),
        (30, 200),
        (0, 330),
        {"mmHg": (1, 0), "kPa": (0.133322, 0)},
    ),
    "pH of blood": (("ph", "arterial ph", "blood ph"), (6.7, 7.8), (6.3, 8.4), {"": (1, 0)}),
    "carbon dioxide pressure": (
        ("paco2", "pco2", "pa co2"),
        (12, 150),
        (2, 250),
        {"mmHg": (1, 0), "kPa": (0.133322, 0)},
    ),
    "oxygen pressure": (
        ("pao2", "po2", "pa o2"),
        (20, 650),
        (5, 800),
        {"mmHg": (1, 0), "kPa": (0.133322, 0)},
    ),
    "age": (("age", "age years", "age yr", "patient age"), (0, 105), (0, 125), {"years": (1, 0)}),
    "height": (
        ("height", "body height", "stature"),
        (40, 215),
        (20, 275),
        {"cm": (1, 0), "m": (0.01, 0), "in": (0.393701, 0), "ft": (0.0328084, 0)},
    ),
    "weight": (
        ("weight", "body weight", "wt"),
        (2, 250),
        (0.3, 650),
        {"kg": (1, 0), "lb": (2.204623, 0), "g": (1000, 0)},
    ),
    "body mass index": (("bmi", "body mass index"), (11, 65), (7, 210), {"kg/m²": (1, 0)}),
    "glucose": (
        ("glucose", "glu", "blood sugar", "fpg", "cgm", "ppg2h"),
        (40, 700),
        (5, 3000),
        {"mg/dl": (1, 0), "mmol/l": (0.0555, 0)},
    ),
    "creatinine": (
        ("creatinine", "crea", "creat"),
        (0.25, 12),
        (0.05, 60),
        {"mg/dl": (1, 0), "µmol/l": (88.42, 0)},
    ),
    "bilirubin": (
        ("bilirubin", "bili", "total bilirubin"),
        (0.1, 45),
        (0.02, 90),
        {"mg/dl": (1, 0), "µmol/l": (17.1, 0)},
    ),
    "cholesterol": (
        ("cholesterol", "chol", "total cholesterol"),
        (70, 400),
        (15, 2000),
        {"mg/dl": (1, 0), "mmol/l": (0.02586, 0)},
    ),
    "haemoglobin": (
        ("haemoglobin", "hemoglobin", "hgb", "hb"),
        (5, 21),
        (1, 27),
        {"g/dl": (1, 0), "g/l": (10, 0), "mmol/l": (0.6206, 0)},
    ),
    "glycated haemoglobin": (
        ("hba1c", "a1c", "hb a1c"),
        (4, 17),
        (2.5, 25),
        {"%": (1, 0), "mmol/mol": (10.93, -23.5)},
    ),
    "haematocrit": (
        ("haematocrit", "hematocrit", "hct"),
        (14, 65),
        (5, 80),
        {"%": (1, 0), "fraction": (0.01, 0)},
    ),
    "leukocytes": (
        ("wbc", "leukocytes", "leucocytes", "white cells", "leukocyte"),
        (0.3, 100),
        (0, 1000),
        {"10⁹/l": (1, 0), "/µl": (1000, 0)},
    ),
    "platelets": (
        ("platelets", "plt", "platelet", "thrombocytes"),
        (8, 1200),
        (0, 5000),
        {"10⁹/l": (1, 0), "/µl": (1000, 0)},
    ),
    "sodium": (
        ("sodium", "na"),
        (105, 180),
        (85, 215),
        {"mmol/l": (1, 0), "mEq/l": (1, 0)},
    ),
    "potassium": (
        ("potassium", "k"),
        (1.8, 8.5),
        (0.8, 14),
        {"mmol/l": (1, 0), "mEq/l": (1, 0)},
    ),
    "lactate": (
        ("lactate", "lac"),
        (0.2, 25),
        (0, 40),
        {"mmol/l": (1, 0), "mg/dl": (9.01, 0)},
    ),
    "calcium": (
        ("calcium", "ca"),
        (1.4, 4),
        (0.5, 7),
        {"mmol/l": (1, 0), "mg/dl": (4.008, 0)},
    ),
    "albumin": (("albumin", "alb"), (1, 6), (0.3, 8), {"g/dl": (1, 0), "g/l": (10, 0)}),
    "C-reactive protein": (
        ("crp", "c reactive protein"),
        (0, 600),
        (0, 1200),
        {"mg/l": (1, 0), "mg/dl": (0.1, 0)},
    ),
    "urea": (
        ("urea", "blood urea"),
        (1, 80),
        (0.2, 150),
        {"mmol/l": (1, 0), "mg/dl": (6.006, 0)},
    ),
    "urea nitrogen": (
        ("bun", "urea nitrogen", "blood urea nitrogen"),
        (3, 225),
        (0.5, 420),
        {"mg/dl": (1, 0), "mmol/l": (0.357, 0)},
    ),
    "uric acid": (
        ("uric acid", "urate"),
        (0.7, 20),
        (0.1, 50),
        {"mg/dl": (1, 0), "µmol/l": (59.48, 0)},
    ),
    "triglycerides": (
        ("triglycerides", "triglyceride", "trig"),
        (20, 2000),
        (5, 15000),
        {"mg/dl": (1, 0), "mmol/l": (0.01129, 0)},
    ),
    "HDL cholesterol": (
        ("hdl", "hdl cholesterol", "hdl c"),
        (10, 150),
        (2, 300),
        {"mg/dl": (1, 0), "mmol/l": (0.02586, 0)},
    ),
    "LDL cholesterol": (
        ("ldl", "ldl cholesterol", "ldl c"),
        (10, 350),
        (2, 1500),
        {"mg/dl": (1, 0), "mmol/l": (0.02586, 0)},
    ),
    "magnesium": (
        ("magnesium",),
        (0.4, 2.5),
        (0.1, 8),
        {"mmol/l": (1, 0), "mg/dl": (2.431, 0)},
    ),
    "phosphate": (
        ("phosphate", "phosphorus"),
        (0.3, 4),
        (0.05, 10),
        {"mmol/l": (1, 0), "mg/dl": (3.097, 0)},
    ),
    "Glasgow coma scale": (("gcs", "glasgow coma scale"), (3, 15), (3, 15), {"": (1, 0)}),
}

# How units are spelled, in cells ("63 y") and at the end of a column's name: temp_c, glucose_mg_dl.
_SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "°C": ("c", "°c", "° c", "degc", "deg c", "celsius", "degrees celsius"),
    "°F": ("f", "°f", "° f", "degf", "deg f", "fahrenheit", "degrees fahrenheit"),
    "/min": ("bpm", "min", "per min", "1 min", "beats min", "breaths min"),
    "%": ("pct", "percent", "%", "perc"),
    "fraction": ("fraction", "frac"),
    "mmHg": ("mmhg", "mm hg"),
    "kPa": ("kpa",),
    "years": ("years", "year", "yr", "yrs", "y", "years old", "yo", "y o"),
    "cm": ("cm",),
    "m": ("m", "metres", "meters"),
    "in": ("in", "inch", "inches"),
    "ft": ("ft", "feet", "foot"),
    "kg": ("kg", "kilograms"),
    "lb": ("lb", "lbs", "pounds"),
    "g": ("g", "grams"),
    "kg/m²": ("kg m 2",),
    "mg/dl": ("mg dl", "mgdl", "mg per dl", "mg 100 ml", "mg %"),
    "mmol/l": ("mmol l", "mmoll", "mmol"),
    "mEq/l": ("meq l", "meql", "meq"),
    "µmol/l": ("umol l", "µmol l", "umol", "µmol", "micromol l"),
    "g/dl": ("g dl", "gdl", "g %"),
    "g/l": ("g l",),
    "mmol/mol": ("mmol mol",),
    "10⁹/l": (
        "10 9 l",
        "10 e 9 l",
        "x 10 9 l",
        "g l",
        "giga l",
        "10 3 µl",
        "10 3 ul",
        "k µl",
        "k ul",
        "x 10 3 µl",
        "x 10 3 ul",
        "10 e 3 ul",
        "10 3 mm 3",
        "thou mm 3",
    ),
    "/µl": ("ul", "µl", "per ul", "cells ul", "cells µl", "mm 3"),
    "mg/l": ("mg l", "mgl"),
}
# Words that say where, when or which of several, and change nothing of what is measured.
_BESIDE = frozenset(
    tuple(
        (
            "serum plasma blood venous arterial capillary fasting admission at on baseline initial "
            "first last latest min max minimum maximum mean median lowest highest day"
        ).split()
    )
)
_SIGNS = str.maketrans({"μ": "µ", "²": " 2", "³": " 3", "⁹": " 9", "¹": "1", "℃": "°c", "℉": "°f"})

QUANTITIES: tuple[Quantity, ...] = tuple(
    Quantity(name, usual, possible, units) for name, (_, usual, possible, units) in _ROWS.items()
)


@cache
def find_quantity(name: str, unit: str = "") -> tuple[Quantity, str] | None:
    """The quantity that a column or channel measures and the unit it is named in ("" if none).

    The name must be the quantity's own words, with a unit behind them or not, and at most words
    beside them that change nothing: "temp_c" and "temp_max" are body temperatures,
    "temp_probe_serial" is nothing known.
    """
    return _find(_plain(name), unit) or _find(_bare(_plain(name)), unit)


def _find(words: str, unit: str) -> tuple[Quantity, str] | None:
    for quantity, (own, *_) in zip(QUANTITIES, _ROWS.values(), strict=True):
        for start in map(_plain, own):
            if words == start or words.startswith(start + " "):
                rest = words[len(start) :].strip()
                found = read_unit(quantity, rest or unit)
                if found or not rest:
                    return quantity, found
    return None


def read_unit(quantity: Quantity, said: str) -> str:
    """Which of the quantity's units a text names, "" for none of them."""
    plain = _plain(said)
    return next(
        (unit for unit in quantity.units if plain and plain in _SPELLINGS.get(unit, ())), ""
    )


def _bare(words: str) -> str:
    """The words without those that change nothing, and the number of a day."""
    return re.sub(r" \d+$", "", " ".join(w for w in words.split() if w not in _BESIDE))


def _plain(words: str) -> str:
    """Words in small letters, letters and digits apart: "SpO2_pct" -> "spo 2 pct"."""
    return " ".join(word.lower() for word in _WORD.findall(words.translate(_SIGNS)))
