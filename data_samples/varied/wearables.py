"""Days of a glucose sensor or an activity counter: (patient) -> series.

Glucose answers to meals with a rise of one to three hours, to dawn, to insulin; activity follows
the day, and sleep breaks it (Van Someren et al., Chronobiol Int 1999;16:505-518).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from data_samples.varied.made import between, chance, finding, near, pick, seen, signed
from data_samples.varied.patient import Patient

Array = np.ndarray
_DAY = 86_400.0
_GLUCOSE = (
    ("cgm_mg_dl", "mg/dL", 1.0),
    ("CGM", "mg/dL", 1.0),
    ("glucose_mg_dl", "mg/dL", 1.0),
    ("sensor_glucose", "mg/dL", 1.0),
    ("cgm_mmol_l", "mmol/L", 0.0555),
    ("Historic Glucose mmol/L", "mmol/L", 0.0555),
)
_ACTIVITY = ("activity", "activity", "counts", "vector_magnitude", "actigraphy", "Activity Count")


def draw_glucose(
    rng: np.random.Generator, patient: Patient
) -> tuple[dict[str, Any], dict[str, float]]:
    """Interstitial glucose every 5 or 15 minutes for 2 to 14 days."""
    sick = patient.severity("diabetes")
    step = pick(rng, (300.0, 900.0, 900.0, 900.0))
    days = between(rng, 2, 14) if step > 300 else between(rng, 2, 7)
    count = int(days * _DAY / step)
    seconds = np.arange(count) * step
    phase = rng.random()
    hour = ((seconds / _DAY + phase) % 1 * 24).astype(np.float32)
    high = near(rng, 0.15 + 0.75 * sick, 0.12, 0, 1)
    swing = near(rng, 0.2 + 0.6 * sick, 0.2, 0, 1)
    dawn, lows = (
        seen(rng, sick if chance(rng, 0.4) else 0.0, 0.1),
        seen(rng, sick if chance(rng, 0.4) else 0.0, 0.04),
    )
    base = 88 + 110 * high
    curve = base + 9 * np.sin((hour - 9) * np.float32(np.pi / 12))
    curve = curve + 75 * dawn * np.exp(-np.square((hour - 6.5) / 1.8))
    meals = pick(rng, ((7.5, 12.5, 18.5), (8.0, 13.0, 19.5), (7.0, 12.0, 16.0, 19.0)))
    response = (seconds[: int(6 * 3600 / step)] / 3600).astype(np.float32)
    pulse = response**1.6 * np.exp(-response * between(rng, 1.4, 2.4))
    pulse = pulse / pulse.max()
    spikes = np.zeros(count, np.float32)
    for day in range(int(days) + 2):
        for meal in meals:
            if chance(rng, 0.07):
                continue
            at = int(((day - phase) * 24 + meal + 0.5 * rng.standard_normal()) * 3600 / step)
            if 0 <= at < count:
                spikes[at] += (22 + 125 * swing) * between(rng, 0.4, 1.3)
    curve = curve + np.convolve(spikes, pulse)[:count]
    knots = rng.standard_normal(int(days * 6) + 3)
    curve = curve + (5 + 28 * swing) * np.interp(
        seconds, np.linspace(0, days * _DAY, len(knots)), knots
    )
    if lows > 0:
        for _ in range(1 + int(lows * days * 1.2)):
            centre = rng.random() * days * _DAY
            dip = np.exp(-np.square((seconds - centre) / (between(rng, 1500, 5000))))
            curve = curve + (between(rng, 45, 66) - curve) * dip
    curve = np.clip(curve + rng.standard_normal(count) * between(rng, 1, 5), 39, 400)
    name, unit, factor = pick(rng, _GLUCOSE)
    columns = [np.round(curve * factor, 0 if factor == 1 else 1)]
    names, units = [name], [unit]
    if chance(rng, 0.3):  # a gap: the sensor was lost
        start = int(rng.random() * count)
        columns[0][start : start + int(count * between(rng, 0.01, 0.12))] = np.nan
    if chance(rng, 0.35):
        sticks = np.where(
            rng.random(count) < 4 * step / _DAY,
            curve * factor * (1 + 0.08 * rng.standard_normal(count)),
            np.nan,
        )
        columns.append(np.round(sticks, 1))
        names, units = (
            [*names, pick(rng, ("fingerstick_mg_dl", "smbg")) if factor == 1 else "bg_mmol_l"],
            [*units, unit],
        )
    findings = {
        "glucose_high": signed(2 * high - 1),
        "glucose_swings": signed(2 * swing - 1),
        "dawn_effect": finding(dawn),
        "hypoglycaemia": finding(lows),
    }
    form = {"names": names, "units": units, "seconds": seconds, "values": np.stack(columns, 1)}
    return form, findings


def draw_activity(
    rng: np.random.Generator, patient: Patient
) -> tuple[dict[str, Any], dict[str, float]]:
    """Movement counts per minute (or five) over 2 to 10 days."""
    low = patient.severity("low_mood")
    step = pick(rng, (60.0, 60.0, 300.0))
    days = pick(rng, (7.0, 7.0, 5.0, between(rng, 2, 10)))
    count = int(days * _DAY / step)
    day_share = (np.arange(count) * np.float32(step / _DAY) + np.float32(rng.random())) % 1
    lively = near(rng, 0.65 - 0.5 * low, 0.2, 0, 1)
    rhythm = near(rng, 0.75 - 0.5 * low, 0.18, 0, 1)
    broken = near(rng, 0.25 + 0.45 * low, 0.2, 0, 1)
    late = near(rng, 0.3 * low, 0.5, -1, 1)
    sleep, wake = 23.0 / 24 + 0.07 * late, 7.0 / 24 + 0.06 * late
    awake = 1 / (
        1 + np.exp(-60 * np.sin(np.pi * (day_share - wake)) * np.sin(np.pi * (sleep - day_share)))
    )
    if count > 4:  # waking at night, naps by day
        number = int(days * (2 + 12 * broken))
        for place, length in zip(rng.random(number), rng.random(number), strict=True):
            start = int(place * count)
            part = slice(start, start + int((10 + 70 * length * broken) * 60 / step) + 1)
            awake[part] = 1 - 0.7 * awake[part]
    drive = np.repeat(rng.standard_normal(count // 20 + 1), 20)[:count]
    swing = 0.35 + 0.65 * rhythm * np.sin(
        np.pi * np.clip((day_share - wake) / (sleep - wake), 0, 1)
    )
    level = awake * swing * np.exp(0.55 * drive)
    moving = rng.random(count) < np.clip(0.06 + 0.9 * level, 0, 0.97)
    burst = -np.log1p(-rng.random(count))
    unit = pick(rng, (1.0, 1.0, 4.0, 0.02))
    counts = unit * moving * (30 + 380 * lively * level) * burst
    counts[rng.random(count) < 0.02] *= 3
    if chance(rng, 0.3):  # taken off
        start = int(rng.random() * count)
        counts[start : start + int(count * between(rng, 0.02, 0.12))] = 0
    name = pick(rng, _ACTIVITY)
    names, units, columns = (
        [name],
        ["" if unit != 0.02 else "g"],
        [np.round(counts, 0 if unit >= 1 else 2)],
    )
    if unit == 0.02:
        names = [pick(rng, ("enmo", "acc_mag", "ENMO_g"))]
    if chance(rng, 0.15):
        pulse = 62 + 25 * awake + 0.05 / unit * counts + 3 * rng.standard_normal(count)
        names, units, columns = (
            [*names, "heart_rate"],
            [*units, "bpm"],
            [*columns, np.round(np.clip(pulse, 40, 180))],
        )
    findings = {
        "activity_level": signed(2 * lively - 1),
        "day_rhythm": signed(2 * rhythm - 1),
        "sleep_broken": signed(2 * broken - 1),
        "late_type": signed(late),
    }
    form = {
        "names": names,
        "units": units,
        "seconds": np.arange(count) * step,
        "values": np.stack(columns, 1),
    }
    return form, findings
