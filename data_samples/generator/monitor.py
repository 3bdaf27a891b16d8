"""A bedside monitor: (desaturation, fever and fast heart) -> minutes of vital signs.

Sites export differently: CSV with seconds, CSV with the time of day, or a WFDB record.
Real exports have gaps, loose sensors and rounding; so have these.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import wfdb
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter

from data_samples.generator.state import State

CHANNELS = ("hr_bpm", "spo2_pct", "resp_rate", "temp_c")
UNITS = ("bpm", "%", "1/min", "degC")
DECIMALS = (0, 1, 0, 1)
CADENCE = {"north": 2.0, "harbour": 4.0, "valley": 1.0}  # site: seconds between two readings


def write(folder: Path, state: State, site: str, rng: np.random.Generator) -> str:
    """Write the log of one case as a site's monitor exports it. Returns the file's name."""
    minutes = rng.uniform(6, 10)
    seconds = np.arange(0, minutes * 60, CADENCE[site])
    values = _loosen(vital_signs(*state.signs["monitor"], seconds=seconds, rng=rng), rng)
    values = np.column_stack([np.round(values[:, c], d) for c, d in enumerate(DECIMALS)])
    if site == "valley":
        _write_wfdb(folder, state.case_id, values)
        return f"{state.case_id}.hea"
    name = f"{state.case_id}.csv"
    start = int(rng.integers(6, 22)) * 3600 + int(rng.integers(0, 3600))
    kept = _without_gaps(len(seconds), rng)
    with (folder / name).open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["time_s" if site == "north" else "time", *CHANNELS])
        for second, reading in zip(seconds[kept], values[kept], strict=True):
            when = f"{second:g}" if site == "north" else _clock(start + int(second))
            rows.writerow([when, *("" if np.isnan(v) else f"{v:g}" for v in reading)])
    return name


def vital_signs(
    hypoxia: float, fever: float, seconds: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Heart rate, saturation, breathing rate and temperature (len(seconds), 4) before any fault.

    Both signs are standard normal. Dips of saturation come oftener and go deeper with hypoxia.
    """
    base = 95.2 - 1.5 * hypoxia + rng.normal(0, 0.5)
    spo2 = base + _wander(len(seconds), 0.5, rng)
    per_minute = float(np.clip(0.45 + 0.30 * hypoxia, 0.02, 1.6))
    for _ in range(rng.poisson(per_minute * seconds[-1] / 60)):
        start, length = rng.uniform(0, seconds[-1]), rng.uniform(12, 30)
        depth = max(1.0, rng.normal(4.5 + 1.2 * hypoxia, 1.0))
        shape = np.exp(-(((seconds - start) / length) ** 2))
        spo2 = spo2 - depth * shape
    breaths = 20 + 2.6 * hypoxia + rng.normal(0, 1.5) + _wander(len(seconds), 1.2, rng)
    heart = 86 + 6.0 * fever + rng.normal(0, 6.0) + _wander(len(seconds), 3.0, rng)
    heart = heart + 0.5 * (base - spo2)  # it hurries a little in a dip
    heat = 37.3 + 0.45 * fever + rng.normal(0, 0.2) + _wander(len(seconds), 0.04, rng)
    return np.column_stack([heart, np.clip(spo2, 60, 100), np.maximum(breaths, 6), heat])


def _wander(steps: int, spread: float, rng: np.random.Generator) -> np.ndarray:
    """Slow coming and going around zero."""
    walk = lfilter([1], [1, -0.95], rng.standard_normal(steps))
    return spread * gaussian_filter1d(walk, 2) / 3.2


def _loosen(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Loose sensors: readings that are absent, and a saturation that falls to nonsense."""
    values = values.copy()
    steps, channels = values.shape
    for channel in range(channels):
        for _ in range(rng.poisson(0.8)):
            start = rng.integers(0, steps)
            values[start : start + rng.integers(3, 12), channel] = np.nan
    if rng.random() < 0.3:
        start = rng.integers(0, steps)
        values[start : start + rng.integers(1, 4), 1] = rng.uniform(30, 50)
    return values


def _without_gaps(steps: int, rng: np.random.Generator) -> np.ndarray:
    """Which rows stay (steps,): some exports lose half a minute."""
    kept = np.ones(steps, bool)
    if rng.random() < 0.3:
        start = rng.integers(5, steps - 10)
        kept[start : start + rng.integers(5, 15)] = False
    return kept


def _write_wfdb(folder: Path, name: str, values: np.ndarray) -> None:
    """A WFDB record, one reading a second (physionet.org/physiotools/wag, header(5))."""
    wfdb.wrsamp(
        name,
        fs=1,
        units=list(UNITS),
        sig_name=list(CHANNELS),
        p_signal=values,
        fmt=["16"] * len(CHANNELS),
        adc_gain=[10.0] * len(CHANNELS),
        baseline=[0] * len(CHANNELS),
        comments=["SAMPLE: made-up record, not of a person"],
        write_dir=str(folder),
    )


def _clock(second: int) -> str:
    return f"{second // 3600 % 24:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
