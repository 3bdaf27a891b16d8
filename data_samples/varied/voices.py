"""Voices: infant cries, coughs and speech-like babble: (patient) -> recordings at 8 to 16 kHz.

Source and filter (Fant 1960): a train of pulses with a pitch contour, and noise, through a few
resonances. A cry is a breath cycle of voiced expiration at 300 to 600 Hz; a cough is a burst, a
noisy phase and sometimes a voiced end.
"""

from __future__ import annotations

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq

from data_samples.varied.heart_sounds import band_noise
from data_samples.varied.made import between, chance, finding, near, pick, seen, signed
from data_samples.varied.patient import Patient

Array = np.ndarray
_VOWELS = (
    (730, 1090, 2440),
    (270, 2290, 3010),
    (300, 870, 2240),
    (530, 1840, 2480),
    (570, 840, 2410),
)


def draw_cry(
    rng: np.random.Generator, patient: Patient
) -> tuple[list[tuple[str, Array]], float, dict[str, float]]:
    """One recording of a crying infant."""
    rate = pick(rng, (8000.0, 8000.0, 16000.0))
    pain = seen(rng, max(patient.states["colic"], patient.states["infection"]), 0.3)
    hoarse, pitch = seen(rng, 0.0, 0.35), near(rng, 400 + 120 * pain, 60, 260, 700)
    melody, dense = between(rng, 0, 1), near(rng, 0.45 + 0.3 * pain, 0.15, 0.1, 1)
    seconds = between(rng, 4, 7) if rate < 16000 else between(rng, 2.5, 4)
    count = int(seconds * rate)
    tone, loud = np.full(count, pitch, np.float32), np.zeros(count, np.float32)
    at = between(rng, 0, 0.4)
    while at < seconds:
        length = between(rng, 0.35, 0.9) * (1 + 0.8 * pain)
        start, stop = int(at * rate), min(int((at + length) * rate), count)
        if stop - start < 64:
            break
        place = np.linspace(0, 1, stop - start, dtype=np.float32)
        rise = np.sin(np.pi * place ** np.float32(between(rng, 0.5, 1.2)))
        tone[start:stop] = (
            pitch * between(rng, 0.92, 1.08) * (1 + (0.08 + 0.45 * melody) * (rise - 0.5))
        )
        loud[start:stop] = np.minimum(np.minimum(place / 0.08, (1 - place) / 0.15), 1)
        at += length + between(rng, 0.12, 0.3) + 1.4 * (1 - dense) * between(rng, 0.3, 1)
    source = _pulses(rng, tone, rate, 0.01 + 0.05 * hoarse)
    source += (0.1 + 1.2 * hoarse) * rng.standard_normal(count, np.float32)
    sound = resonate(source * loud, rate, ((1100, 250), (3300, 400), (2200, 500)))
    findings = {
        "cry_pitch": signed((pitch - 460) / 160),
        "cry_melody": signed(2 * melody - 1),
        "cry_density": signed(2 * dense - 1),
        "hoarse": finding(hoarse),
    }
    return [(pick(rng, ("audio", "cry", "recording", "voice")), sound)], rate, findings


def draw_cough(
    rng: np.random.Generator, patient: Patient
) -> tuple[list[tuple[str, Array]], float, dict[str, float]]:
    """One recording with one to eight coughs."""
    rate = pick(rng, (8000.0, 16000.0, 16000.0))
    ill = patient.states
    wet = seen(rng, max(ill["pneumonia"], ill["bronchiolitis"]), 0.3)
    voiced, bark = seen(rng, 0.0, 0.5), seen(rng, 0.0, 0.25 if patient.age < 6 else 0.05)
    fits = between(rng, 0, 1)
    seconds = between(rng, 3, 7) if rate < 16000 else between(rng, 2, 4)
    count = int(seconds * rate)
    sound = 0.01 * rng.standard_normal(count, np.float32)
    number = 1 + int(7 * fits)
    size = 1.35 - 0.4 * min(patient.age / 20, 1)
    noise = band_noise(rng, count, rate, between(rng, 500, 1100) * size, 1.3)
    rattle = band_noise(rng, count, rate, 180, 0.7)
    gate = (
        np.sin(
            np.arange(count, dtype=np.float32) * np.float32(2 * np.pi * between(rng, 25, 45) / rate)
        )
        > 0.2
    )
    hertz = between(rng, 140, 260) * size
    hum = _pulses(rng, np.full(count, hertz, np.float32), rate, 0.02)
    clock = np.arange(count, dtype=np.float32) / np.float32(rate)
    at = between(rng, 0.1, 0.5)
    for _ in range(number):
        since = clock - np.float32(at)
        length = between(rng, 0.2, 0.4)
        on = since > 0
        burst = on * np.exp(-np.clip(since, 0, 9) / 0.035)
        middle = on * np.exp(-np.clip(since, 0, 9) / np.float32(length / 2.2)) * 0.45
        late = np.exp(-np.square((since - length) / 0.07))
        sound += between(rng, 0.6, 1.1) * (
            (burst + middle) * noise + 1.2 * wet * middle * rattle * (0.3 + gate)
        )
        sound += 0.25 * (voiced * late + 1.5 * bark * middle) * hum
        at += length + (between(rng, 0.15, 0.35) if chance(rng, 0.7) else between(rng, 0.5, 1.2))
    findings = {
        "cough_wet": finding(wet),
        "cough_voiced": finding(voiced),
        "cough_barking": finding(bark),
        "cough_many": signed(2 * (min(number, 1 + int((seconds - 0.3) / 0.6)) - 1) / 7 - 1),
    }
    return [(pick(rng, ("cough", "audio", "recording")), sound)], rate, findings


def draw_speech(
    rng: np.random.Generator, patient: Patient
) -> tuple[list[tuple[str, Array]], float, dict[str, float]]:
    """One recording of syllables without words."""
    rate = pick(rng, (8000.0, 16000.0, 16000.0))
    low = seen(rng, patient.states["low_mood"], 0.15)
    slurred = seen(rng, patient.states["stroke"], 0.1)
    hoarse = seen(rng, 0.0, 0.3)
    adult = 205.0 if patient.female else 120.0
    pitch = near(rng, adult if patient.age > 14 else 280, 22, 75, 380)
    pace = near(rng, 4.6 - 1.8 * low - 1.5 * slurred, 0.4, 1.5, 6.5)
    lively = near(rng, 0.6 - 0.5 * low, 0.12, 0, 1)
    shake = seen(rng, 0.0, 0.15)
    seconds = between(rng, 3, 6) if rate < 16000 else between(rng, 2, 4)
    count = int(seconds * rate)
    tone, loud = np.full(count, pitch, np.float32), np.zeros(count, np.float32)
    clock = np.arange(count, dtype=np.float32) / np.float32(rate)
    sound = np.zeros(count, np.float32)
    at, parts = between(rng, 0, 0.2), []
    while at < seconds:
        length = between(rng, 0.6, 1.0) / pace
        start, stop = int(at * rate), min(int((at + length) * rate), count)
        if stop - start < 64:
            break
        place = np.linspace(0, 1, stop - start, dtype=np.float32)
        height = 1 + lively * between(rng, -0.35, 0.35)
        tone[start:stop] = pitch * height * (1 + lively * between(rng, -0.2, 0.2) * place)
        loud[start:stop] = np.minimum(np.minimum(place / 0.15, (1 - place) / 0.25), 1) * between(
            rng, 0.6, 1
        )
        parts.append((start, stop, pick(rng, _VOWELS)))
        at += length + between(rng, 0.02, 0.1)
        if chance(rng, 0.12 + 0.2 * low):
            at += between(rng, 0.2, 0.5) * (1 + 2 * low)
    tone = tone * (1 + 0.06 * shake * np.sin(2 * np.pi * 5.5 * clock))
    source = _pulses(rng, tone, rate, 0.008 + 0.04 * hoarse)
    source = (source + (0.05 + 0.9 * hoarse) * rng.standard_normal(count, np.float32)) * loud
    mean = np.mean([vowel for *_, vowel in parts], 0) if parts else np.array(_VOWELS[0])
    size = 1.0 if patient.age > 14 and not patient.female else 1.15
    for vowel in {vowel for *_, vowel in parts}:
        here = np.zeros(count, np.float32)
        for start, stop, said in parts:
            if said == vowel:
                here[start:stop] = source[start:stop]
        blurred = np.array(vowel) * (1 - 0.6 * slurred) + mean * 0.6 * slurred
        sound += resonate(here, rate, tuple((f * size, 60 + 0.06 * f) for f in blurred))
    if chance(rng, 0.6):  # hissing consonants between the syllables
        hiss = band_noise(rng, count, rate, 0.3 * rate, 0.5) * (loud < 0.1) * (loud > 0.005)
        sound += 0.15 * float(np.abs(sound).max()) * hiss
    findings = {
        "voice_pitch": signed((pitch - 180) / 90),
        "speech_rate": signed((pace - 4) / 1.8),
        "speech_lively": signed(2 * lively - 1),
        "hoarse": finding(hoarse),
        "slurred": finding(slurred),
        "voice_tremor": finding(shake),
    }
    return [(pick(rng, ("speech", "voice", "audio", "interview")), sound)], rate, findings


def _pulses(rng: np.random.Generator, tone: Array, rate: float, jitter: float) -> Array:
    """Glottal pulses of the pitch contour `tone` (Hz per sample), of about unit spread."""
    phase = (
        np.cumsum(tone, dtype=np.float64) / rate
        + jitter * np.repeat(rng.standard_normal(len(tone) // 64 + 1), 64)[: len(tone)]
    )
    saw = (phase % 1).astype(np.float32)
    return 3 * (1 - saw) ** 4 - np.float32(0.6)


def resonate(source: Array, rate: float, peaks: tuple[tuple[float, float], ...]) -> Array:
    """Sound through resonances (Hz, bandwidth in Hz), unit spread."""
    size = next_fast_len(len(source), real=True)
    hertz = rfftfreq(size, 1 / rate).astype(np.float32)
    gain = np.full(len(hertz), 0.02, np.float32)
    for number, (centre, width) in enumerate(peaks):
        gain += np.float32(1 / (1 + number)) / (1 + np.square((hertz - centre) / width))
    sound = irfft(rfft(source, size) * gain, size)[: len(source)]
    return (sound / max(float(sound.std()), 1e-6)).astype(np.float32)
