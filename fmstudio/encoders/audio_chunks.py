"""Sound as checkpoints take it: windows of their length at their sample rate, and their outputs.

A checkpoint that learned from windows of ten seconds is given windows of at most ten seconds. Long
recordings give a few, evenly spaced; each recording of a case gives at least one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from torch import Tensor

from fmstudio.encoders.architectures import CheckpointNetwork, library
from fmstudio.encoders.blocks import Tokens
from fmstudio.encoders.pixels import read_numbers
from fmstudio.encoders.token_pooling import span_tokens
from fmstudio.errors import InputError
from fmstudio.types import ModalityInput, Prepared, to_json

SOUND = (("preprocessor_config.json",), ("processor_config.json",))
MAX_WINDOWS = 8
SHORTEST = 0.1  # seconds; shorter windows are filled up with silence


def windows(
    given: ModalityInput, rate: int, seconds: float
) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """At most MAX_WINDOWS windows of at most `seconds` at `rate`, and what was left out."""
    samples, own = np.asarray(given.values, np.float32), float(given.facts["rate"])
    whole = [{"name": "", "start": 0, "stop": len(samples)}]
    segments = [s for s in given.facts.get("segments") or whole if s["stop"] > s["start"]]
    remarks = []
    if len(segments) > MAX_WINDOWS:
        picked = np.linspace(0, len(segments) - 1, MAX_WINDOWS).round().astype(int)
        remarks.append(f"{MAX_WINDOWS} of {len(segments)} recordings were used, evenly spaced.")
        segments = [segments[index] for index in picked]
    size = max(1, int(seconds * own))
    found, left_out, total = [], 0, 0
    for segment in segments:
        part = samples[segment["start"] : segment["stop"]]
        count = min(-(-len(part) // size), MAX_WINDOWS // len(segments))
        starts = np.linspace(0, max(0, len(part) - size), count).round().astype(int)
        found += [_resampled(part[start : start + size], own, rate, seconds) for start in starts]
        left_out += max(0, len(part) - count * size)
        total += len(part)
    if left_out:
        remarks.append(
            f"The recording is long: {left_out / total:.0%} of it, between evenly spaced windows "
            f"of {seconds:g} s, was left out."
        )
    return found, tuple(remarks)


def _resampled(part: np.ndarray, own: float, rate: int, seconds: float) -> np.ndarray:
    made = part if own == rate else soxr.resample(part, own, rate)
    made = made[: int(seconds * rate)].astype(np.float32)
    return np.pad(made, (0, max(0, int(SHORTEST * rate) - len(made))))


class Extractor:
    """The feature extractor of a checkpoint, made from its file. `rate` in Hz.

    Raises InputError if the file is of another kind of extractor.
    """

    def __init__(self, folder: Path, name: str) -> None:
        numbers, self.sha256 = read_numbers(folder, SOUND)
        said = str(numbers.get("feature_extractor_type", name))
        if said != name:
            raise InputError(
                f"The checkpoint's feature extractor is '{said[:60]}', not {name}.",
                hint="Its files do not belong together: download the checkpoint again.",
            )
        self.call = getattr(library(), name).from_dict(dict(numbers))
        self.rate = int(self.call.sampling_rate)
        if not 1000 <= self.rate <= 192_000:
            raise InputError(
                f"The checkpoint's feature extractor asks for {self.rate} samples a second.",
                hint="Its file is damaged: download it again.",
            )

    def __call__(self, window: np.ndarray, key: str, **options: Any) -> np.ndarray:
        """What the extractor makes of one window."""
        made = self.call(window, sampling_rate=self.rate, return_tensors="np", **options)
        return np.asarray(made[key][0], np.float32)


@dataclass(frozen=True)
class Windows:
    """Prepares sound as windows. Children say how long they are and what becomes of each."""

    extractor: Extractor

    @property
    def key(self) -> str:
        """Changes with the checkpoint's feature extractor."""
        return to_json([type(self).__name__, 1, MAX_WINDOWS, self.extractor.sha256])

    @property
    def seconds(self) -> float:
        """Length of the longest window."""
        raise NotImplementedError(type(self).__name__)

    def extract(self, window: np.ndarray) -> tuple[np.ndarray, int]:
        """The array of one window, of one shape for all, and how much of it is real."""
        raise NotImplementedError(type(self).__name__)

    def prepare(self, given: ModalityInput) -> Prepared:
        """Arrays of N windows: values (N, …) and real (N,)."""
        found, remarks = windows(given, self.extractor.rate, self.seconds)
        made = [self.extract(window) for window in found]
        return Prepared(
            {
                "values": np.stack([values for values, _ in made]),
                "real": np.array([real for _, real in made], np.int32),
            },
            remarks,
        )


class WindowNetwork(CheckpointNetwork):
    """Windows to tokens of spans of time, in the order of the windows."""

    def listen(self, values: Tensor, real: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """S windows to steps (S, T, D), how many are real (S,), and a summary (S, 1, D) or None."""
        raise NotImplementedError(type(self).__name__)

    def forward(self, arrays: dict[str, Tensor], mask: Tensor) -> Tokens:
        """values (B, N, …) and real (B, N) to at most 16 tokens a case."""
        steps, lengths, summary = self.listen(arrays["values"][mask], arrays["real"][mask].long())
        return span_tokens(steps, lengths, mask, summary)


def window_preparer(kind: type[Windows], name: str) -> Any:
    """What makes the preparer of a family from the folder of a checkpoint."""

    def prepares(config: Mapping[str, Any], folder: Path, state: Mapping[str, Any]) -> Windows:
        return kind(Extractor(folder, name))

    return prepares
