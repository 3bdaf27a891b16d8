"""What can be measured of an input without learning: numbers by name, for the base to know.

One function per kind of data, from an input and what its embedded encoder's preparer made of it.
They are the handcrafted features of each field: a base from whose features they can be read off
knows at least what they know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise

import numpy as np
from scipy.fft import dct

from fmstudio.encoders.patches import CHANNELS, GRID, PATCH, SIDE
from fmstudio.encoders.spectrogram import BANDS, HOP_SECONDS
from fmstudio.types import ModalityInput, Prepared

PERCENTILES = (2, 10, 25, 50, 75, 90, 98)
SCALES = (1, 2, 4, 8)  # pixels over which a picture is averaged before its slopes are taken
ANGLES = 8
CEPSTRA = 16
ENVELOPES = 4  # groups of bands whose loudness is followed over time
RHYTHMS = np.geomspace(0.4, 20.0, 13)  # edges in Hz of the bands of a loudness's own spectrum


def measure(given: ModalityInput, prepared: Prepared) -> dict[str, float]:
    """The descriptors of one input; empty for a kind that has none."""
    found = MEASURES[given.kind](given, prepared) if given.kind in MEASURES else {}
    return {name: float(value) for name, value in found.items() if np.isfinite(value)}


def _frames(given: ModalityInput, prepared: Prepared) -> dict[str, float]:
    """Histogram, slopes at several scales, their directions, texture and motion of pictures."""
    cells = prepared.arrays["patch"].reshape(-1, GRID, GRID, CHANNELS, PATCH, PATCH)
    pictures = cells.transpose(0, 3, 1, 4, 2, 5).reshape(-1, CHANNELS, SIDE, SIDE)
    grey, change = pictures[:, :3].mean(1), pictures[:, 3]
    found = {f"percentile {p}": v for p, v in _percentiles(grey)}
    found |= {"spread": grey.std(), "motion": np.abs(change).mean(), "colour": _colour(pictures)}
    sizes = []
    for scale in SCALES:
        small = _averaged(grey, scale)
        rows, columns = np.gradient(small, axis=(1, 2))
        size = np.hypot(rows, columns)
        sizes.append(size.mean())
        found |= {f"slope {scale}": np.log(size.mean() + 1e-4), f"edges {scale}": size.std()}
        found[f"roughness {scale}"] = np.log(np.abs(np.diff(small, 2, axis=2)).mean() + 1e-4)
        if scale == 4:
            angle = ((np.arctan2(rows, columns) % np.pi) / np.pi * ANGLES).astype(int) % ANGLES
            shares = np.bincount(angle.ravel(), size.ravel(), ANGLES) / (size.sum() + 1e-6)
            found |= {f"direction {k}": share for k, share in enumerate(shares)}
    quarters = grey.reshape(len(grey), 4, SIDE // 4, 4, SIDE // 4)
    moved = np.abs(change).reshape(len(grey), 4, SIDE // 4, 4, SIDE // 4)
    for row in range(4):
        for column in range(4):
            part = quarters[:, row, :, column]
            found[f"mean {row}{column}"] = part.mean()
            found[f"spread {row}{column}"] = part.std((1, 2)).mean()
            found[f"motion {row}{column}"] = moved[:, row, :, column].mean()
    found["asymmetry"] = np.abs(grey - grey[:, :, ::-1]).mean()
    return found


def _percentiles(values: np.ndarray) -> Iterator[tuple[int, float]]:
    return zip(PERCENTILES, np.percentile(values, PERCENTILES), strict=True)


def _colour(pictures: np.ndarray) -> float:
    return float(np.ptp(pictures[:, :3], axis=1).mean())


def _averaged(pictures: np.ndarray, size: int) -> np.ndarray:
    side = SIDE // size
    return pictures.reshape(len(pictures), side, size, side, size).mean((2, 4))


def _waveform(given: ModalityInput, prepared: Prepared) -> dict[str, float]:
    """Loudness by band, cepstra and their change (Davis & Mermelstein 1980), and the rhythm of
    loudness in broad bands: breath, beat, murmur and wheeze differ in these."""
    columns = prepared.arrays["patch"].reshape(-1, BANDS)
    found = {f"band {b}": v for b, v in enumerate(columns.mean(0))}
    found |= {f"band spread {b}": v for b, v in enumerate(columns.std(0))}
    cepstra = dct(columns, axis=1, norm="ortho")[:, :CEPSTRA]
    steps = np.diff(cepstra, axis=0) if len(cepstra) > 1 else np.zeros((1, CEPSTRA))
    found |= {f"cepstrum spread {k}": v for k, v in enumerate(cepstra.std(0))}
    found |= {f"cepstrum change {k}": v for k, v in enumerate(np.abs(steps).mean(0))}
    loudness = columns.mean(1)
    found |= {f"loudness {p}": v for p, v in _percentiles(loudness)}
    hertz = np.fft.rfftfreq(512, HOP_SECONDS)
    for k, group in enumerate(np.split(columns, ENVELOPES, axis=1)):
        envelope = group.mean(1) - group.mean()
        power = np.abs(np.fft.rfft(envelope[:512] * np.hanning(min(len(envelope), 512)), 512)) ** 2
        for band, (low, high) in enumerate(pairwise(RHYTHMS)):
            inside = (hertz >= low) & (hertz < high)
            found[f"rhythm {k} {band}"] = np.log(power[inside].mean() + 1e-3)
    return found


def _series(given: ModalityInput, prepared: Prepared) -> dict[str, float]:
    """Per channel: level, spread, extremes, first, last, trend, jumps and how often it was read."""
    values, mask = np.asarray(given.values, np.float64), np.asarray(given.mask)
    seconds = np.asarray(given.facts["seconds"], np.float64)
    duration = max(float(seconds[-1] - seconds[0]), 1e-3) if len(seconds) else 1e-3
    found = {"duration": np.log1p(duration)}
    for index, channel in enumerate(given.facts["channels"]):
        there = mask[:, index]
        found[f"{channel}: read"] = np.log1p(there.sum())
        if not there.any():
            continue
        read, at = values[there, index], (seconds[there] - seconds[0]) / duration
        numbers = {
            "mean": read.mean(),
            "spread": read.std(),
            "lowest": read.min(),
            "highest": read.max(),
            "first": read[0],
            "last": read[-1],
            "median": np.median(read),
        }
        if len(read) > 2:
            numbers["trend"] = np.polyfit(at, read, 1)[0] if np.ptp(at) > 0 else 0.0
            numbers["jumps"] = np.abs(np.diff(read)).mean()
            numbers["late change"] = read[at >= 0.5].mean() - read.mean() if any(at >= 0.5) else 0.0
            numbers |= _by_day(read, seconds[there])
        found |= {f"{channel}: {name}": number for name, number in numbers.items()}
    return found


def _by_day(read: np.ndarray, seconds: np.ndarray) -> dict[str, float]:
    """Size of the daily wave and how alike the days are (cosinor: Halberg et al. 1967), where a
    recording is long enough to have days."""
    if seconds[-1] - seconds[0] < 2 * 86_400:
        return {}
    turn = 2 * np.pi * seconds / 86_400
    centred = read - read.mean()
    wave = np.hypot((centred * np.cos(turn)).mean(), (centred * np.sin(turn)).mean()) * 2
    return {"daily wave": wave, "daily share": wave**2 / 2 / (centred.var() + 1e-9)}


def _table(given: ModalityInput, prepared: Prepared) -> dict[str, float]:
    """The cells themselves: numbers as they are, categories as yes or no."""
    found = {}
    for index, name in enumerate(given.facts["names"]):
        if given.mask[index]:
            word = given.facts["categories"][index]
            value = 1.0 if word is not None else float(np.asarray(given.values)[index])
            found[f"{name}: {'number' if word is None else word}"] = value
    return found


MEASURES: Mapping[str, Callable[[ModalityInput, Prepared], dict[str, float]]] = {
    "frames": _frames,
    "waveform": _waveform,
    "series": _series,
    "table": _table,
}
