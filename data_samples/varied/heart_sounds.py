"""Heart sounds at the sites of auscultation: (patient) -> recordings at about 4 kHz.

S1 and S2 are short sums of damped low tones; murmurs are bands of noise shaped in time: ejection
(crescendo-decrescendo), holosystolic, late systolic, early diastolic, mid-diastolic, continuous.
After Walker, Hall, Hurst (eds.), Clinical Methods, chapters 22 to 28.
"""

from __future__ import annotations

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq

from data_samples.varied.made import between, chance, finding, near, pick, seen, signed
from data_samples.varied.patient import Patient

Array = np.ndarray

SITES = ("AV", "PV", "TV", "MV")
_NAMES = (
    ("AV", "PV", "TV", "MV"),
    ("audio_AV", "audio_PV", "audio_TV", "audio_MV"),
    ("aortic", "pulmonary", "tricuspid", "mitral"),
    ("RUSB", "LUSB", "LLSB", "apex"),
    ("Ao", "Pulm", "Tric", "Mit"),
    ("site_1", "site_2", "site_3", "site_4"),
)
# shape: (loudness at the four sites, lowest and highest pitch in Hz, systolic)
_MURMURS = {
    "ejection": ((1.0, 0.75, 0.5, 0.4), (90, 260), True),
    "pulmonary_flow": ((0.45, 1.0, 0.55, 0.25), (80, 200), True),
    "holosystolic_apex": ((0.3, 0.3, 0.5, 1.0), (120, 380), True),
    "holosystolic_sternal": ((0.3, 0.5, 1.0, 0.5), (100, 350), True),
    "late_systolic": ((0.2, 0.2, 0.4, 1.0), (150, 400), True),
    "early_diastolic": ((0.8, 1.0, 0.7, 0.3), (180, 450), False),
    "mid_diastolic": ((0.15, 0.15, 0.4, 1.0), (40, 110), False),
    "continuous": ((0.5, 1.0, 0.4, 0.25), (100, 350), True),
}


def draw_heart(
    rng: np.random.Generator, patient: Patient
) -> tuple[list[tuple[str, Array]], float, dict[str, float]]:
    """Recordings of one to four sites, their rate in Hz, and the findings."""
    ill, rate = patient.states, pick(rng, (4000.0, 4000.0, 4000.0, 2000.0, 8000.0))
    resting = 78 + 55 * np.exp(-patient.age / 4)
    pulse = near(rng, resting + 55 * ill["shock"] + 25 * ill["infection"], 10, 45, 190)
    rough = seen(rng, ill["arrhythmia"], 0.06)
    grade = seen(rng, ill["valve"], 0.25)
    kind = pick(rng, tuple(_MURMURS))
    split = near(rng, 0.3 + 0.3 * chance(rng, 0.2), 0.2, 0, 1)
    gallop = seen(rng, ill["heart_failure"], 0.05)
    effort = between(rng, 0.0, 1.0)
    seconds = between(rng, 5, 14) if rate < 8000 else between(rng, 4, 8)
    names, all_sites = pick(rng, _NAMES), (0, 1, 2, 3)
    sites = pick(rng, (all_sites, all_sites, (0, 1, 3), (0, 3), (3,), (1,), (2,), (0,)))
    if len(sites) > 2:
        seconds = min(seconds, 10.0)
    first, second = between(rng, 0.4, 1.3), between(rng, 0.4, 1.3)
    findings = {
        "heart_rate": signed((pulse - 95) / 55),
        "irregular_pulse": finding(rough),
        "murmur": finding(grade),
        "gallop": finding(gallop),
        "s2_split": finding(split),
        "s1_loud": signed((first - 0.85) / 0.45),
        "s2_loud": signed((second - 0.85) / 0.45),
    }
    loud, (low, high), systolic = _MURMURS[kind]
    pitch = between(rng, 0, 1)
    centre = low * (high / low) ** pitch
    if grade > 0:
        findings |= {
            "murmur_systolic": 1.0 if systolic else -1.0,
            "murmur_pitch": signed(np.log(centre / 160) / np.log(2.8)),
            "murmur_holosystolic": 1.0 if "holosystolic" in kind else -1.0,
            "murmur_diamond": 1.0 if kind in ("ejection", "pulmonary_flow") else -1.0,
            "murmur_base": signed(2 * (loud[0] + loud[1]) / sum(loud) - 1),
        }
    tone = between(rng, 0.8, 1.3) * (1 + 0.3 * np.exp(-patient.age / 5))
    recordings = []
    for site in sites:
        beats = _beats(rng, pulse, rough, seconds)
        count = int(seconds * rate)
        base = site < 2
        sound = _tones(
            rng,
            count,
            rate,
            beats,
            first * (0.7 if base else 1.1),
            second * (1.15 if base else 0.8),
            split if site == 1 else 0.5 * split,
            gallop * (site == 3),
            tone,
        )
        if grade > 0:
            strength = 0.55 * grade**1.5 * loud[site] * near(rng, 1, 0.15, 0.5, 1.5)
            sound += strength * _murmur(rng, count, rate, beats, kind, centre)
        sound += 0.12 * effort * between(rng, 0, 1) * _breath(rng, count, rate, patient)
        recordings.append((names[site], sound))
    return recordings, rate, findings


def _beats(rng: np.random.Generator, pulse: float, rough: float, seconds: float) -> Array:
    """(n, 3): onset of S1, onset of S2, length of the beat, in seconds."""
    count = int(seconds * pulse / 60 * 1.4) + 4
    length = 60 / pulse * (1 + (0.02 + 0.22 * rough) * rng.standard_normal(count))
    length = np.maximum(length, 0.45 * 60 / pulse)
    starts = np.cumsum(length) - length[0] * (1 + rng.random())
    systole = np.clip(0.20 + 0.13 * length, 0.12, 0.6 * length)
    return np.stack([starts, starts + systole, length], 1)


def _tones(
    rng: np.random.Generator,
    count: int,
    rate: float,
    beats: Array,
    first: float,
    second: float,
    split: float,
    gallop: float,
    tone: float,
) -> Array:
    sound = np.zeros(count, np.float32)
    thump = _thump(rng, rate, 45 * tone, 0.045) + 0.6 * _thump(rng, rate, 85 * tone, 0.03)
    clap = _thump(rng, rate, 65 * tone, 0.03) + 0.7 * _thump(rng, rate, 120 * tone, 0.02)
    dull = _thump(rng, rate, 32 * tone, 0.05)
    swing = 0.15 * np.sin(np.arange(len(beats)) * between(rng, 0.8, 1.8))
    for (start, close, length), breath in zip(beats, swing, strict=True):
        jitter = 1 + 0.1 * rng.standard_normal(2) + breath
        _add(sound, thump, start * rate, first * jitter[0])
        _add(sound, clap, close * rate, second * jitter[1])
        if split > 0.05:
            late = 0.02 + 0.05 * split * (1 + 2 * breath)
            _add(sound, clap, (close + late) * rate, 0.7 * second * jitter[1] * min(4 * split, 1))
        if gallop > 0.1:
            _add(sound, dull, (close + 0.14 + 0.1 * (length - 0.4)) * rate, gallop)
    return sound


def _thump(rng: np.random.Generator, rate: float, hertz: float, fading: float) -> Array:
    clock = np.arange(int(rate * 0.2), dtype=np.float32) / np.float32(rate)
    bend = hertz * (1 - 0.3 * np.minimum(clock / (3 * fading), 1))
    shape = np.minimum(clock / 0.008, 1) * np.exp(-clock / fading)
    return shape * np.sin(2 * np.pi * bend * clock + between(rng, 0, 6.28))


def _add(sound: Array, part: Array, at: float, gain: float) -> None:
    start = int(at)
    if start < 0 or start >= len(sound):
        return
    stop = min(start + len(part), len(sound))
    sound[start:stop] += np.float32(gain) * part[: stop - start]


def band_noise(
    rng: np.random.Generator, count: int, rate: float, centre: float, width: float
) -> Array:
    """Noise (count,) of unit spread in a band; `width` is the spread in octaves."""
    size = next_fast_len(count, real=True)
    hertz = np.maximum(rfftfreq(size, 1 / rate), 0.5).astype(np.float32)
    shape = np.exp(-np.square(np.log2(hertz / np.float32(centre)) / np.float32(width)))
    noise = irfft(rfft(rng.standard_normal(size, np.float32)) * shape, size)[:count]
    return (noise / max(float(noise.std()), 1e-9)).astype(np.float32)


def _murmur(
    rng: np.random.Generator, count: int, rate: float, beats: Array, kind: str, centre: float
) -> Array:
    noise = band_noise(rng, count, rate, centre, between(rng, 0.5, 1.0))
    clock = np.arange(count) / rate
    beat = np.clip(np.searchsorted(beats[:, 0], clock, side="right") - 1, 0, len(beats) - 1)
    start, close, length = beats[beat].T
    systole = (clock - start) / (close - start)
    diastole = (clock - close) / np.maximum(start + length - close, 0.05)
    inside = (systole > 0.06) & (systole < 0.97)
    after = (diastole > 0.02) & (diastole < 1)
    if kind in ("ejection", "pulmonary_flow"):
        peak = between(rng, 0.35, 0.65)
        shape = np.where(systole < peak, systole / peak, (1 - systole) / (1 - peak)) * inside
    elif kind.startswith("holosystolic"):
        shape = 0.75 * inside
    elif kind == "late_systolic":
        shape = np.clip((systole - 0.45) / 0.3, 0, 1) * inside
    elif kind == "early_diastolic":
        shape = np.exp(-3.0 * np.clip(diastole, 0, 1)) * after
    elif kind == "mid_diastolic":
        shape = np.exp(-np.square((diastole - 0.4) / 0.2)) * after
    else:
        shape = 0.35 + 0.65 * np.exp(-np.square((clock - close) / 0.12))
    return noise * np.clip(shape, 0, 1).astype(np.float32)


def _breath(rng: np.random.Generator, count: int, rate: float, patient: Patient) -> Array:
    each = 60 / (16 + 24 * np.exp(-patient.age / 3))
    wave = np.sin(
        np.arange(count, dtype=np.float32) * np.float32(2 * np.pi / (rate * each))
        + between(rng, 0, 6)
    )
    return band_noise(rng, count, rate, between(rng, 120, 350), 0.9) * np.square(wave)
