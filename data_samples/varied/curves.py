"""Device logs: (patient) -> series in physical units, as `pipelines/device_logs.py` delivers them.

Intensive care charts, bedside monitors, glucose sensors, activity counters, and strips of ECG, PPG
and breathing. Names always stand for one unit, so that their scale can be learned.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from data_samples.varied import strips, wearables
from data_samples.varied.made import Made, between, chance, finding, near, pick, series, signed
from data_samples.varied.parameters import BY_KEY, PARAMETERS, Parameter
from data_samples.varied.patient import Patient, draw_patient
from data_samples.varied.phrases import describe

Array = np.ndarray
_HOUR = 3600.0
# What the heart does is seen in all that is charted together; noise of one measurement, in spreads.
_CHART_NOISE, _MONITOR_NOISE = 0.45, 0.3


def draw(rng: np.random.Generator, patient: Patient | None = None) -> Made:
    """A log of a patient: most often the chart of an intensive care stay."""
    patient = patient or draw_patient(rng)
    ill, what = patient.states, rng.random()
    sweet, low, beat = (
        0.14 + 0.3 * ill["diabetes"],
        0.14 + 0.3 * ill["low_mood"],
        0.14 + 0.2 * ill["arrhythmia"],
    )
    if what < sweet:
        parts = wearables.draw_glucose(rng, patient)
    elif what < sweet + low and patient.age > 3:
        parts = wearables.draw_activity(rng, patient)
    elif what < sweet + low + beat:
        parts = strips.draw_strip(rng, patient)
    elif what < sweet + low + beat + 0.14:
        parts = draw_monitor(rng, patient)
    else:
        parts = draw_chart(rng, patient)
    form, findings = parts
    words = " ".join(describe(rng, findings, limit=pick(rng, (2, 3, 4))))
    return Made(series(**form), findings, words)


def _course(
    rng: np.random.Generator, patient: Patient
) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """States at the start and their change until the end, and the findings that say so."""
    states = dict(patient.states)
    if chance(rng, 0.3):  # something that happens on the ward
        new = pick(rng, ("shock", "hypoxia", "infection", "kidney", "coma", "anaemia"))
        states[new] = max(states[new], between(rng, 0.3, 1))
    course = near(rng, patient.course, 0.2, -1, 1)
    change = {}
    for name, worst in states.items():
        moves = (
            course
            * between(rng, 0.3, 1)
            * (worst if course < 0 else max(worst, 0.25 * (worst > 0)))
        )
        change[name] = min(max(moves, -worst), 1 - worst)
    findings = {"deteriorating": signed(course)}
    for name in ("shock", "hypoxia", "infection", "kidney", "coma", "anaemia", "liver"):
        findings[f"log_{name}"] = finding(states[name] + 0.5 * change[name])
    return states, change, findings


def draw_chart(
    rng: np.random.Generator, patient: Patient
) -> tuple[dict[str, Any], dict[str, float]]:
    """A chart of 6 to 72 hours: dozens of parameters, each minutes to many hours apart."""
    states, change, findings = _course(rng, patient)
    hours = pick(rng, (48.0, 48.0, 48.0, 24.0, 72.0, 12.0))
    style = pick(rng, (0, 0, 1, 2, None))
    often, keep = between(rng, 0.5, 1.6), between(rng, 0.35, 0.95)
    chosen = [
        p for p in PARAMETERS if p.hours < 99 and chance(rng, keep if p.vital else 0.85 * keep)
    ]
    chosen = chosen or [PARAMETERS[0]]
    times: list[Array] = []
    readings: list[Array] = []
    for parameter in chosen:
        step = max(parameter.hours * often * between(rng, 0.6, 1.6), 0.25)
        count = max(1, min(int(hours / step), 160))
        at = np.sort(rng.random(count)) * hours
        if parameter.vital and chance(rng, 0.7):
            at = np.arange(count) * step + 0.1 * step * rng.random(count)
        at = np.round(at * 60 / 5) * 300 if chance(rng, 0.7) else np.round(at * 60) * 60
        times.append(at)
        readings.append(
            _trace(rng, parameter, patient, states, change, at / (hours * _HOUR), _CHART_NOISE)
        )
    seconds, where = np.unique(np.concatenate(times), return_inverse=True)
    values = np.full((len(seconds), len(chosen)), np.nan, np.float32)
    column = np.repeat(np.arange(len(chosen)), [len(at) for at in times])
    values[where, column] = np.concatenate(readings)
    _artefacts(rng, values)
    names, units, scaled = _named(rng, chosen, values, style)
    findings["stay_long"] = signed((hours - 48) / 36)
    return {"names": names, "units": units, "seconds": seconds, "values": scaled}, findings


def draw_monitor(
    rng: np.random.Generator, patient: Patient
) -> tuple[dict[str, Any], dict[str, float]]:
    """Numbers of a bedside monitor every few seconds or minutes for some hours."""
    states, change, findings = _course(rng, patient)
    step = pick(rng, (5.0, 10.0, 30.0, 60.0, 60.0, 300.0))
    count = int(np.clip(between(rng, 0.5, 12) * _HOUR / step, 40, 1500))
    keys = pick(
        rng,
        (
            ("hr", "spo2"),
            ("hr", "spo2", "rr"),
            ("hr", "rr", "spo2", "sbp", "dbp", "temp"),
            ("hr", "sbp", "dbp", "map", "spo2", "rr", "etco2"),
        ),
    )
    chosen = [BY_KEY[key] for key in keys]
    place = np.linspace(0, 1, count)
    dips = between(rng, 0.2, 1) if chance(rng, 0.3) else 0.0
    columns = []
    for parameter in chosen:
        trace = _trace(rng, parameter, patient, states, change, place, _MONITOR_NOISE)
        if parameter.key == "spo2" and dips:
            for centre in rng.random(3 + int(12 * dips)):
                trace = trace - 12 * dips * np.exp(-np.square((place - centre) / 0.006))
        columns.append(np.clip(trace, *parameter.limits))
    values = np.stack(columns, 1).astype(np.float32)
    if chance(rng, 0.5):  # leads off
        for _ in range(pick(rng, (1, 2, 4))):
            start = int(rng.random() * count)
            values[
                start : start + int(count * between(rng, 0.005, 0.06)),
                int(rng.integers(len(chosen))),
            ] = np.nan
    _artefacts(rng, values)
    names, units, scaled = _named(rng, chosen, values, pick(rng, (0, 1, 2, None)))
    findings["desaturations"] = finding(dips)
    return {
        "names": names,
        "units": units,
        "seconds": np.arange(count) * step,
        "values": scaled,
    }, findings


def _trace(
    rng: np.random.Generator,
    parameter: Parameter,
    patient: Patient,
    states: dict[str, float],
    change: dict[str, float],
    place: Array,
    noise: float,
) -> Array:
    """Values of one parameter at places in [0, 1] of the stay."""
    start = parameter.score(patient, states, float(rng.standard_normal()))
    slope = parameter.pull(change)
    knots = np.cumsum(rng.standard_normal(9)) * 0.35
    wander = np.interp(place, np.linspace(0, 1, 9), knots - knots[0])
    z = start + slope * place + 0.6 * wander + noise * rng.standard_normal(len(place))
    value = parameter.level(z, patient.age)
    spread = parameter.spread * (parameter.median if parameter.ratio else 1)
    digits = int(np.clip(np.ceil(-np.log10(max(spread, 1e-6))) + 1, 0, 3))
    return np.round(value, digits)


def _artefacts(rng: np.random.Generator, values: Array) -> None:
    """A few readings that cannot be: zeros, or ten times too much."""
    if chance(rng, 0.25):
        for _ in range(pick(rng, (1, 2, 4))):
            row, column = (int(rng.integers(length)) for length in values.shape)
            values[row, column] = 0.0 if chance(rng, 0.6) else values[row, column] * 10


def _named(
    rng: np.random.Generator, chosen: list[Parameter], values: Array, style: int | None
) -> tuple[list[str], list[str], Array]:
    """Names and units in the style of one hospital; values changed to those units."""
    names, units = [], []
    scaled = np.array(values, np.float32)
    for column, parameter in enumerate(chosen):
        form = (
            pick(rng, parameter.forms)
            if style is None
            else parameter.forms[min(style * 2, len(parameter.forms) - 1)]
        )
        names.append(form.name)
        units.append(form.unit)
        scaled[:, column] = scaled[:, column] * np.float32(form.factor) + np.float32(form.offset)
    return names, units, scaled
