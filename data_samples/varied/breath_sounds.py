"""Breath sounds over the lungs: (patient) -> recordings at 4 to 16 kHz.

Airflow is noise below about 1 kHz, louder when breathing in; wheeze and stridor are tones, rhonchi
low tones, crackles short damped deflections (Bohadana et al., N Engl J Med 2014;370:744-751).
"""

from __future__ import annotations

import numpy as np

from data_samples.varied.heart_sounds import band_noise
from data_samples.varied.made import between, chance, finding, near, pick, seen, signed
from data_samples.varied.patient import Patient

Array = np.ndarray

_SITES = (
    "breath_sound",
    "lung",
    "right_base",
    "left_base",
    "trachea",
    "anterior_left",
    "audio",
    "posterior_right",
)


def draw_breath(
    rng: np.random.Generator, patient: Patient
) -> tuple[list[tuple[str, Array]], float, dict[str, float]]:
    """Recordings of one or two sites, their rate in Hz, and the findings."""
    ill, rate = patient.states, pick(rng, (4000.0, 8000.0, 8000.0, 16000.0))
    resting = 16 + 24 * np.exp(-patient.age / 3)
    breaths = near(rng, resting * (1 + 0.8 * ill["hypoxia"] + 0.3 * ill["infection"]), 2.5, 8, 75)
    wheeze = seen(rng, max(ill["obstruction"], 0.7 * ill["bronchiolitis"]), 0.15)
    crackles = seen(rng, max(ill["pneumonia"], ill["heart_failure"], ill["bronchiolitis"]), 0.15)
    coarse = between(rng, 0, 1)
    stridor = seen(rng, 0.0, 0.12 if patient.age < 8 else 0.05)
    rhonchi = seen(rng, 0.6 * ill["pneumonia"], 0.1) if chance(rng, 0.5) else 0.0
    weak = seen(rng, max(ill["pneumothorax"], 0.5 * ill["obstruction"]), 0.1)
    slow_out = max(wheeze, 0.7 * ill["obstruction"])
    findings = {
        "breath_rate": signed((np.log(breaths / 22)) / 0.9),
        "wheeze": finding(wheeze),
        "crackles": finding(crackles),
        "stridor": finding(stridor),
        "rhonchi": finding(rhonchi),
        "breath_sounds_weak": finding(weak),
        "long_expiration": finding(slow_out),
    }
    if crackles > 0.1:
        findings["crackles_coarse"] = signed(2 * coarse - 1)
    seconds = between(rng, 5, 12) if rate < 16000 else between(rng, 3, 6)
    recordings = []
    for site in range(pick(rng, (1, 1, 1, 2))):
        count = int(seconds * rate)
        each = 60 / breaths
        clock = np.arange(count, dtype=np.float32) / np.float32(rate)
        place = clock / np.float32(each) + np.float32(rng.random())
        phase = place % 1
        share = 0.42 - 0.14 * slow_out
        inward = np.where(phase < share, np.sin(np.pi * phase / share), 0)
        outward = np.where(
            phase >= share,
            np.sin(np.pi * np.minimum((phase - share) / (0.45 + 0.35 * slow_out), 1)),
            0,
        )
        level = 0.30 * (1 - 0.85 * weak)
        flow = inward + between(rng, 0.3, 0.8) * outward
        sound = (
            level
            * flow
            * band_noise(rng, count, rate, between(rng, 150, 450), between(rng, 0.8, 1.4))
        )
        if wheeze > 0:
            sound += 0.45 * wheeze * _tone(rng, clock, between(rng, 220, 750), 0.06) * outward
            if chance(rng, 0.4):
                sound += 0.25 * wheeze * _tone(rng, clock, between(rng, 180, 600), 0.08) * flow
        if stridor > 0:
            sound += 0.5 * stridor * _tone(rng, clock, between(rng, 450, 1000), 0.1) * inward
        if rhonchi > 0:
            growl = _tone(rng, clock, between(rng, 90, 180), 0.05)
            sound += 0.5 * rhonchi * (growl + 0.5 * growl**3) * (outward + 0.4 * inward)
        if crackles > 0:
            sound += _crackles(rng, count, rate, each, float(place[0]), share, crackles, coarse)
        if chance(rng, 0.5):
            sound += _heartbeat(rng, count, rate)
        recordings.append((_SITES[(site + int(rng.integers(8))) % 8], sound.astype(np.float32)))
    return recordings, rate, findings


def _tone(rng: np.random.Generator, clock: Array, hertz: float, drift: float) -> Array:
    """A musical tone with overtones whose pitch wanders."""
    slow = np.sin(clock * np.float32(between(rng, 2, 9)) + np.float32(rng.random() * 6))
    angle = np.float32(2 * np.pi * hertz) * (clock + np.float32(drift / 6) * slow)
    tone = np.sin(angle)
    return tone + np.float32(between(rng, 0.1, 0.5)) * np.sin(2 * angle)


def _crackles(
    rng: np.random.Generator,
    count: int,
    rate: float,
    each: float,
    start: float,
    share: float,
    amount: float,
    coarse: float,
) -> Array:
    """Short deflections while breathing in; coarse ones are longer and also come early."""
    sound = np.zeros(count, np.float32)
    clock = np.arange(int(rate * (0.012 + 0.02 * coarse)), dtype=np.float32) / np.float32(rate)
    hertz = 750 - 500 * coarse
    if hertz > 0.45 * rate:
        hertz = 0.45 * rate
    pop = np.sin(2 * np.pi * hertz * clock**0.8) * np.exp(-clock * (420 - 260 * coarse))
    total = int(amount * (10 + 14 * (1 - coarse)) * count / rate / each) + 1
    breath = np.floor(rng.random(total) * count / rate / each)
    early = 0.05 if coarse > 0.5 else 0.45
    at = (breath + (early + (1 - early) * rng.random(total)) * share - start % 1) * each * rate
    for place, gain in zip(at.astype(int), 0.25 + rng.random(total), strict=True):
        if 0 <= place < count - len(pop):
            sound[place : place + len(pop)] += np.float32(0.7 * gain) * pop
    return sound


def _heartbeat(rng: np.random.Generator, count: int, rate: float) -> Array:
    beat = np.arange(count, dtype=np.float32) * np.float32(between(rng, 1.0, 2.4) / rate) % 1
    shape = np.exp(-np.square((beat - 0.1) / 0.03)) + 0.7 * np.exp(
        -np.square((beat - 0.42) / 0.025)
    )
    clock = np.arange(count, dtype=np.float32) / np.float32(rate)
    return (
        np.float32(between(rng, 0.05, 0.4))
        * shape
        * np.sin(2 * np.pi * between(rng, 35, 70) * clock)
    )
