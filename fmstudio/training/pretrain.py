"""The first self-supervised training of the embedded base: prepared inputs in, weights out.

Each encoder learns to fill in hidden items from the others (masked modelling: SimMIM, Xie et al.
2022, arXiv 2111.09886, for pictures; the same for sound, series and cells; BERT, Devlin et al.
2019, for words). Then the trunk learns to tell, from a part of a case's tokens, what the hidden
rest was on average (latent targets as in data2vec, Baevski et al. 2022, from frozen encoders, so
that nothing can collapse).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fmstudio.encoders.blocks import EncoderNetwork
from fmstudio.model.batching import collate
from fmstudio.model.shared import Batch, ModalityBatch, SharedModel
from fmstudio.types import Prepared

log = logging.getLogger(__name__)

# What of a prepared input is its content, by the names of its arrays: hidden and to be filled in.
# Places, times and names stay visible: they say what is asked for.
CONTENT = ("patch", "shape", "filled", "statistics", "value", "category", "id")
NUMBERS = ("patch", "shape", "statistics", "value")
HIDDEN_SHARE = 0.5
LEARNING_RATE = 1e-3
MOST_ITEMS = 2048  # items of a batch, so that long inputs come in small batches


class Filler(nn.Module):
    """An encoder with what masked modelling needs beside it: a mask vector and a way back."""

    def __init__(self, network: EncoderNetwork, example: Prepared, vocabulary: int | None) -> None:
        super().__init__()
        width = network.stack.norm.normalized_shape[0]
        self.network = network
        self.unknown = nn.Parameter(torch.randn(width) * 0.02)
        self.vocabulary = vocabulary
        sizes = {n: example.arrays[n].shape[-1] for n in NUMBERS if n in example.arrays}
        self.numbers = nn.ModuleDict({name: nn.Linear(width, size) for name, size in sizes.items()})
        self.words = nn.Linear(width, vocabulary) if vocabulary else None

    def loss(self, given: ModalityBatch) -> Tensor:
        """Mean loss over hidden items."""
        hidden = (
            torch.rand(given.mask.shape, device=given.mask.device) < HIDDEN_SHARE
        ) & given.mask
        visible = {
            name: array.masked_fill(_like(hidden, array), 0) if name in CONTENT else array
            for name, array in given.arrays.items()
        }
        embedded = self.network.embed(visible) + hidden[..., None] * self.unknown
        filled = self.network.contextualize(embedded, given.mask)[hidden]
        if self.words is not None:
            return functional.cross_entropy(self.words(filled), given.arrays["id"][hidden].long())
        losses = [
            functional.smooth_l1_loss(self.numbers[name](filled), self._target(name, given, hidden))
            for name in self.numbers
        ]
        return torch.stack(losses).sum()

    def _target(self, name: str, given: ModalityBatch, hidden: Tensor) -> Tensor:
        """Hidden numbers; patches in units of their own spread, so that faint ones count too."""
        target = given.arrays[name][hidden]
        if name != "patch":
            return target
        spread = target.std(-1, keepdim=True).clamp(min=0.05)
        return (target - target.mean(-1, keepdim=True)) / spread


def _like(hidden: Tensor, array: Tensor) -> Tensor:
    return hidden.reshape(*hidden.shape, *[1] * (array.dim() - 2))


def pretrain_encoder(
    network: EncoderNetwork,
    inputs: Sequence[Prepared],
    vocabulary: int | None,
    seconds: float,
    seed: int,
) -> list[float]:
    """Masked modelling on prepared inputs of one kind for some time; the losses."""
    filler = Filler(network, inputs[0], vocabulary).train()
    draw = np.random.default_rng(seed)
    torch.manual_seed(seed)
    lengths = np.array([one.length for one in inputs])

    def batch_loss() -> Tensor:
        # Inputs of about one length, so that little of the batch is padding.
        longest = lengths[draw.integers(len(inputs))]
        alike = np.flatnonzero((lengths <= longest) & (lengths > longest // 2))
        chosen = draw.choice(alike, int(np.clip(MOST_ITEMS // longest, 2, 64)))
        given = collate([{"input": inputs[row]} for row in chosen])
        return filler.loss(given.modalities["input"])

    return _minimize(batch_loss, list(filler.parameters()), seconds)


def pretrain_trunk(
    model: SharedModel, cases: Sequence[Mapping[str, Prepared]], seconds: float, seed: int
) -> list[float]:
    """From half of a case's tokens to the averages of all of them, per modality."""
    draw = np.random.default_rng(seed)
    torch.manual_seed(seed)
    width = model.config.width
    guess = nn.Linear(width, 2 * width)
    parameters = [*model.trunk.parameters(), *model.modality_name.parameters(), *guess.parameters()]
    encoded = [_encoded(model, case) for case in cases]

    def batch_loss() -> Tensor:
        chosen = [encoded[row] for row in draw.choice(len(encoded), 16)]
        batch = collate(chosen)
        whole = model.features(batch).values[..., : 2 * width].detach()
        features = model.features(_thinned(batch))
        error = functional.smooth_l1_loss(
            guess(features.values[..., 2 * width :]), whole, reduction="none"
        )
        return (error.mean(-1) * features.present).sum() / features.present.sum()

    return _minimize(batch_loss, parameters, seconds)


@torch.inference_mode()
def _encoded(model: SharedModel, case: Mapping[str, Prepared]) -> dict[str, Prepared]:
    given = collate([case]).modalities
    tokens = {name: model.encode(name, one).values[0].numpy() for name, one in given.items()}
    return {name: Prepared({"tokens": values}) for name, values in tokens.items()}


def _thinned(batch: Batch) -> Batch:
    """The batch with half of its tokens hidden, at least one left in each input."""
    modalities = {}
    for name, given in batch.modalities.items():
        kept = given.mask & (torch.rand(given.mask.shape) > HIDDEN_SHARE)
        kept[:, 0] |= ~kept.any(1)
        modalities[name] = ModalityBatch(given.rows, given.arrays, kept)
    return Batch(batch.size, modalities)


def _minimize(batch_loss, parameters: list[nn.Parameter], seconds: float) -> list[float]:
    """AdamW with a warm-up and a cosine over the time given."""
    optimizer = torch.optim.AdamW(parameters, lr=LEARNING_RATE, weight_decay=0.05)
    started, losses = time.monotonic(), []
    while (passed := (time.monotonic() - started) / seconds) < 1:
        pace = min(1.0, (len(losses) + 1) / 50) * 0.5 * (1 + np.cos(np.pi * passed))
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * pace
        optimizer.zero_grad(set_to_none=True)
        lost = batch_loss()
        lost.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        losses.append(float(lost.detach()))
        if len(losses) % 100 == 0:
            log.info("step %d, loss %.4f", len(losses), np.mean(losses[-100:]))
    return losses
