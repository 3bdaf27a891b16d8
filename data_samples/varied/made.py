"""What a maker gives: one made-up input, the findings that went into it, and words for them.

A finding is a generative factor in about [-1, 1]. A severity runs from -1 (absent) to 1 (severe);
a signed one from low to high with 0 in the middle; a factor that does not apply is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from PIL import Image

from fmstudio.types import ModalityInput

T = TypeVar("T")


@dataclass(frozen=True)
class Made:
    """One made-up input with what is to be seen in it; `words` has no number of the generator."""

    given: ModalityInput
    findings: dict[str, float]
    words: str


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """One of the options, each as likely."""
    return options[int(rng.random() * len(options))]


def chance(rng: np.random.Generator, probability: float) -> bool:
    """True with this probability."""
    return bool(rng.random() < probability)


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """A number from low to high, each as likely."""
    return low + (high - low) * float(rng.random())


def near(rng: np.random.Generator, value: float, spread: float, low: float, high: float) -> float:
    """A number about `value`, kept from low to high."""
    return min(max(value + spread * float(rng.standard_normal()), low), high)


def finding(severity: float) -> float:
    """A severity in [0, 1] as a finding in [-1, 1]."""
    return round(min(max(2 * severity - 1, -1.0), 1.0), 4)


def signed(value: float) -> float:
    """A signed factor as a finding, kept within [-1.5, 1.5]."""
    return round(min(max(value, -1.5), 1.5), 4)


def stretched(small: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A coarse field (h, w) drawn smoothly to `size` (H, W), float32."""
    image = Image.fromarray(np.ascontiguousarray(small, np.float32))
    return np.asarray(image.resize((size[1], size[0]), Image.Resampling.BICUBIC))


def mottle(rng: np.random.Generator, size: tuple[int, int], grain: float) -> np.ndarray:
    """Smooth noise (H, W) of about unit spread; `grain` is the size of its blobs in pixels."""
    grain = max(grain, 1.0)
    rows, columns = max(2, int(size[0] / grain) + 1), max(2, int(size[1] / grain) + 1)
    return stretched(rng.standard_normal((rows, columns), np.float32), size)


def frames(
    pictures: np.ndarray, names: Sequence[str], seconds_per_frame: float | None = None
) -> ModalityInput:
    """(L, H, W) or (L, C, H, W) in about [0, 1] as an input of kind frames."""
    values = pictures[:, None] if pictures.ndim == 3 else pictures
    facts = {
        "names": list(names),
        "seconds_per_frame": seconds_per_frame,
        "spacing_mm": None,
    }
    values = np.clip(values, 0, 1).astype(np.float32)
    return ModalityInput("frames", values, np.ones(len(values), bool), facts)


def waveform(recordings: Sequence[tuple[str, np.ndarray]], rate: float) -> ModalityInput:
    """Recordings (name, samples) one after another as an input of kind waveform."""
    segments, start = [], 0
    for name, samples in recordings:
        peak = 20 * np.log10(max(float(np.abs(samples).max()), 1e-9))
        stop = start + len(samples)
        segments.append({"name": name, "start": start, "stop": stop, "peak_dbfs": round(peak, 1)})
        start = stop
    values = np.concatenate([samples for _, samples in recordings]).astype(np.float32)
    facts = {"rate": float(rate), "segments": segments}
    return ModalityInput("waveform", np.clip(values, -1, 1), np.ones(start, bool), facts)


def series(
    names: Sequence[str],
    units: Sequence[str],
    seconds: np.ndarray,
    values: np.ndarray,
    mask: np.ndarray | None = None,
) -> ModalityInput:
    """Readings (L, channels) at `seconds` as an input of kind series."""
    mask = np.isfinite(values) if mask is None else mask & np.isfinite(values)
    facts = {
        "channels": list(names),
        "units": list(units),
        "seconds": np.round(seconds - seconds[0], 3).tolist(),
    }
    return ModalityInput("series", np.where(mask, values, 0).astype(np.float32), mask, facts)


def table(rows: Sequence[tuple[str, str, float | str | None]]) -> ModalityInput:
    """Rows (name, unit, number or category or None) as an input of kind table."""
    values = [0.0 if cell is None or isinstance(cell, str) else cell for _, _, cell in rows]
    facts = {
        "names": [name for name, _, _ in rows],
        "units": [unit for _, unit, _ in rows],
        "categories": [cell if isinstance(cell, str) else None for _, _, cell in rows],
        "seconds": [None] * len(rows),
    }
    mask = np.array([cell is not None for _, _, cell in rows], bool)
    return ModalityInput("table", np.array(values, np.float32), mask, facts)


def text(written: str, language: str | None = None) -> ModalityInput:
    """What is written as an input of kind text."""
    return ModalityInput("text", written, np.array([bool(written)]), {"language": language})


def seen(rng: np.random.Generator, worst: float, alone: float = 0.1) -> float:
    """How much of an illness shows, in [0, 1]; it shows without one with probability `alone`."""
    if worst > 0:
        return near(rng, worst, 0.2, 0.05, 1)
    return between(rng, 0.2, 1) if chance(rng, alone) else 0.0
