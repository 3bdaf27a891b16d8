"""Two modalities of one case are to be alike, and unlike those of other cases.

Contrastive alignment as in CLIP (Radford et al. 2021, arXiv 2103.00020), for every pair of
modalities that a batch has.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor, nn
from torch.nn import functional

from fmstudio.model.shared import SharedModel
from fmstudio.pretraining.encoded import Pass
from fmstudio.pretraining.stream import Example

SHARED = 128  # width of the space in which modalities meet
FEWEST_PAIRS = 4  # cases with both modalities: with fewer there is hardly anything to be unlike


class Meeting(nn.Module):
    """Each modality's features in one space, and how sharply they are compared."""

    def __init__(self, model: SharedModel) -> None:
        super().__init__()
        width = 2 * model.config.width
        self.place = nn.ModuleDict({name: nn.Linear(width, SHARED) for name in model.modalities})
        self.sharpness = nn.Parameter(torch.tensor(10.0).log())

    def forward(self, given: Pass) -> Tensor | None:
        """Mean over pairs of modalities of the symmetric InfoNCE loss; None without a pair."""
        placed = {
            name: functional.normalize(self.place[name](one.summary), dim=-1)
            for name, one in given.encoded.items()
        }
        losses = []
        for a, b in combinations(placed, 2):
            rows_a, rows_b = (given.encoded[name].given.rows for name in (a, b))
            both = rows_a[torch.isin(rows_a, rows_b)]
            if len(both) < FEWEST_PAIRS:
                continue
            left, right = placed[a][torch.isin(rows_a, both)], placed[b][torch.isin(rows_b, both)]
            alike = left @ right.T * self.sharpness.clamp(max=4.6).exp()
            own = torch.arange(len(both), device=alike.device)
            pair = functional.cross_entropy(alike, own) + functional.cross_entropy(alike.T, own)
            losses.append(pair / 2)
        return torch.stack(losses).mean() if losses else None


class Aligned:
    """The objective."""

    name = "aligned"
    label = "Match modalities of a case"
    help = "Which film belongs to which note, curve or sound; needs cases with several modalities."
    hides = 0.0

    def head(self, model: SharedModel, examples: Sequence[Example]) -> Meeting:
        """What it needs beside the model."""
        return Meeting(model)


OBJECTIVE = Aligned()
