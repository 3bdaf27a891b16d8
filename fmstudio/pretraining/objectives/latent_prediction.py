"""The trunk tells from a part of a case what the hidden rest is like.

Latent targets as in data2vec (Baevski et al. 2022, arXiv 2202.03555), taken from the encoders and
not from the trunk itself, so that the trunk cannot make its own task easy. Half of the tokens are
hidden, and of a case with several modalities one is hidden whole.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from fmstudio.encoders.batching import Batch, ModalityBatch
from fmstudio.model.shared import SharedModel
from fmstudio.pretraining.encoded import Pass
from fmstudio.pretraining.stream import Example

HIDDEN_SHARE = 0.5


class Guessing(nn.Module):
    """From the trunk's features of what is there to the encoders' summary of each modality."""

    def __init__(self, model: SharedModel) -> None:
        super().__init__()
        width = model.config.width
        self.own = nn.Linear(width, 2 * width)
        self.other = nn.ModuleDict({name: nn.Linear(width, 2 * width) for name in model.modalities})

    def forward(self, given: Pass) -> Tensor | None:
        """Loss on the summaries of shown and of hidden modalities."""
        model, width = given.model, given.model.config.width
        order = list(model.modalities)
        size = len(given.examples)
        device = next(iter(given.encoded.values())).summary.device
        target = torch.zeros(size, len(order), 2 * width, device=device)
        there = torch.zeros(size, len(order), dtype=torch.bool, device=device)
        for name, one in given.encoded.items():
            target[one.given.rows, order.index(name)] = one.summary.detach()
            there[one.given.rows, order.index(name)] = True
        shown = there & ~_one_of_several(there)
        features = model.features(_thinned(given, shown, order))
        after = features.values[..., -width:]  # what the trunk made of each
        seen = shown & (features.present > 0)
        lost = _mean_loss(self.own(after), target, seen)
        together = (after * seen[..., None]).sum(1) / seen.sum(1).clamp(min=1)[:, None]
        hidden = there & ~shown
        if hidden.any():
            guesses = torch.stack([self.other[name](together) for name in order], 1)
            lost = lost + _mean_loss(guesses, target, hidden)
        return lost


def _mean_loss(guess: Tensor, target: Tensor, where: Tensor) -> Tensor:
    each = functional.smooth_l1_loss(guess, target, reduction="none").mean(-1)
    return (each * where).sum() / where.sum().clamp(min=1)


def _one_of_several(there: Tensor) -> Tensor:
    """In each row with several modalities, in half of the cases, one of them (B, M)."""
    chance = torch.rand(there.shape, device=there.device) * there
    picked = functional.one_hot(chance.argmax(1), there.shape[1]).bool()
    several = (there.sum(1) > 1) & (torch.rand(len(there), device=there.device) < 0.5)
    return picked & several[:, None]


def _thinned(given: Pass, shown: Tensor, order: Sequence[str]) -> Batch:
    """The shown modalities as tokens, half of them hidden, at least one of each left."""
    modalities = {}
    for name, one in given.encoded.items():
        keep = shown[one.given.rows, order.index(name)]
        if not keep.any():
            continue
        mask = one.tokens.mask[keep]
        kept = mask & (torch.rand(mask.shape, device=mask.device) > HIDDEN_SHARE)
        kept |= (mask & (mask.cumsum(1) == 1)) & ~kept.any(1, keepdim=True)
        tokens = {"tokens": one.tokens.values[keep]}
        modalities[name] = ModalityBatch(one.given.rows[keep], tokens, kept)
    return Batch(len(given.examples), modalities)


class Latent:
    """The objective."""

    name = "latent"
    label = "Guess the hidden modality"
    help = "What a hidden part of the case is like, from the rest of it: trains the trunk."
    hides = 0.0

    def head(self, model: SharedModel, examples: Sequence[Example]) -> Guessing:
        """What it needs beside the model."""
        return Guessing(model)


OBJECTIVE = Latent()
