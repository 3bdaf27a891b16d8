"""Strips of ECG, PPG and breathing: (patient) -> series of 5 to 30 seconds at 50 to 250 Hz.

A beat of the ECG is a sum of bells (McSharry et al., IEEE Trans Biomed Eng 2003;50:289-294).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from data_samples.varied.made import between, chance, finding, near, pick, seen, signed
from data_samples.varied.patient import Patient

Array = np.ndarray
_LEADS = {  # P, Q, R, S, T in mV
    "I": (0.08, -0.05, 0.7, -0.1, 0.2),
    "II": (0.12, -0.08, 1.1, -0.2, 0.3),
    "III": (0.06, -0.06, 0.5, -0.2, 0.15),
    "aVR": (-0.1, 0.06, -0.8, 0.15, -0.25),
    "V1": (0.06, 0.0, 0.25, -0.9, -0.05),
    "V2": (0.08, 0.0, 0.5, -1.2, 0.4),
    "V5": (0.1, -0.1, 1.3, -0.3, 0.35),
    "V6": (0.1, -0.1, 1.0, -0.15, 0.3),
}


def draw_strip(
    rng: np.random.Generator, patient: Patient
) -> tuple[dict[str, Any], dict[str, float]]:
    """One to three ECG leads, with PPG and breathing on some devices."""
    ill, rate = patient.states, pick(rng, (50.0, 100.0, 125.0, 250.0))
    seconds = between(rng, 5, 30) if rate < 200 else between(rng, 5, 12)
    count = int(seconds * rate)
    clock = np.arange(count) / rate
    pulse = near(
        rng,
        72 + 60 * np.exp(-patient.age / 4) + 50 * ill["shock"] + 20 * ill["arrhythmia"],
        13,
        35,
        200,
    )
    flutter = seen(rng, ill["arrhythmia"], 0.12) if chance(rng, 0.7) else 0.0
    ectopic = (
        seen(rng, max(ill["arrhythmia"], ill["heart_failure"]), 0.12) if chance(rng, 0.6) else 0.0
    )
    wide = seen(rng, ill["heart_failure"], 0.1) if chance(rng, 0.5) else 0.0
    lift = (
        near(rng, 0, 0.25, -1, 1) if chance(rng, 0.7) else pick(rng, (-1, 1)) * between(rng, 0.5, 1)
    )
    number = int(seconds * pulse / 60 * 1.5) + 3
    length = 60 / pulse * (1 + (0.025 + 0.25 * flutter) * rng.standard_normal(number))
    length = np.maximum(length, 0.3)
    early = rng.random(number) < 0.3 * ectopic
    length[early] *= 0.65
    starts = np.cumsum(length) - length[0] * rng.random()
    beat = np.clip(np.searchsorted(starts, clock, side="right") - 1, 0, number - 1)
    since = clock - starts[beat] + np.where(clock < starts[0], length[0], 0)
    odd = early[beat]
    quick = np.sqrt(60 / pulse / 0.85)
    names = list(
        pick(rng, (("II",), ("I", "II", "III"), ("II", "V1"), ("I",), ("II", "V5"), ("V2", "V6")))
    )
    columns, units = [], []
    widths = np.array(
        [0.022, 0.010, 0.011 * (1 + 1.8 * wide), 0.011 * (1 + 2.2 * wide), 0.045 * quick]
    )
    centres = np.array([0.10, 0.20, 0.235, 0.27 + 0.03 * wide, 0.235 + 0.27 * quick])
    waves = [
        np.exp(-0.5 * np.square((since - c) / w)) for c, w in zip(centres, widths, strict=True)
    ]
    strange = np.exp(-0.5 * np.square((since - 0.26) / 0.045))
    plateau = (
        1
        / (1 + np.exp(-(since - 0.29) / 0.008))
        / (1 + np.exp((since - 0.235 - 0.25 * quick) / 0.02))
    )
    coarse = np.interp(
        clock,
        np.arange(0, seconds + 1, 0.09),
        rng.standard_normal(len(np.arange(0, seconds + 1, 0.09))),
    )
    axis = between(rng, 0.5, 1.3)
    for name in names:
        p, q, r, s, t = _LEADS[name]
        p = p * (1 - flutter)
        wave = (
            p * waves[0]
            + q * waves[1]
            + axis * r * waves[2]
            + s * waves[3]
            + t * between(rng, 0.7, 1.2) * waves[4]
        )
        wave = np.where(odd, 1.4 * np.sign(r + s) * strange - 0.3 * waves[4], wave)
        wave = wave + 0.25 * lift * np.sign(r + s + 0.01) * plateau + 0.07 * flutter * coarse
        columns.append(
            wave
            + between(rng, 0.005, 0.05) * rng.standard_normal(count)
            + between(rng, 0, 0.2) * np.sin(2 * np.pi * 0.25 * clock + rng.random() * 6)
        )
        units.append("mV")
    lead = pick(rng, ("", "", "ECG ", "ecg_"))
    names = [f"{lead}{name}" for name in names]
    if chance(rng, 0.5):
        weak = seen(rng, ill["shock"], 0.1)
        delay = np.clip(since - 0.45, -0.2, 3)
        wave = np.exp(-np.square(delay / 0.09)) + 0.35 * np.exp(-np.square((delay - 0.22) / 0.1))
        names, units = [*names, pick(rng, ("PLETH", "PPG", "pleth"))], [*units, ""]
        columns.append(
            (1 - 0.8 * weak) * wave * (0.5 + 0.1 * np.sin(clock))
            + 0.02 * rng.standard_normal(count)
        )
    breaths = near(rng, (16 + 24 * np.exp(-patient.age / 3)) * (1 + 0.7 * ill["hypoxia"]), 2, 6, 60)
    with_breath = chance(rng, 0.4)
    if with_breath:
        wave = np.sin(2 * np.pi * clock * breaths / 60 + rng.random() * 6)
        names, units = [*names, pick(rng, ("RESP", "resp_impedance"))], [*units, ""]
        columns.append(wave + 0.3 * np.square(wave) + 0.05 * rng.standard_normal(count))
    values = np.stack(columns, 1)
    if chance(rng, 0.15):
        start = int(rng.random() * count * 0.9)
        values[start : start + int(count * 0.05), 0] += np.cumsum(
            0.2 * rng.standard_normal(len(values[start : start + int(count * 0.05)]))
        )
    findings = {
        "strip_rate": signed((pulse - 95) / 55),
        "atrial_fibrillation": finding(flutter),
        "extrasystoles": finding(ectopic),
        "wide_qrs": finding(wide),
        "st_shift": signed(lift),
    }
    if with_breath:
        findings["strip_breaths"] = signed(np.log(breaths / 22) / 0.9)
    return {"names": names, "units": units, "seconds": clock, "values": values}, findings
