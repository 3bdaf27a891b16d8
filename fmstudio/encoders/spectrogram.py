"""Embedded encoder for waveforms: sound -> log-frequency spectrogram -> patches in time -> tokens.

64 bands evenly spaced in log frequency from 20 Hz to 8 kHz, the same for every sample rate, so
that a heart sound at 4 kHz and a cough at 16 kHz speak of the same hertz. Bands above half the
sample rate are not there and stay at the floor.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from fmstudio.encoders.blocks import STACK_TARGETS, EncoderNetwork, sinusoid
from fmstudio.encoders.names import NameEmbedding, name_ids
from fmstudio.types import ModalityInput, Prepared, to_json

BANDS = 64
LOWEST, HIGHEST = 20.0, 8000.0
WINDOW_SECONDS, HOP_SECONDS = 0.040, 0.016
STEPS = 16  # spectrogram columns a patch: 0.256 s
MAX_TOKENS = 16
FLOOR = -4.0  # log10 of power below a recording's loudest band, four decades down


@lru_cache(maxsize=32)
def _filters(rate: float, size: int) -> np.ndarray:
    """Triangular filters (BANDS, size // 2 + 1) in log frequency, each of area 1 (or empty)."""
    edges = np.geomspace(LOWEST, HIGHEST, BANDS + 2)
    hertz = np.fft.rfftfreq(size, 1 / rate)
    bin_width = hertz[1]
    filters = np.zeros((BANDS, len(hertz)), np.float32)
    for band in range(BANDS):
        low, centre, high = edges[band : band + 3]
        if centre >= rate / 2:
            break
        # Low bands are narrower than one bin of the transform: widen them to one bin.
        low, high = min(low, centre - bin_width), max(high, centre + bin_width)
        rise, fall = (hertz - low) / (centre - low), (high - hertz) / (high - centre)
        filters[band] = np.clip(np.minimum(rise, fall), 0, None)
        filters[band] /= max(filters[band].sum(), 1e-9)
    return filters


def spectrogram(samples: np.ndarray, rate: float) -> np.ndarray:
    """Sound in [-1, 1] to (columns, BANDS) in [-1, 1], from FLOOR to the loudest; one per hop."""
    window = max(int(WINDOW_SECONDS * rate), 8)
    hop = max(int(HOP_SECONDS * rate), 1)
    size = 2 ** int(np.ceil(np.log2(window)))
    if len(samples) < window:
        samples = np.pad(samples, (0, window - len(samples)))
    view = np.lib.stride_tricks.sliding_window_view(samples, window)[::hop]
    shaped = view * np.hanning(window).astype(np.float32)
    power = np.abs(np.fft.rfft(shaped, size, axis=1)).astype(np.float32) ** 2
    bands = np.log10(power @ _filters(rate, size).T + 1e-12)
    # Relative to the loudest band of the recording: the gain of a microphone says nothing.
    return (np.clip(bands - bands.max(), FLOOR, 0) / (-FLOOR / 2) + 1).astype(np.float32)


@dataclass(frozen=True)
class Spectrograms:
    """Prepares sound: one spectrogram a recording, cut into patches of 0.256 s."""

    key: str = to_json(["spectrogram", 1, BANDS, STEPS, MAX_TOKENS, WINDOW_SECONDS, HOP_SECONDS])

    def prepare(self, given: ModalityInput) -> Prepared:
        """Arrays of N patches: patch (STEPS · BANDS), seconds, name (of the site), group."""
        samples, rate = np.asarray(given.values), float(given.facts["rate"])
        whole = [{"name": "", "start": 0, "stop": len(samples)}]
        segments = given.facts.get("segments") or whole
        patches, seconds, names, groups = [], [], [], []
        first_group = 0
        for segment in segments:
            columns = spectrogram(samples[segment["start"] : segment["stop"]], rate)
            count = -(-len(columns) // STEPS)
            filled = np.pad(columns, ((0, count * STEPS - len(columns)), (0, 0)), mode="edge")
            size = max(1, -(-count * len(segments) // MAX_TOKENS))
            patches.append(filled.reshape(count, -1))
            seconds.append(np.arange(count, dtype=np.float32) * STEPS * HOP_SECONDS)
            names += [segment["name"]] * count
            groups.append(first_group + np.arange(count, dtype=np.int32) // size)
            first_group = int(groups[-1][-1]) + 1
        return Prepared(
            {
                "patch": np.concatenate(patches),
                "seconds": np.concatenate(seconds),
                "name": name_ids(names),
                "group": np.concatenate(groups),
            }
        )


class SpectrogramNetwork(EncoderNetwork):
    """Patches (B, N, STEPS · BANDS) to tokens."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config["width"], config["heads"], config["depth"])
        self.width = config["width"]
        self.patch = nn.Linear(STEPS * BANDS, self.width)
        self.time = nn.Linear(64, self.width)
        self.name = NameEmbedding(self.width)

    def embed(self, arrays: dict[str, Tensor]) -> Tensor:
        """(B, N, …) to (B, N, D)."""
        time = self.time(sinusoid(arrays["seconds"], 64, longest=100.0))
        return self.patch(arrays["patch"]) + time + self.name(arrays["name"])


class SpectrogramEncoder:
    """The embedded family for waveforms."""

    name = "spectrogram"
    kind = "waveform"
    fits = False
    embedded = True

    def default(self) -> dict[str, Any]:
        """Config of the embedded base."""
        return {"width": 256, "heads": 4, "depth": 2}

    def fit(self, inputs: Iterable[ModalityInput]) -> dict[str, Any]:
        """Nothing to learn: each recording is its own reference."""
        return {}

    def preparer(
        self, config: Mapping[str, Any], folder: Path, state: Mapping[str, Any]
    ) -> Spectrograms:
        """Needs no files and no state."""
        return Spectrograms()

    def network(self, config: Mapping[str, Any]) -> SpectrogramNetwork:
        """The network of one checkpoint."""
        return SpectrogramNetwork(config)

    def targets(self, config: Mapping[str, Any]) -> str:
        """The attention's queries and values."""
        return STACK_TARGETS


ENCODER = SpectrogramEncoder()
