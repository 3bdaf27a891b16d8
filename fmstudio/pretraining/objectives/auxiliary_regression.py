"""What is known of an input is to be read off its features by a linear layer.

Targets are numbers measured from the input itself (as MaskFeat predicts HOG features: Wei et al.
2022, arXiv 2112.09133) or written down beside it: the findings of a synthetic case, cells of that
patient's table (masked prediction across modalities, as in MultiMAE: Bachmann et al. 2022, arXiv
2204.01678), a language model's reading of the text (distillation: Hinton et al. 2015, arXiv
1503.02531).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fmstudio.model.feature_layout import overview_size
from fmstudio.model.shared import SharedModel
from fmstudio.pretraining.encoded import Pass
from fmstudio.pretraining.stream import Example

FEWEST_KNOWN = 8  # examples of the sample in which a number must be known to be asked for
MOST_NAMES = 2048
MEASURED = "measured"  # the group of numbers that name none
LIMIT = 4.0  # standard units beyond which a number says no more than "far off"


class Reading(nn.Module):
    """A linear reading of each modality's features: all the numbers known of it.

    Numbers are standardized by a first sample of examples.
    """

    def __init__(self, model: SharedModel, examples: Sequence[Example]) -> None:
        super().__init__()
        self.names: dict[str, dict[str, int]] = {}
        self.read = nn.ModuleDict()
        for modality in model.modalities:
            found: dict[str, list[float]] = defaultdict(list)
            for example in examples:
                for name, value in example.known.get(modality, {}).items():
                    found[name].append(value)
            often = sorted(found, key=lambda name: (-len(found[name]), name))[:MOST_NAMES]
            kept = [n for n in often if len(found[n]) >= FEWEST_KNOWN and np.std(found[n]) > 1e-6]
            if not kept:
                continue
            self.names[modality] = {name: column for column, name in enumerate(kept)}
            size = overview_size(model.config, model.config.routes[modality])
            self.read[modality] = nn.Linear(size, len(kept))
            centre = torch.tensor([np.mean(found[n]) for n in kept], dtype=torch.float32)
            spread = torch.tensor([np.std(found[n]) for n in kept], dtype=torch.float32)
            self.register_buffer(f"centre_{modality}", centre)
            self.register_buffer(f"spread_{modality}", spread)
            self.register_buffer(f"share_{modality}", _shares(kept))

    def forward(self, given: Pass) -> Tensor | None:
        """Mean over modalities of the loss on the numbers that are known; None without any."""
        losses = []
        for modality, one in given.encoded.items():
            if modality not in self.names:
                continue
            target = self._targets(modality, given.examples, one.summary.device)
            there = ~torch.isnan(target)
            if there.any():
                # Dropped features cannot be leaned on one by one: what is known gets spread.
                features = torch.cat([one.whole, one.summary], -1)
                read = self.read[modality](functional.dropout(features, 0.1))
                lost = functional.smooth_l1_loss(read, target.nan_to_num(), reduction="none")
                weight = there * getattr(self, f"share_{modality}")
                losses.append((lost * weight).sum() / weight.sum())
        return torch.stack(losses).mean() if losses else None

    def _targets(self, modality: str, examples: Sequence[Example], device: torch.device) -> Tensor:
        """Standardized numbers (R, names) of the cases that have the modality, NaN if unknown."""
        names = self.names[modality]
        having = [example for example in examples if modality in example.inputs]
        table = np.full((len(having), len(names)), np.nan, np.float32)
        for row, example in enumerate(having):
            for name, value in example.known.get(modality, {}).items():
                if name in names:
                    table[row, names[name]] = value
        centre, spread = getattr(self, f"centre_{modality}"), getattr(self, f"spread_{modality}")
        standard = (torch.from_numpy(table).to(device) - centre) / spread
        return standard.clamp(-LIMIT, LIMIT)


def group_of(name: str) -> str:
    """Whose kind of number it is: "finding/wheeze" is a finding; a bare name was measured."""
    return name.split("/")[0] if "/" in name else MEASURED


def _shares(names: Sequence[str]) -> Tensor:
    """Weights (names) by which each group counts the same; "finding/wheeze" is of group finding."""
    groups = [group_of(name) for name in names]
    return torch.tensor([1 / groups.count(group) for group in groups], dtype=torch.float32)


class Known:
    """The objective."""

    name = "known"
    label = "Read what is known"
    help = "Measured features of each input, and the case's table, from every other modality."
    hides = 0.0

    def head(self, model: SharedModel, examples: Sequence[Example]) -> Reading:
        """What it needs beside the model."""
        return Reading(model, examples)


OBJECTIVE = Known()
