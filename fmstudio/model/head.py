"""The task head: what each modality's features, and the trees on its columns, say of the outcome.

Shape letters: B cases, M modalities, F features, C columns, K outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from fmstudio.baselines.tree_arrays import Trees


@dataclass
class Features:
    """What the task head sees: (B, M, F) features, (B, M) which modalities are there, and (B, M, C)
    the rows of those that have columns, NaN where a value is missing."""

    values: Tensor
    present: Tensor
    columns: Tensor


class TreeBuffers(nn.Module):
    """Boosted trees (see `baselines.tree_arrays`) as buffers, saved with the rest of the head.

    All are floats, for that is what a file of weights may hold; places are whole numbers.
    """

    def __init__(self, trees: int, nodes: int, outputs: int) -> None:
        super().__init__()
        shapes = dict.fromkeys(
            ("column", "threshold", "left", "right", "missing", "value"), (trees, nodes)
        )
        for name, shape in {**shapes, "output": (trees,), "base": (outputs,)}.items():
            self.register_buffer(name, torch.zeros(*shape, dtype=torch.float64))

    @property
    def trees(self) -> Trees:
        """The arrays."""
        arrays = {name: values.cpu().numpy() for name, values in self.named_buffers()}
        places = ("column", "left", "right", "missing", "output")
        return Trees(**arrays | {name: arrays[name].astype(np.int64) for name in places})

    def put(self, trees: Trees) -> None:
        """Take the arrays of trees of the same shape."""
        for name, values in self.named_buffers():
            values.copy_(torch.as_tensor(getattr(trees, name)))

    @torch.no_grad()
    def forward(self, rows: Tensor) -> Tensor:
        """Logits (B, K) of rows (B, C)."""
        return torch.as_tensor(self.trees.logits(rows.cpu().numpy()))


class TaskHead(nn.Module):
    """A linear reading of each modality's features, summed over the modalities that are there.

    logits = bias + Σ_m present_m · (weight_m · standardized features_m + offset_m + trees_m)

    `mean` and `scale` (M, F) standardize features by the training patients. The sum makes each
    modality's part of the logit exact, and a missing one adds nothing. `trees` are what boosted
    trees say of a modality that has columns; they do not train.
    """

    def __init__(
        self,
        modalities: int,
        features: int,
        outputs: int,
        trees: Mapping[int, Sequence[int]] | None = None,
    ) -> None:
        super().__init__()
        self.trees = nn.ModuleDict()
        for place, (count, nodes) in (trees or {}).items():
            self.trees[str(place)] = TreeBuffers(count, nodes, outputs)
        self.weight = nn.Parameter(torch.zeros(modalities, features, outputs))
        self.offset = nn.Parameter(torch.zeros(modalities, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("mean", torch.zeros(modalities, features))
        self.register_buffer("scale", torch.ones(modalities, features))

    def parts(self, features: Features) -> Tensor:
        """Each modality's part of the logits (B, M, K); zero where it is absent."""
        standardized = (features.values - self.mean) / self.scale
        parts = torch.einsum("bmf,mfk->bmk", standardized, self.weight) + self.offset
        if self.trees:
            grown = torch.zeros_like(parts)
            for place, trees in self.trees.items():
                grown[:, int(place)] = trees(features.columns[:, int(place)]).to(grown)
            parts = parts + grown
        return parts * features.present[..., None]

    def forward(self, features: Features) -> Tensor:
        """Logits (B, K)."""
        return self.parts(features).sum(1) + self.bias
