"""Embedded encoder for frames: (L, C, H, W) -> square patches -> a small grid of tokens a frame.

Patches look at each other within their frame only (ViT: Dosovitskiy et al. 2021); what frames
have to do with each other is the trunk's business. A fourth channel holds the change to the
following frame, so that a single patch already knows about motion.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor, nn

from fmstudio.encoders.blocks import STACK_TARGETS, EncoderNetwork, sinusoid
from fmstudio.types import ModalityInput, Prepared, to_json

SIDE = 112
PATCH = 14
GRID = SIDE // PATCH
CHANNELS = 4  # red, green, blue, change to the next frame
MAX_FRAMES = 8


def _resize(frame: np.ndarray) -> np.ndarray:
    """(H, W) in [0, 1] to (SIDE, SIDE) by area averaging."""
    height, width = frame.shape
    if height == width and height % SIDE == 0:
        step = height // SIDE
        return frame.reshape(SIDE, step, SIDE, step).mean((1, 3), dtype=np.float32)
    image = Image.fromarray(np.ascontiguousarray(frame, np.float32), mode="F")
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX), np.float32)


def _tokens(frames: int) -> tuple[int, int]:
    """Tokens along a frame's side, and frames that share a token: at most 16 tokens an input."""
    return (4, 1) if frames == 1 else (2, -(-frames // 4))


@dataclass(frozen=True)
class Patches:
    """Prepares frames: at most MAX_FRAMES of them, evenly spaced, cut into patches."""

    key: str = to_json(["patches", 2, SIDE, PATCH, MAX_FRAMES])

    def prepare(self, given: ModalityInput) -> Prepared:
        """Arrays of N = frames · GRID² patches: patch, place (row, column, seconds), group."""
        frames = np.asarray(given.values)[given.mask]
        chosen = np.unique(np.linspace(0, len(frames) - 1, min(len(frames), MAX_FRAMES)).round())
        stacked = np.stack([self._frame(frames, int(index), given) for index in chosen])
        cells = stacked.reshape(len(chosen), CHANNELS, GRID, PATCH, GRID, PATCH)
        patch = cells.transpose(0, 2, 4, 1, 3, 5).reshape(len(chosen) * GRID**2, -1)
        at, row, column = np.meshgrid(
            np.arange(len(chosen)), np.arange(GRID), np.arange(GRID), indexing="ij"
        )
        step = given.facts.get("seconds_per_frame")
        seconds = chosen[at] * step if step else at
        side, shared = _tokens(len(chosen))
        scale = GRID // side
        group = (at // shared) * side**2 + (row // scale) * side + column // scale
        place = np.stack([row, column, seconds], -1).reshape(-1, 3)
        return Prepared(
            {
                "patch": patch.astype(np.float32),
                "place": place.astype(np.float32),
                "group": group.reshape(-1).astype(np.int32),
            }
        )

    def _frame(self, frames: np.ndarray, index: int, given: ModalityInput) -> np.ndarray:
        """One frame as (CHANNELS, SIDE, SIDE), colours in [-1, 1]."""
        colours = [_resize(channel) for channel in frames[index]]
        if len(colours) != 3:
            colours = [np.mean(colours, axis=0)] * 3
        change = np.zeros((SIDE, SIDE), np.float32)
        # Views of a study have no order in time: only a clip has something that moves.
        if given.facts.get("seconds_per_frame") and index + 1 < len(frames):
            change = _resize(frames[index + 1].mean(0)) - _resize(frames[index].mean(0))
        return np.stack([*(2 * colour - 1 for colour in colours), 4 * change])


class PatchNetwork(EncoderNetwork):
    """Patches (B, N, CHANNELS · PATCH²) with their places to tokens."""

    window = GRID**2

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config["width"], config["heads"], config["depth"])
        self.width = config["width"]
        self.patch = nn.Linear(CHANNELS * PATCH**2, self.width)
        self.place = nn.Linear(3 * 64, self.width)

    def embed(self, arrays: dict[str, Tensor]) -> Tensor:
        """(B, N, …) to (B, N, D)."""
        place = arrays["place"]
        waves = sinusoid(place, 64, longest=100.0).flatten(-2)
        return self.patch(arrays["patch"]) + self.place(waves)


class PatchEncoder:
    """The embedded family for frames."""

    name = "patches"
    kind = "frames"
    fits = False
    embedded = True

    def default(self) -> dict[str, Any]:
        """Config of the embedded base."""
        return {"width": 256, "heads": 4, "depth": 3}

    def fit(self, inputs: Iterable[ModalityInput]) -> dict[str, Any]:
        """Nothing to learn: pixels are in [0, 1] already."""
        return {}

    def preparer(
        self, config: Mapping[str, Any], folder: Path, state: Mapping[str, Any]
    ) -> Patches:
        """Needs no files and no state."""
        return Patches()

    def network(self, config: Mapping[str, Any]) -> PatchNetwork:
        """The network of one checkpoint."""
        return PatchNetwork(config)

    def targets(self, config: Mapping[str, Any]) -> str:
        """The attention's queries and values."""
        return STACK_TARGETS


ENCODER = PatchEncoder()
