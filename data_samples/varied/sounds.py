"""Sounds of the body: (patient) -> a waveform of one or more sites, as recorded by some device.

Each maker gives pure sound at its own level; a device adds its band, its noise and its faults.
"""

from __future__ import annotations

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq

from data_samples.varied import breath_sounds, heart_sounds, voices
from data_samples.varied.made import Made, between, chance, pick, waveform
from data_samples.varied.patient import Patient, draw_patient
from data_samples.varied.phrases import describe

Array = np.ndarray


def draw(rng: np.random.Generator, patient: Patient | None = None) -> Made:
    """Heart sounds, breath sounds, cough, cry or speech of a patient."""
    patient = patient or draw_patient(rng)
    ill, what = patient.states, rng.random()
    airways = max(ill["pneumonia"], ill["obstruction"], ill["bronchiolitis"])
    heart = 0.45 + 0.3 * max(ill["valve"], ill["heart_failure"]) - 0.25 * airways
    if patient.age < 1.5 and what < 0.3 + 0.4 * ill["colic"]:
        made = voices.draw_cry(rng, patient)
    elif what < heart:
        made = heart_sounds.draw_heart(rng, patient)
    elif what < heart + 0.3:
        made = breath_sounds.draw_breath(rng, patient)
    elif what < heart + 0.42:
        made = voices.draw_cough(rng, patient)
    else:
        made = voices.draw_speech(rng, patient)
    recordings, rate, findings = made
    recorded = _recorded(rng, recordings, rate)
    words = " ".join(describe(rng, findings, limit=pick(rng, (2, 3, 4))))
    return Made(waveform(recorded, rate), findings, words)


def _recorded(
    rng: np.random.Generator, recordings: list[tuple[str, Array]], rate: float
) -> list[tuple[str, Array]]:
    """The recordings as one device of some quality stores them."""
    low = pick(rng, (0.0, 10.0, 20.0, 30.0, 60.0))
    high = rate / 2 * pick(rng, (1.0, 1.0, 0.9, 0.6, 0.4))
    slope, noise = between(rng, -8, 8), between(rng, 0.05, 1.0) ** 2.5
    hum = between(rng, 0.02, 0.2) * chance(rng, 0.12)
    mains = pick(rng, (50.0, 60.0))
    bits = pick(rng, (16, 16, 16, 12, 8))
    stored = []
    for name, sound in recordings:
        count = len(sound)
        grain = rng.standard_normal(count, np.float32)
        size = next_fast_len(count, real=True)
        hertz = np.maximum(rfftfreq(size, 1 / rate), 1.0).astype(np.float32)
        band = (
            hertz**2
            / (hertz**2 + np.float32(low**2))
            / (1 + (hertz / np.float32(max(high, 1))) ** 8)
        )
        tilt = (hertz / 300) ** np.float32(slope / 20)
        level = max(float(np.sqrt(np.mean(np.square(sound)))), 1e-5)
        heard = irfft(rfft(sound + 0.4 * noise * level * grain, size) * band * tilt, size)[:count]
        heard = heard.astype(np.float32)
        if hum:
            clock = np.arange(count, dtype=np.float32) / np.float32(rate)
            heard += np.float32(hum * level) * np.sin(2 * np.pi * mains * clock, dtype=np.float32)
        heard = _disturbed(rng, heard, rate)
        peak = max(float(np.abs(heard).max()), 1e-9)
        gain = between(rng, 0.05, 1.0) if not chance(rng, 0.06) else between(rng, 1.2, 3)
        heard = np.clip(heard * np.float32(gain / peak), -1, 1)
        stored.append((name, np.round(heard * 2 ** (bits - 1)) / np.float32(2 ** (bits - 1))))
    return stored


def _disturbed(rng: np.random.Generator, sound: Array, rate: float) -> Array:
    """Rubbing of the stethoscope, knocks, a gap."""
    count = len(sound)
    level = float(np.sqrt(np.mean(np.square(sound))))
    for _ in range(pick(rng, (0, 0, 0, 1, 1, 2, 4))):
        length = int(rate * between(rng, 0.05, 0.8))
        start = int(rng.random() * max(count - length, 1))
        grain = rng.standard_normal(length, np.float32)
        rub = np.cumsum(grain) / np.float32(np.sqrt(length)) if chance(rng, 0.4) else grain
        shape = np.hanning(length).astype(np.float32) ** 2
        part = sound[start : start + length]
        part += (np.float32(level * between(rng, 0.3, 2.5)) * rub * shape)[: len(part)]
    if chance(rng, 0.04):
        start = int(rng.random() * count * 0.8)
        sound[start : start + int(count * between(rng, 0.02, 0.1))] = 0
    return sound
