"""Frames one by one through a picture model: what the families of picture models share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fmstudio.encoders.architectures import Architecture, CheckpointFamily, CheckpointNetwork
from fmstudio.encoders.blocks import Tokens
from fmstudio.encoders.pixels import STILLS, Pixels, Stills
from fmstudio.encoders.token_pooling import cell_tokens


class StillNetwork(CheckpointNetwork):
    """Frames pixel_values (B, N, 3, H, W) to tokens of places in the picture.

    Subclasses give `look(pixels (S, 3, H, W))`: the places (S, K, D), row by row, and a summary of
    the frame (S, 1, D), or None.
    """

    def look(self, pixels: Tensor) -> tuple[Tensor, Tensor | None]:
        """Places and summary of S frames."""
        raise NotImplementedError(type(self).__name__)

    def forward(self, arrays: dict[str, Tensor], mask: Tensor) -> Tokens:
        """Frames to at most 16 tokens a case."""
        pixels = arrays["pixel_values"][mask]
        places, summary = self.look(pixels)
        height, width = pixels.shape[-2:]
        rows = round((places.shape[1] * height / width) ** 0.5)
        outputs = places if summary is None else torch.cat([summary, places], 1)
        return cell_tokens(outputs, mask, rows, places.shape[1] // rows)


def still_family(
    name: str,
    architectures: Mapping[str, Architecture],
    build: Callable[[Architecture, Mapping[str, Any]], CheckpointNetwork],
    known: Sequence[str],
) -> CheckpointFamily:
    """A family of picture models; `known` are the image processors that it takes, by their
    names without ending, the one first that stands where a checkpoint names none."""

    def prepares(config: Mapping[str, Any], folder: Path, state: Mapping[str, Any]) -> Stills:
        return Stills(Pixels(folder, STILLS, known))

    return CheckpointFamily(name, "frames", architectures, STILLS, build, prepares)
