"""From logits to an answer: what of a run, beside the weights, an adapter needs to speak.

Stored as `calibration.json` in the adapter's folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from fmstudio.evaluation.calibration import probabilities
from fmstudio.types import TaskSpec


@dataclass(frozen=True)
class Readout:
    """How one adapter's logits are read.

    `temperature` divides logits, and `shift` is then added to those of a binary task; `centre` and
    `spread` take regression from standard units to the user's; `typical` (M, K) is the mean part of
    each modality over the training cases that have it; `conformal` as `evaluation.conformal` fitted
    it; `guard` is, by modality, the distance from the training inputs beyond which an input is
    called unlike them.
    """

    temperature: float = 1.0
    centre: float = 0.0
    spread: float = 1.0
    typical: tuple[tuple[float, ...], ...] = ()
    conformal: Mapping[str, Any] = field(default_factory=dict)
    guard: Mapping[str, float] = field(default_factory=dict)
    shift: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Readout:
        """The readout that `as_dict` wrote."""
        return cls(**{**values, "typical": tuple(tuple(row) for row in values["typical"])})

    def outputs(self, task: TaskSpec, logits: np.ndarray) -> np.ndarray:
        """Logits (n, K) to calibrated outputs: (n,) for binary and regression, else (n, K)."""
        read = probabilities(task, logits + self.shift * self.temperature, self.temperature)
        return read * self.spread + self.centre if task.kind == "regression" else read

    def labelled(self, task: TaskSpec, logits: np.ndarray) -> dict[str, float]:
        """Logits (K) of one case as {label: probability}, or {target column: value}."""
        output = np.atleast_1d(self.outputs(task, logits[None])[0])
        found = np.array([1 - output[0], output[0]]) if task.kind == "binary" else output
        return dict(zip(task.labels, map(float, found), strict=True))


def distances(values: np.ndarray, mean: np.ndarray, scale: np.ndarray, seen: slice) -> np.ndarray:
    """How far inputs are from the training inputs: root mean square of the features `seen` of
    (n, M, F) in training standard deviations, (n, M). About 1 for inputs like those of training."""
    strange = (values[..., seen] - mean[:, seen]) / scale[:, seen]
    return np.sqrt((strange**2).mean(-1))
