"""Masked modelling: hidden items are filled in from the others.

Pictures: SimMIM (Xie et al. 2022, arXiv 2111.09886), patches in units of their own spread as in
MAE (He et al. 2022, arXiv 2111.06377); sound, series and cells likewise; words: BERT (Devlin et
al. 2019, arXiv 1810.04805).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from fmstudio.model.shared import SharedModel
from fmstudio.pretraining.encoded import Encoded, Pass
from fmstudio.pretraining.stream import Example

NUMBERS = ("patch", "shape", "statistics", "value")
WORDS = "id"
MOST_WORDS = 96  # hidden words of a batch that are asked for: each is a choice among thousands


class Filling(nn.Module):
    """From an encoder's items back to what was hidden: a linear layer per encoder and array."""

    def __init__(self, model: SharedModel, examples: Sequence[Example]) -> None:
        super().__init__()
        self.back = nn.ModuleDict()
        for modality, key in model.config.routes.items():
            first = next((e.inputs[modality] for e in examples if modality in e.inputs), None)
            network = model.encoders[key]
            for name in (*NUMBERS, WORDS) if first else ():
                if name in first.arrays:
                    words = name == WORDS
                    size = network.table.num_embeddings if words else first.arrays[name].shape[-1]
                    self.back[f"{key}-{name}"] = nn.Linear(network.width, size)

    def forward(self, given: Pass) -> Tensor | None:
        """Mean over modalities of the loss on hidden items; None where nothing is hidden."""
        losses = []
        for modality, one in given.encoded.items():
            key = given.model.config.routes[modality]
            if one.hidden.any():
                losses += [
                    self._lost(name, self.back[f"{key}-{name}"], one)
                    for name in one.given.arrays
                    if f"{key}-{name}" in self.back
                ]
        return torch.stack(losses).sum() / len(given.encoded) if losses else None

    def _lost(self, name: str, back: nn.Module, one: Encoded) -> Tensor:
        items, target = one.items[one.hidden], one.given.arrays[name][one.hidden]
        if name == WORDS:
            chosen = torch.randperm(len(items), device=items.device)[:MOST_WORDS]
            lost = functional.cross_entropy(back(items[chosen]), target[chosen].long())
            return lost / 8.0  # of the size of the other losses
        if name == "patch":
            spread = target.std(-1, keepdim=True).clamp(min=0.05)
            target = (target - target.mean(-1, keepdim=True)) / spread
        return functional.smooth_l1_loss(back(items), target)


class Masked:
    """The objective."""

    name = "masked"
    label = "Fill in what is hidden"
    help = "Parts of pictures, spans of curves and sounds, cells and words, from the rest."
    hides = 0.5

    def head(self, model: SharedModel, examples: Sequence[Example]) -> Filling:
        """What it needs beside the model."""
        return Filling(model, examples)


OBJECTIVE = Masked()
