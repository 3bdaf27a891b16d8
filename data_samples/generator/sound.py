"""A breath sound: (wheeze, crackles) -> six seconds of WAV, 8 kHz, 16 bit, one channel.

Breath noise comes and goes with the breath. Wheeze is a tone of at least 100 ms with harmonics,
mostly while breathing out; crackles are damped bursts of a few milliseconds, mostly while
breathing in (Bohadana, Izbicki and Kraman, N Engl J Med 370:744, 2014).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import butter, sosfilt

from data_samples.generator.state import State

RATE = 8000  # Hz
SECONDS = 6.0
MICROPHONES = {"north": 1800.0, "harbour": 1300.0, "valley": 2500.0}  # site: upper limit in Hz


def write(path: Path, state: State, site: str, rng: np.random.Generator) -> None:
    """Write the recording of one case as the microphone of a site hears it."""
    wave = breathing(*state.signs["sound"], rng=rng)
    wave = sosfilt(butter(1, MICROPHONES[site], "low", fs=RATE, output="sos"), wave)
    wave += 10 ** rng.uniform(-2.0, -1.6) * rng.standard_normal(len(wave))  # the microphone itself
    loudest = rng.uniform(0.25, 0.85)
    soundfile.write(path, wave / np.abs(wave).max() * loudest, RATE, subtype="PCM_16")


def breathing(wheeze: float, crackles: float, rng: np.random.Generator) -> np.ndarray:
    """The sound (samples,) over one lung; both signs are standard normal."""
    time = np.arange(int(SECONDS * RATE)) / RATE
    cycle = (time / rng.uniform(2.2, 3.4) + rng.uniform(0, 1)) % 1  # of one breath
    inward = np.clip(np.sin(np.pi * cycle / 0.42), 0, 1) * (cycle < 0.42)
    outward = np.clip(np.sin(np.pi * (cycle - 0.46) / 0.54), 0, 1) * (cycle > 0.46)
    return (
        _breath_noise(inward, outward, rng)
        + _wheeze(wheeze, outward, time, rng)
        + _crackles(crackles, inward, rng)
        + _heart(time, rng)
    )


def _breath_noise(inward: np.ndarray, outward: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    upper = rng.uniform(480, 600)  # Hz, lower over a thick chest
    noise = rng.standard_normal(len(inward))
    noise = sosfilt(butter(2, [90, upper], "band", fs=RATE, output="sos"), noise)
    return 0.25 * noise / noise.std() * (0.05 + inward + 0.55 * outward)


def _wheeze(
    sign: float, outward: np.ndarray, time: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """From far below the breath noise (-2) to well above it (+2): 10 dB per standard deviation."""
    level = 0.16 * 10 ** (10 * np.clip(sign, -2.5, 2.5) / 20)
    pitch = rng.uniform(240, 420) * (1 + 0.06 * np.sin(2 * np.pi * rng.uniform(0.3, 0.7) * time))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    tone = np.sin(phase) + 0.5 * np.sin(2 * phase + 1) + 0.2 * np.sin(3 * phase + 2)
    return level * tone * outward**0.7


def _crackles(sign: float, inward: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Up to some twenty bursts a second late in the breath in, few or none when healthy."""
    per_second = float(np.clip(4 + 4 * sign, 0, 20))
    starts = np.flatnonzero(rng.random(len(inward)) < per_second / RATE * (inward > 0.35))
    train = np.zeros(len(inward))
    train[starts] = rng.uniform(0.6, 1.6, len(starts)) * rng.choice([-1, 1], len(starts))
    moment = np.arange(int(0.012 * RATE)) / RATE
    burst = np.exp(-moment / 0.0025) * np.sin(2 * np.pi * rng.uniform(450, 750) * moment)
    return np.convolve(train, burst)[: len(inward)]


def _heart(time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """First and second heart sound, faint under the breath."""
    beat = (time * rng.uniform(1.1, 1.7) + rng.uniform(0, 1)) % 1
    first = np.exp(-(((beat - 0.10) / 0.035) ** 2)) * np.sin(2 * np.pi * 45 * time)
    second = np.exp(-(((beat - 0.45) / 0.025) ** 2)) * np.sin(2 * np.pi * 65 * time)
    return rng.uniform(0.1, 0.5) * (first + 0.7 * second)
