"""Features are to differ between inputs, each in its own way.

The variance and covariance terms of VICReg (Bardes et al. 2022, arXiv 2105.04906, section 4): they
keep the features of a batch from shrinking to a point or to a few directions. Invariance is left
to the other objectives.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fmstudio.model.shared import SharedModel
from fmstudio.pretraining.encoded import Pass
from fmstudio.pretraining.stream import Example

FEWEST_INPUTS = 8  # inputs below which a batch says little about variance
SPREAD = 0.5  # standard deviation over inputs that each feature is pushed to at least
DECORRELATION = 0.04


class Spreading(nn.Module):
    """No parameters: it looks at the encoders' mean features alone."""

    def forward(self, given: Pass) -> Tensor | None:
        """Mean over modalities of both terms; None where a batch is too small to tell."""
        losses = []
        for one in given.encoded.values():
            if len(one.summary) >= FEWEST_INPUTS:
                losses.append(_terms(one.summary[:, : one.summary.shape[1] // 2].float()))
        return torch.stack(losses).mean() if losses else None


def _terms(features: Tensor) -> Tensor:
    """Of features (R, D)."""
    centred = features - features.mean(0)
    spread = torch.sqrt(centred.var(0) + 1e-4)
    covariance = centred.T @ centred / (len(features) - 1)
    apart = covariance - torch.diag(torch.diag(covariance))
    return torch.relu(SPREAD - spread).mean() + DECORRELATION * (apart**2).sum() / len(covariance)


class Spread:
    """The objective."""

    name = "spread"
    label = "Keep inputs apart"
    help = "Features must vary from case to case, each in its own way: a guard against collapse."
    hides = 0.0

    def head(self, model: SharedModel, examples: Sequence[Example]) -> Spreading:
        """What it needs beside the model."""
        return Spreading()


OBJECTIVE = Spread()
