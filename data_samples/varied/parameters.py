"""Vital signs and laboratory values: what they are in health and what illness makes of them.

Each has several names as hospitals write them; a name always stands for one unit. Numbers of
health are round ones of any laboratory handbook; they are plausible and nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from data_samples.varied.patient import Patient

# (name, unit, factor, offset): written value = factor · value + offset
Form = tuple[str, str, float, float]


@dataclass(frozen=True)
class Parameter:
    """One quantity. `loads` are changes at full severity of a state, in units of `spread`.

    With `ratio` the quantity is lognormal: `mean` is its median and spread is that of its log.
    `hours` is the usual time between two measurements in intensive care.
    """

    key: str
    mean: float
    spread: float
    limits: tuple[float, float]
    hours: float
    loads: Mapping[str, float]
    forms: tuple[Form, ...]
    ratio: bool = False
    vital: bool = False

    def level(self, z: np.ndarray | float, age: float) -> np.ndarray:
        """Values for standard scores `z`, for a patient of this age (years), within limits."""
        mean = self.mean + _YOUNG.get(self.key, 0.0) * np.exp(-age / 4.0)
        value = mean * np.exp(self.spread * z) if self.ratio else mean + self.spread * np.asarray(z)
        return np.clip(value, *self.limits)

    def pull(self, states: Mapping[str, float]) -> float:
        """The standard score that the states add."""
        return sum(load * states.get(state, 0.0) for state, load in self.loads.items())


# What is added at birth, fading within years.
_YOUNG = {"hr": 58.0, "rr": 24.0, "sbp": -50.0, "dbp": -32.0, "map": -38.0, "crea": -0.55, "alb": -0.3}


def _same(*names: str, unit: str = "") -> tuple[Form, ...]:
    return tuple((name, unit, 1.0, 0.0) for name in names)


def _p(
    key: str, mean: float, spread: float, limits: tuple[float, float], hours: float,
    loads: dict[str, float], *forms: Form, ratio: bool = False, vital: bool = False,
) -> Parameter:  # fmt: skip
    return Parameter(key, mean, spread, limits, hours, loads, forms, ratio, vital)


PARAMETERS: tuple[Parameter, ...] = (
    _p("hr", 80, 11, (25, 220), 1, {"shock": 3.0, "hypoxia": 1.5, "infection": 1.0, "arrhythmia": 2.0, "anaemia": 1.0, "trauma": 1.0},
       *_same("HR", "Heart Rate", "HeartRate", "hr"), *_same("heart_rate", "pulse", "pulse_rate", "PR", "HR_bpm", unit="bpm"), vital=True),
    _p("sbp", 124, 14, (40, 240), 1, {"shock": -2.6, "kidney": 1.2, "stroke": 1.5, "diabetes": 0.6},
       *_same("SysABP", "NISysABP", "SBP", "ABPs"), *_same("sbp", "systolic_bp", "bp_systolic", "NBP Sys", "sbp_mmhg", unit="mmHg"), vital=True),
    _p("dbp", 70, 10, (20, 140), 1, {"shock": -2.4, "kidney": 0.8, "stroke": 0.8},
       *_same("DiasABP", "NIDiasABP", "DBP", "ABPd"), *_same("dbp", "diastolic_bp", "bp_diastolic", unit="mmHg"), vital=True),
    _p("map", 88, 11, (30, 160), 1, {"shock": -2.8, "stroke": 1.2},
       *_same("MAP", "NIMAP", "ABPm"), *_same("map", "mean_bp", "mbp", unit="mmHg"), vital=True),
    _p("rr", 16, 3, (5, 70), 1, {"hypoxia": 3.5, "infection": 1.5, "bronchiolitis": 3.0, "obstruction": 1.5},
       *_same("RespRate", "RR", "Resp", "rr"), *_same("resp_rate", "respiratory_rate", "breaths_per_min", unit="/min"), vital=True),
    _p("spo2", 97.5, 1.2, (60, 100), 1, {"hypoxia": -6.0, "obstruction": -1.0},
       *_same("SpO2", "SPO2", "SaO2"), *_same("spo2", "spo2_pct", "o2_sat", "oxygen_saturation", "sat", unit="%"), vital=True),
    _p("temp", 36.8, 0.4, (32, 42), 3, {"infection": 3.2, "shock": 0.3, "trauma": -0.6},
       *_same("Temp"), *_same("temp", "temperature_c", "body_temp", "Temperature", "T_core", unit="°C"), ("temp_f", "°F", 1.8, 32), ("temperature_F", "°F", 1.8, 32), vital=True),
    _p("gcs", 14.8, 0.5, (3, 15), 3, {"coma": -14.0},
       *_same("GCS", "gcs", "gcs_total", "Glasgow Coma Scale"), vital=True),
    _p("fio2", 0.24, 0.08, (0.21, 1), 6, {"hypoxia": 4.5, "shock": 1.0},
       *_same("FiO2", "fio2"), ("fio2_pct", "%", 100, 0), vital=True),
    _p("etco2", 37, 4, (12, 90), 1, {"obstruction": 2.5, "shock": -1.5}, *_same("EtCO2"), *_same("etco2", unit="mmHg"), vital=True),
    _p("cvp", 7, 3, (-2, 30), 2, {"heart_failure": 2.8, "shock": -0.8}, *_same("CVP"), *_same("cvp", unit="mmHg"), vital=True),
    _p("urine", 85, 0.7, (0, 900), 1, {"kidney": -1.8, "shock": -1.5}, *_same("Urine", "UrineOutput"), *_same("urine_ml_h", unit="mL"), ratio=True, vital=True),
    _p("crp", 4, 0.9, (0.2, 600), 24, {"infection": 4.2, "trauma": 1.5, "malignancy": 1.8, "liver": 0.5},
       *_same("CRP", "c_reactive_protein", "crp_mg_l", unit="mg/L"), ("crp_mg_dl", "mg/dL", 0.1, 0), ratio=True),
    _p("pct", 0.06, 0.8, (0.01, 150), 24, {"sepsis": 5.5, "pneumonia": 1.5}, *_same("PCT", "procalcitonin", "procalcitonin_ng_ml", unit="ng/mL"), ratio=True),
    _p("wbc", 7.5, 0.28, (0.2, 70), 12, {"infection": 2.6, "trauma": 1.0, "malignancy": 0.5},
       *_same("WBC"), *_same("wbc", "leukocytes", "leucocytes_g_l", "Leukozyten", "white_cells", unit="10^9/L"), ratio=True),
    _p("neut", 62, 8, (2, 98), 24, {"infection": 2.6}, *_same("neutrophils_pct", "NEUT%", "neutrophil_pct", unit="%")),
    _p("lymph", 1.9, 0.4, (0.1, 9), 24, {"infection": -1.8, "shock": -0.8}, *_same("lymphocytes", "LYMPH", "lymphocyte_count", unit="10^9/L"), ratio=True),
    _p("hb", 13.8, 1.3, (3.5, 20), 12, {"anaemia": -4.5, "kidney": -0.8},
       *_same("Hb", "HGB", "hemoglobin", "haemoglobin", "hb_g_dl", unit="g/dL"), ("hb_g_l", "g/L", 10, 0), ("Haemoglobin_g_L", "g/L", 10, 0)),
    _p("hct", 41, 4, (12, 60), 8, {"anaemia": -4.2}, *_same("HCT"), *_same("hematocrit", "hct_pct", unit="%")),
    _p("plt", 245, 0.27, (5, 1200), 12, {"sepsis": -2.2, "liver": -2.6}, *_same("Platelets"), *_same("PLT", "platelets", "thrombocytes", unit="10^9/L"), ratio=True),
    _p("mcv", 89, 5, (60, 130), 24, {"liver": 1.6, "anaemia": -1.0}, *_same("MCV", "mcv_fl", unit="fL")),
    _p("ferritin", 110, 0.8, (3, 9000), 48, {"infection": 1.5, "anaemia": -1.8, "liver": 1.5}, *_same("ferritin", "Ferritin", unit="ng/mL"), ratio=True),
    _p("na", 140, 3, (110, 170), 8, {"heart_failure": -1.2, "liver": -1.5}, *_same("Na"), *_same("sodium", "na_mmol_l", "Natrium", unit="mmol/L")),
    _p("k", 4.1, 0.4, (2, 8), 8, {"kidney": 2.2}, *_same("K"), *_same("potassium", "k_mmol_l", "Kalium", unit="mmol/L")),
    _p("cl", 103, 3, (80, 130), 12, {"kidney": 0.6}, *_same("Cl", "chloride", unit="mmol/L")),
    _p("ca", 2.32, 0.1, (1.5, 3.5), 24, {"kidney": -1.2, "malignancy": 1.5}, *_same("calcium", "ca_mmol_l", unit="mmol/L")),
    _p("mg", 0.85, 0.1, (0.3, 2), 12, {"kidney": 1.0}, *_same("magnesium", unit="mmol/L"), ("Mg", "", 2.43, 0)),
    _p("crea", 0.9, 0.25, (0.15, 14), 12, {"kidney": 5.0, "shock": 1.5, "heart_failure": 0.8},
       ("Creatinine", "", 1, 0), ("creatinine_mg_dl", "mg/dL", 1, 0), ("crea", "mg/dL", 1, 0), ("creatinine", "µmol/L", 88.4, 0), ("creatinine_umol_l", "µmol/L", 88.4, 0), ("Kreatinin", "µmol/L", 88.4, 0), ratio=True),
    _p("bun", 15, 0.3, (2, 200), 12, {"kidney": 4.0, "shock": 1.5, "heart_failure": 1.2}, ("BUN", "", 1, 0), ("bun_mg_dl", "mg/dL", 1, 0), ("urea", "mmol/L", 0.357, 0), ("bun", "mmol/L", 0.357, 0), ratio=True),
    _p("egfr", 92, 14, (4, 140), 24, {"kidney": -5.0}, *_same("eGFR", "egfr", "egfr_ml_min", unit="mL/min")),
    _p("uric", 310, 60, (80, 900), 48, {"kidney": 2.2, "diabetes": 0.8}, *_same("uric_acid", "urate", unit="µmol/L")),
    _p("lact", 1.2, 0.35, (0.3, 22), 8, {"shock": 4.0, "sepsis": 1.0}, *_same("Lactate"), *_same("lactate", "lactate_mmol_l", "Laktat", unit="mmol/L"), ratio=True),
    _p("ph", 7.40, 0.03, (6.8, 7.7), 6, {"shock": -4.0, "kidney": -1.5, "obstruction": -1.8}, *_same("pH", "ph_arterial", "ph")),
    _p("pco2", 40, 4, (15, 110), 6, {"obstruction": 5.0, "sepsis": -1.2}, *_same("PaCO2"), *_same("pco2", "paco2_mmhg", unit="mmHg"), ("pco2_kpa", "kPa", 0.133, 0)),
    _p("po2", 90, 12, (30, 450), 6, {"hypoxia": -3.2}, *_same("PaO2"), *_same("po2", "pao2_mmhg", unit="mmHg"), ("po2_kpa", "kPa", 0.133, 0)),
    _p("hco3", 24.5, 2, (5, 45), 8, {"kidney": -2.0, "shock": -2.5, "obstruction": 1.5}, *_same("HCO3"), *_same("bicarbonate", unit="mmol/L")),
    _p("glu", 98, 0.16, (25, 800), 6, {"diabetes": 4.5, "shock": 1.2, "infection": 0.6}, ("Glucose", "", 1, 0), ("glucose_mg_dl", "mg/dL", 1, 0), ("fpg_mg_dl", "mg/dL", 1, 0), ("glucose", "mmol/L", 0.0555, 0), ("fasting_glucose", "mmol/L", 0.0555, 0), ratio=True),
    _p("hba1c", 5.4, 0.35, (3.8, 16), 99, {"diabetes": 9.0}, *_same("HbA1c", "hba1c_pct", "a1c", unit="%"), ("hba1c_mmol_mol", "mmol/mol", 10.93, -23.5)),
    _p("cpep", 0.7, 0.5, (0.005, 5), 99, {"diabetes": -1.5}, *_same("c_peptide", "c_peptide_fast", unit="nmol/L"), ratio=True),
    _p("chol", 4.8, 0.9, (1.5, 12), 99, {"diabetes": 0.8, "liver": -0.6}, *_same("cholesterol", "chol", "total_cholesterol", unit="mmol/L"), ("Cholesterol", "", 38.7, 0), ("chol_mg_dl", "mg/dL", 38.7, 0)),
    _p("trig", 1.3, 0.45, (0.3, 20), 99, {"diabetes": 1.6}, *_same("trig", "triglycerides", unit="mmol/L"), ratio=True),
    _p("hdl", 1.35, 0.3, (0.4, 3), 99, {"diabetes": -1.2}, *_same("hdl", "HDL", unit="mmol/L")),
    _p("ldl", 2.9, 0.8, (0.5, 8), 99, {"diabetes": 0.5}, *_same("ldl", "LDL", unit="mmol/L"), ("ldl_mg_dl", "mg/dL", 38.7, 0)),
    _p("alb", 4.1, 0.35, (1.2, 5.5), 24, {"liver": -3.2, "infection": -1.8, "kidney": -1.0}, ("Albumin", "", 1, 0), ("albumin_g_dl", "g/dL", 1, 0), ("albumin", "g/L", 10, 0)),
    _p("alt", 24, 0.45, (4, 6000), 24, {"liver": 4.0, "shock": 1.5}, *_same("ALT", "GPT", "alt_u_l", unit="U/L"), ratio=True),
    _p("ast", 25, 0.4, (5, 7000), 24, {"liver": 4.2, "shock": 1.8, "trauma": 1.5}, *_same("AST", "GOT", "ast_u_l", unit="U/L"), ratio=True),
    _p("alp", 75, 0.35, (15, 1500), 24, {"liver": 2.5, "malignancy": 1.8}, *_same("ALP", "alk_phos", unit="U/L"), ratio=True),
    _p("bili", 0.6, 0.45, (0.1, 40), 24, {"liver": 4.5, "sepsis": 1.2}, ("Bilirubin", "", 1, 0), ("bilirubin_mg_dl", "mg/dL", 1, 0), ("bilirubin_umol_l", "µmol/L", 17.1, 0), ratio=True),
    _p("inr", 1.05, 0.1, (0.8, 10), 12, {"liver": 6.0, "sepsis": 2.5}, *_same("INR", "inr"), ratio=True),
    _p("ddimer", 0.35, 0.7, (0.05, 60), 24, {"sepsis": 2.5, "trauma": 2.5, "malignancy": 2.0, "pneumonia": 1.5}, *_same("d_dimer", "D-Dimer", unit="mg/L"), ratio=True),
    _p("trop", 6, 0.6, (1, 20000), 12, {"heart_failure": 2.5, "shock": 2.2, "arrhythmia": 1.2}, *_same("hs_troponin", "troponin_t", "trop_ng_l", unit="ng/L"), ("TroponinT", "", 0.001, 0), ratio=True),
    _p("bnp", 90, 0.8, (5, 60000), 24, {"heart_failure": 4.5, "valve": 1.5, "kidney": 1.2}, *_same("NT-proBNP", "nt_probnp", "ntprobnp_pg_ml", unit="pg/mL"), ratio=True),
    _p("ck", 95, 0.5, (15, 40000), 24, {"trauma": 4.5}, *_same("CK", "creatine_kinase", unit="U/L"), ratio=True),
    _p("ldh", 185, 0.22, (90, 5000), 24, {"liver": 2.5, "infection": 2.2, "malignancy": 2.5}, *_same("LDH", "ldh", "ldh_u_l", unit="U/L"), ratio=True),
    _p("tsh", 1.8, 0.55, (0.01, 60), 99, {"low_mood": 0.6}, *_same("TSH", "tsh", unit="mU/L"), ratio=True),
    _p("vitd", 26, 9, (4, 90), 99, {"low_mood": -0.8, "kidney": -1.0}, *_same("vitamin_d", "25_OH_D", unit="ng/mL")),
)  # fmt: skip  # noqa: E501

BY_KEY = {parameter.key: parameter for parameter in PARAMETERS}


def score(
    parameter: Parameter, patient: Patient, states: Mapping[str, float], own: float
) -> float:
    """The standard score of a patient; `own` is standard normal and the patient's own."""
    extra = 0.35 * patient.habitus if parameter.key in ("sbp", "trig", "glu", "uric") else 0.0
    return 0.8 * own + extra + parameter.pull(states)
