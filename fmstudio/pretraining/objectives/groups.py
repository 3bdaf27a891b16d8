"""The groups that the base itself finds among its inputs are to be told from one input alone.

Deep clustering (Caron et al. 2018, arXiv 1807.05520): at every look the inputs are grouped anew by
k-means on the features of the moment, and a linear classifier, made anew as well, learns to name
the group. The base sees a part of the input, with items hidden, and the groups come from all of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fmstudio.model.shared import SharedModel
from fmstudio.pretraining.encoded import Pass
from fmstudio.pretraining.features import features
from fmstudio.pretraining.groups import fitted, leading
from fmstudio.pretraining.stream import Example, Mixture

MOST_CASES = 2000  # grouped at each look: a pass over them costs about as much as an epoch of them
MOST_GROUPS = 32
FEWEST_OF_GROUP = 8  # inputs to a group in the mean
NONE = -1


class Naming(nn.Module):
    """A linear classifier for each modality, and the groups of the grouped examples' inputs.

    Buffers: `places` (n, 2) of the grouped examples, `group_MODALITY` (n), NONE for those without.
    """

    def __init__(self, model: SharedModel) -> None:
        super().__init__()
        width = 2 * model.config.width
        self.name = nn.ModuleDict({m: nn.Linear(width, MOST_GROUPS) for m in model.modalities})
        self.register_buffer("places", torch.zeros(0, 2, dtype=torch.long))
        for modality in model.modalities:
            self.register_buffer(f"group_{modality}", torch.zeros(0, dtype=torch.long))
        self.rows: dict[tuple[int, int], int] | None = None

    def renew(self, model: SharedModel, mixture: Mixture) -> None:
        """Groups the inputs anew, by each modality's features, and forgets the old names."""
        places = mixture.places(MOST_CASES)
        device = self.places.device
        self.places = torch.tensor(places, dtype=torch.long, device=device)
        self.rows = None
        for modality in model.modalities:
            rows: list[int] = []
            found = features(model, modality, _having(mixture, modality, places, rows))
            group = np.full(len(places), NONE)
            count = min(MOST_GROUPS, len(rows) // FEWEST_OF_GROUP)
            if count > 1:
                group[rows] = _groups(found, count, mixture.seed)
            setattr(self, f"group_{modality}", torch.from_numpy(group).to(device))
            with torch.no_grad():
                for parameter in self.name[modality].parameters():
                    parameter.zero_()

    def forward(self, given: Pass) -> Tensor | None:
        """Mean over modalities of the cross-entropy; None where no example was grouped."""
        if self.rows is None:  # the buffers may have come from a checkpoint
            self.rows = {(s, n): row for row, (s, n) in enumerate(self.places.tolist())}
        losses = []
        for modality, one in given.encoded.items():
            having = [example for example in given.examples if modality in example.inputs]
            group = getattr(self, f"group_{modality}").tolist()
            known = [group[self.rows[e.place]] if e.place in self.rows else NONE for e in having]
            target = torch.tensor(known, device=one.summary.device)
            if (target != NONE).any():
                named = self.name[modality](one.summary)
                losses.append(functional.cross_entropy(named, target, ignore_index=NONE))
        return torch.stack(losses).mean() if losses else None


def _having(
    mixture: Mixture, modality: str, places: Sequence[tuple[int, int]], rows: list[int]
) -> Iterator[Example]:
    """The examples at the places that have the modality, one at a time; `rows` are their rows."""
    for row, place in enumerate(places):
        example = mixture.at(place)
        if modality in example.inputs:
            rows.append(row)
            yield example


def _groups(found: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Groups (n) of features (n, F), by their direction alone as in section 4.1 of the paper."""
    table = leading(found, seed)
    table = table / np.maximum(table.std(0), 1e-6)
    length = np.linalg.norm(table, axis=1, keepdims=True)
    return np.asarray(fitted(table / np.maximum(length, 1e-6), count, seed, starts=1).labels_)


class Grouped:
    """The objective."""

    name = "groups"
    label = "Name your own groups"
    help = "Inputs are grouped by their features now and then; the base learns to name the group."
    hides = 0.0

    def head(self, model: SharedModel, examples: Sequence[Example]) -> Naming:
        """What it needs beside the model."""
        return Naming(model)


OBJECTIVE = Grouped()
