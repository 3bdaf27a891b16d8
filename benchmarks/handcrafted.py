"""Handcrafted features: what a careful analyst would compute of each kind of data.

Statistics of an input are a dict of numbers; `Table` makes a matrix of many. Pictures also give a
thumbnail for principal components, texts their words for TF-IDF; both are fitted on the patients
who are not held out, without labels, as a base's processors are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from PIL import Image
from scipy.fft import dct
from scipy.stats import kurtosis, skew
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from transformers.audio_utils import mel_filter_bank

from fmstudio.types import ModalityInput

SIDE, THUMBNAIL, LEVELS, FRAMES = 112, 28, 16, 8
PERCENTILES = (5, 25, 50, 75, 95)
WINDOW_SECONDS, HOP_SECONDS, BANDS, COEFFICIENTS = 0.064, 0.016, 40, 20
THUMBNAIL_PARTS, TEXT_PARTS = 20, 50

Numbers = dict[str, float]


def _resized(picture: np.ndarray, side: int) -> np.ndarray:
    image = Image.fromarray(np.ascontiguousarray(picture, np.float32), mode="F")
    return np.asarray(image.resize((side, side), Image.Resampling.BOX), np.float32)


def _grey(given: ModalityInput) -> np.ndarray:
    """At most FRAMES frames, evenly spaced: (L, SIDE, SIDE) in [0, 1]."""
    frames = np.asarray(given.values)[given.mask]
    chosen = np.unique(
        np.linspace(0, len(frames) - 1, min(len(frames), FRAMES)).round().astype(int)
    )
    return np.stack([_resized(frames[index].mean(0), SIDE) for index in chosen])


def thumbnail(given: ModalityInput) -> np.ndarray:
    """The mean of the frames: (THUMBNAIL²,)."""
    return _resized(_grey(given).mean(0), THUMBNAIL).ravel()


def _spread(prefix: str, values: np.ndarray) -> Numbers:
    flat = values.ravel()
    cuts = np.percentile(flat, PERCENTILES)
    varied = flat.std() > 1e-6
    return {
        f"{prefix} mean": flat.mean(),
        f"{prefix} sd": flat.std(),
        f"{prefix} skew": skew(flat) if varied else 0.0,
        f"{prefix} kurtosis": kurtosis(flat) if varied else 0.0,
        **{f"{prefix} p{p}": cut for p, cut in zip(PERCENTILES, cuts, strict=True)},
    }


def _texture(grey: np.ndarray, distance: int) -> Numbers:
    """Statistics of the grey-level co-occurrence matrix (Haralick et al. 1973), four directions."""
    low, high = grey.min(), grey.max()
    levels = np.minimum((grey - low) / max(high - low, 1e-6) * LEVELS, LEVELS - 1).astype(int)
    d = distance
    pairs = (
        (levels[:, :-d], levels[:, d:]),
        (levels[:-d], levels[d:]),
        (levels[:-d, :-d], levels[d:, d:]),
        (levels[:-d, d:], levels[d:, :-d]),
    )
    counts = sum(np.bincount((a * LEVELS + b).ravel(), minlength=LEVELS**2) for a, b in pairs)
    share = np.asarray(counts, float).reshape(LEVELS, LEVELS)
    share = (share + share.T) / (2 * share.sum())
    i, j = np.indices(share.shape)
    mean = (i * share).sum()
    variance = ((i - mean) ** 2 * share).sum()
    return {
        f"contrast {d}": ((i - j) ** 2 * share).sum(),
        f"homogeneity {d}": (share / (1 + (i - j) ** 2)).sum(),
        f"energy {d}": (share**2).sum(),
        f"entropy {d}": -(share * np.log(share + 1e-12)).sum(),
        f"correlation {d}": ((i - mean) * (j - mean) * share).sum() / max(variance, 1e-9),
    }


def of_frames(given: ModalityInput) -> Numbers:
    """Histogram, gradient, co-occurrence, spectrum and a coarse grid; mean and sd over frames."""
    grey = _grey(given)
    y, x = np.indices((SIDE, SIDE)) - SIDE // 2
    ring = np.minimum(np.log2(np.hypot(x, y) + 1).astype(int), 6)
    each: list[Numbers] = []
    for frame in grey:
        down, right = np.gradient(frame)
        power = np.abs(np.fft.fftshift(np.fft.fft2(frame - frame.mean()))) ** 2
        rings = np.bincount(ring.ravel(), power.ravel(), minlength=7)
        grid = _resized(frame, 4).ravel()
        each.append(
            _spread("grey", frame)
            | _spread("gradient", np.hypot(down, right))
            | {k: v for d in (1, 3, 8) for k, v in _texture(frame, d).items()}
            | {f"ring {k}": np.log(v + 1e-9) for k, v in enumerate(rings)}
            | {f"grid {k}": v for k, v in enumerate(grid)}
            | {"asymmetry": np.abs(frame - frame[:, ::-1]).mean()}
        )
    found = _over(each)
    if len(grey) > 1:
        found |= _spread("change", np.abs(np.diff(grey, axis=0)))
    return found


def _over(each: Sequence[Numbers]) -> Numbers:
    """Mean over parts, and standard deviation where there are several."""
    found = {name: float(np.mean([one[name] for one in each])) for name in each[0]}
    if len(each) > 1:
        found |= {f"{name} varies": float(np.std([one[name] for one in each])) for name in each[0]}
    return found


def _sound(samples: np.ndarray, rate: float) -> Numbers:
    """MFCC, their change, loudness and shape of the spectrum of one recording."""
    window, hop = int(WINDOW_SECONDS * rate), int(HOP_SECONDS * rate)
    size = 2 ** int(np.ceil(np.log2(window)))
    samples = np.pad(samples, (0, max(0, 3 * window - len(samples))))
    view = np.lib.stride_tricks.sliding_window_view(samples, window)[::hop]
    power = np.abs(np.fft.rfft(view * np.hanning(window), size, axis=1)) ** 2
    mel = mel_filter_bank(size // 2 + 1, BANDS, 20.0, rate / 2, int(rate), mel_scale="htk")
    cepstrum = dct(np.log(power @ mel + 1e-8), axis=1, norm="ortho")[:, :COEFFICIENTS]
    step = np.diff(cepstrum, axis=0)
    hertz = np.fft.rfftfreq(size, 1 / rate)
    share = power / (power.sum(1, keepdims=True) + 1e-12)
    centroid = share @ hertz
    rows = {
        "centroid": centroid,
        "bandwidth": np.sqrt(np.maximum(share @ hertz**2 - centroid**2, 0)),
        "rolloff": hertz[np.argmax(np.cumsum(share, 1) > 0.85, axis=1)],
        "loudness": np.log(power.sum(1) + 1e-8),
        "crossings": (np.diff(np.signbit(view), axis=1) != 0).mean(1),
    }
    found = {f"{name} {k}": f(row) for name, row in rows.items() for k, f in _MOMENTS.items()}
    for k in range(COEFFICIENTS):
        found |= {f"mfcc{k} {name}": f(cepstrum[:, k]) for name, f in _MOMENTS.items()}
        found[f"mfcc{k} step"] = step[:, k].std()
    return found


_MOMENTS: Mapping[str, Callable[[np.ndarray], float]] = {
    "mean": np.mean,
    "sd": np.std,
    "p10": lambda v: np.percentile(v, 10),
    "p90": lambda v: np.percentile(v, 90),
}


def of_waveform(given: ModalityInput) -> Numbers:
    """Statistics of MFCC and spectrum of each recording; mean and sd over recordings."""
    samples, rate = np.asarray(given.values, float), float(given.facts["rate"])
    parts = given.facts.get("segments") or [{"start": 0, "stop": len(samples)}]
    return _over([_sound(samples[p["start"] : p["stop"]], rate) for p in parts])


def of_series(given: ModalityInput) -> Numbers:
    """Per channel: level, spread, ends, trend, roughness, number and share of readings."""
    values, mask = np.asarray(given.values, float), np.asarray(given.mask)
    seconds = np.asarray(given.facts["seconds"], float)
    found: Numbers = {}
    for index, name in enumerate(given.facts["channels"]):
        there = mask[:, index]
        own = values[there, index]
        found[f"{name} count"] = np.log1p(len(own))
        found[f"{name} missing"] = 1 - there.mean()
        if not len(own):
            continue
        hours = seconds[there] / 3600
        slope = np.polyfit(hours, own, 1)[0] if len(own) > 2 and np.ptp(hours) > 0 else 0.0
        found |= {
            f"{name} mean": own.mean(),
            f"{name} sd": own.std(),
            f"{name} low": own.min(),
            f"{name} high": own.max(),
            f"{name} first": own[0],
            f"{name} last": own[-1],
            f"{name} slope": slope,
            f"{name} p10": np.percentile(own, 10),
            f"{name} p90": np.percentile(own, 90),
            f"{name} step": np.abs(np.diff(own)).mean() if len(own) > 1 else 0.0,
        }
    return found


def of_table(given: ModalityInput) -> Numbers:
    """The last value of each numeric feature, and 1 for the last category of each other."""
    found: Numbers = {}
    facts = given.facts
    for index in np.flatnonzero(given.mask):
        name, category = facts["names"][index], facts["categories"][index]
        if category is None:
            found[name] = float(np.asarray(given.values)[index])
        else:
            stale = [key for key in found if key.startswith(f"{name} = ")]
            found = {k: v for k, v in found.items() if k not in stale} | {f"{name} = {category}": 1}
    return found


STATISTICS: Mapping[str, Callable[[ModalityInput], Numbers]] = {
    "frames": of_frames,
    "waveform": of_waveform,
    "series": of_series,
    "table": of_table,
}


def matrix(found: Sequence[Numbers | None], fitted: np.ndarray) -> np.ndarray:
    """Statistics to (n, columns), standardised by the rows `fitted`; NaN where missing.

    Categories that a case does not have are 0. Columns that do not vary among `fitted` are left
    out; those that are missing there at times get a column that says so.
    """
    names = sorted({name for one in found if one for name in one})
    table = np.array(
        [
            [one.get(n, 0.0 if " = " in n else np.nan) if one else np.nan for n in names]
            for one in found
        ],
        float,
    )
    missing = np.isnan(table)
    told = missing[:, (missing[fitted].mean(0) > 0.02) & (missing[fitted].mean(0) < 0.98)]
    known = ~missing[fitted].all(0)
    table = table[:, known]
    spread = np.nanstd(table[fitted], axis=0)
    table, spread = table[:, spread > 1e-9], spread[spread > 1e-9]
    scaled = np.clip((table - np.nanmean(table[fitted], axis=0)) / spread, -6, 6)
    told = (told - told[fitted].mean(0)) / np.maximum(told[fitted].std(0), 1e-9)
    return np.concatenate([scaled, np.unique(told, axis=1) if told.shape[1] else told], 1)


def thumbnails(pictures: Sequence[np.ndarray | None], fitted: np.ndarray) -> np.ndarray:
    """Standardised principal components (n, ≤ THUMBNAIL_PARTS); zero where there is no picture."""
    there = np.array([one is not None for one in pictures])
    stacked = np.stack([one for one in pictures if one is not None])
    known = there[fitted]
    place = np.cumsum(there) - 1
    basis = stacked[place[fitted[known]]]
    fit = PCA(min(THUMBNAIL_PARTS, len(basis) - 1), random_state=0).fit(basis)
    parts = np.zeros((len(pictures), fit.n_components_))
    parts[there] = fit.transform(stacked) / np.sqrt(fit.explained_variance_ + 1e-9)
    return parts


def words(texts: Sequence[str], fitted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """TF-IDF of words and pairs of words (n, words), and their main components (n, ≤ 50)."""
    fit = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2, max_features=4000)
    counts = fit.fit([texts[row] for row in fitted]).transform(texts)
    most = min(TEXT_PARTS, counts.shape[1] - 1, len(fitted) - 1)
    parts = TruncatedSVD(most, random_state=0).fit(counts[fitted]).transform(counts)
    return counts.toarray(), parts
