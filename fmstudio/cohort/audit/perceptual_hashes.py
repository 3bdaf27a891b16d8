"""What tells that two files hold the same: vectors of unit length, compared by their correlation.

frames     sign bits of the low frequencies of a 32 x 32 picture, the perceptual hash of Zauner
           (2010, "Implementation and Benchmarking of Perceptual Image Hash Functions", DCT), and
           the ranks of the picture's points at 16 x 16, which must agree too: films of one region
           look alike
waveform   signs of energy differences over time and frequency (Haitsma and Kalker 2002, "A Highly
           Robust Audio Fingerprinting System")
series     each channel at 64 moments, centred and scaled (piecewise aggregate approximation of
           normalized series: Keogh et al. 2001)
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.fft import dctn
from scipy.stats import rankdata

from fmstudio.types import ModalityInput

MOST_FRAMES = 8
HASH_SIDE, LOW, THUMB = 32, 8, 16
MOMENTS, BANDS = 64, 33
LOWEST_HZ, HIGHEST_HZ = 25.0, 4000.0
LONGEST_SECONDS = 120.0
MOST_CHANNELS = 6

# Correlation from which on two marks are the same file in another form (other size, compression,
# gain). Bits that differ at random correlate by 0. Of pictures and curves what the whole cohort
# shares is taken away first: films of one region correlate by up to 0.996, without their mean by
# less than 0.945, and the same film at 40 % of its size as JPEG by more than 0.965.
SAME: Mapping[str, Mapping[str, float]] = {
    "frames": {"hash": 0.7, "thumb": 0.96},
    "waveform": {"hash": 0.6},
    "series": {"shape": 0.99},
}
LESS_THE_MEAN = ("thumb", "shape")


def marks_of(given: ModalityInput) -> dict[str, np.ndarray]:
    """By name, vectors (P, D) float16 of unit length: P frames, or 1. {} where nothing tells."""
    if given.empty or isinstance(given.values, str):
        return {}
    make = {"frames": _frames, "waveform": _waveform, "series": _series}.get(given.kind)
    return {} if make is None else make(given)


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.where(length > 0, length, 1)).astype(np.float16)


def _centred(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors - vectors.mean(-1, keepdims=True))


def grey(frame: np.ndarray) -> np.ndarray:
    """(C, H, W) to (H, W)."""
    return np.asarray(frame.mean(0), np.float64)


def shrunk(picture: np.ndarray, side: int) -> np.ndarray:
    """(H, W) averaged over areas to (side, side)."""
    rows, columns = (np.linspace(0, n, side + 1).astype(int) for n in picture.shape)
    sums = np.add.reduceat(np.add.reduceat(picture, rows[:-1], 0), columns[:-1], 1)
    return np.asarray(sums / np.outer(np.diff(rows), np.diff(columns)))


def _frames(given: ModalityInput) -> dict[str, np.ndarray]:
    values = given.values[given.mask]
    chosen = np.unique(np.linspace(0, len(values) - 1, MOST_FRAMES).round().astype(int))
    pictures = [grey(values[i]) for i in chosen]  # type: ignore[arg-type]
    if not any(picture.std() > 1e-3 for picture in pictures):
        return {}
    low = [dctn(shrunk(p, HASH_SIDE), norm="ortho")[:LOW, :LOW].ravel()[1:] for p in pictures]
    bits = [np.where(each > np.median(each), 1.0, -1.0) for each in low]
    # Ranks stay the same under any window and brightness.
    thumbs = np.stack([rankdata(shrunk(p, THUMB).ravel()) for p in pictures])
    return {"hash": _unit(np.stack(bits)), "thumb": _unit(_centred(thumbs))}


def _waveform(given: ModalityInput) -> dict[str, np.ndarray]:
    rate = float(given.facts["rate"])
    sound = np.asarray(given.values, np.float64)[: int(LONGEST_SECONDS * rate)]
    size = 2 ** int(np.floor(np.log2(max(64.0, 0.2 * rate))))
    if len(sound) < 4 * size or sound.std() < 1e-6:
        return {}
    starts = np.linspace(0, len(sound) - size, MOMENTS + 1).astype(int)
    window = np.hanning(size)
    power = np.stack([np.abs(np.fft.rfft(sound[s : s + size] * window)) ** 2 for s in starts])
    edges = np.geomspace(LOWEST_HZ, min(HIGHEST_HZ, rate / 2), BANDS + 1) * size / rate
    places = np.maximum.accumulate(np.clip(edges.astype(int), 0, power.shape[1] - 2))
    energy = np.log(np.add.reduceat(power, places[:-1], 1) + 1e-12)
    bits = np.diff(np.diff(energy, axis=1), axis=0)
    return {"hash": _unit(np.where(bits > 0, 1.0, -1.0).ravel()[None])}


def _series(given: ModalityInput) -> dict[str, np.ndarray]:
    seconds = np.asarray(given.facts["seconds"], np.float64)
    order = np.argsort(given.facts["channels"], kind="stable")[:MOST_CHANNELS]
    if len(seconds) < MOMENTS // 2:
        return {}
    at = np.linspace(seconds[0], seconds[-1], MOMENTS)
    shape = np.zeros((MOST_CHANNELS, MOMENTS))
    for place, channel in enumerate(order):
        there = given.mask[:, channel]
        known = np.asarray(given.values)[there, channel].astype(np.float64)
        if there.sum() < MOMENTS // 2 or np.ptp(known) == 0:
            continue
        curve = np.interp(at, seconds[there], known)
        shape[place] = _centred(curve) / max(float(curve.std()), 1e-9)
    return {"shape": _unit(shape.ravel()[None])} if shape.any() else {}
