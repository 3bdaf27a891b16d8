"""Several trained adapters to one: trained states of one model in, their average out.

Averaging the weights of models that were fine-tuned from the same start makes one model that is as
cheap to ask as each of them and often better: the uniform soup of Wortsman et al. 2022 (arXiv
2203.05482). All seeds here start from the same base and the same probe's head.

LoRA changes a layer by B·A, so what has to be averaged is that product: the mean of the Bs times
the mean of the As is another matrix, and meaningless where the As began apart. The mean product
of k adapters has up to k times their rank; its best approximation of the old rank, by singular
values (Eckart & Young 1936; as in FlexLoRA, Bai et al. 2024, arXiv 2402.11505), is the average.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fmstudio.results.search import SeedsResult

State = Mapping[str, Tensor]

_A, _B = ".lora_A.", ".lora_B."


@dataclass(frozen=True)
class AveragedWeights:
    """What several seeds came to: the state that is kept, its validation loss, and its origin.

    `losses` are those of the single seeds, `averaged_loss` that of their average; `averaged` says
    whether it is the average that was kept, else it is the best seed, the first of equals.
    """

    state: State
    loss: float
    losses: tuple[float, ...]
    averaged_loss: float
    averaged: bool

    @property
    def result(self) -> SeedsResult:
        """As the run's result tells it."""
        loss = self.averaged_loss if math.isfinite(self.averaged_loss) else None
        return SeedsResult(self.losses, loss, self.averaged)


def best_of(
    states: Sequence[State], losses: Sequence[float], loss_of: Callable[[State], float]
) -> AveragedWeights:
    """The average of `states` where its loss is no worse than the best seed's, else the best seed.

    `losses` are the validation losses of `states`, `loss_of` gives that of another state.
    """
    averaged = average(states)
    loss, least = float(loss_of(averaged)), min(losses)
    if loss <= least:  # False where it is no number
        return AveragedWeights(averaged, loss, tuple(losses), loss, True)
    return AveragedWeights(states[list(losses).index(least)], least, tuple(losses), loss, False)


def average(states: Sequence[State]) -> dict[str, Tensor]:
    """The mean of trained states of one model, in the shapes and types that they have.

    Pairs of LoRA factors are averaged as products; everything else number by number.
    """
    mean = {}
    for name, first in states[0].items():
        if _A in name or _B in name:
            continue
        given = [state[name] for state in states]
        same = all(torch.equal(first, other) for other in given)  # what is fitted once stays exact
        mean[name] = first if same else torch.stack([one.double() for one in given]).mean(0)
        mean[name] = mean[name].to(first.dtype)
    for name in (name for name in states[0] if _A in name):
        pair = name.replace(_A, _B)
        factors = mean_product([(state[name], state[pair]) for state in states])
        mean[name], mean[pair] = factors
    return {name: mean[name].contiguous() for name in states[0]}


def mean_product(pairs: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Factors A (r, in) and B (out, r) nearest to the mean of the products B·A of `pairs` (A, B).

    Both factors carry the root of the singular values. Nothing of size (out, in) is made: with the
    factors side by side the mean is P·Q, and QR leaves a square of k·r to decompose.
    """
    first = pairs[0][0]
    rank = first.shape[0]
    tall = torch.cat([b.double() for _, b in pairs], dim=1) / len(pairs)  # P: (out, k·r)
    wide = torch.cat([a.double() for a, _ in pairs], dim=0)  # Q: (k·r, in)
    left, upper = torch.linalg.qr(tall)
    right, lower = torch.linalg.qr(wide.T)
    u, s, v = torch.linalg.svd(upper @ lower.T, full_matrices=False)
    u, v = left @ u, v @ right.T
    # A pair of singular vectors may both change sign: the largest number of each column decides.
    largest = u.abs().argmax(0)
    sign = torch.sign(u[largest, torch.arange(u.shape[1])])
    root = s.sqrt()
    b, a = (u * sign * root)[:, :rank], (v.T * sign * root).T[:rank]
    if a.shape[0] < rank:  # a layer smaller than the rank
        a = torch.nn.functional.pad(a, (0, 0, 0, rank - a.shape[0]))
        b = torch.nn.functional.pad(b, (0, rank - b.shape[1]))
    return a.to(first.dtype).contiguous(), b.to(first.dtype).contiguous()
