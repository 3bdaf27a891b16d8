"""One pass of a batch through the encoders, for every objective to look at.

Shape letters: R cases that have the modality, N items, T tokens, D width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fmstudio.encoders.batching import ModalityBatch
from fmstudio.encoders.blocks import Tokens, after, pool
from fmstudio.model.shared import SharedModel
from fmstudio.pretraining.stream import Drawn, Example

# What of a prepared input is its content, by the names of its arrays: hidden and to be filled in.
# Places, times and names stay visible: they say what is asked for.
CONTENT = ("patch", "shape", "filled", "statistics", "value", "category", "id")


@dataclass(frozen=True)
class Encoded:
    """One modality of a batch: what went in, which items were hidden (R, N), items (R, N, D) and
    tokens as the encoder made them, those of the whole input (R, W · D), and mean and spread of the
    others (R, 2 · D)."""

    given: ModalityBatch
    hidden: Tensor
    items: Tensor
    tokens: Tokens
    whole: Tensor
    summary: Tensor


@dataclass(frozen=True)
class Pass:
    """A batch encoded: by modality, with the model and the examples it came from."""

    model: SharedModel
    examples: Sequence[Example]
    encoded: Mapping[str, Encoded]


def encode(model: SharedModel, drawn: Drawn, unknown: nn.ParameterDict, share: float) -> Pass:
    """Every modality through its encoder. In every other case a `share` of the items is hidden
    behind the encoder's own `unknown` vector; the rest see all, as they will when in use."""
    encoded = {}
    for modality, given in drawn.batch.modalities.items():
        key = model.config.routes[modality]
        hidden = _hidden(given.mask, share)
        visible = {
            name: array.masked_fill(_like(hidden, array), 0) if name in CONTENT else array
            for name, array in given.arrays.items()
        }
        network = model.encoders[key]
        embedded = network.embed(visible) + hidden[..., None] * unknown[key]
        items = network.contextualize(embedded, given.mask)
        pooled = after(
            network.overview(visible, given.mask & ~hidden),
            pool(items, given.mask, given.arrays["group"]),
        )
        tokens = Tokens(model.bridges[key](pooled.values), pooled.mask)
        encoded[modality] = Encoded(given, hidden, items, tokens, *model.overview(key, tokens))
    return Pass(model, drawn.examples, encoded)


def _hidden(mask: Tensor, share: float) -> Tensor:
    chosen = torch.rand(mask.shape, device=mask.device) < share
    every_other = torch.arange(len(mask), device=mask.device) % 2 == 0
    return chosen & mask & every_other[:, None]


def _like(hidden: Tensor, array: Tensor) -> Tensor:
    return hidden.reshape(*hidden.shape, *[1] * (array.dim() - 2))
