"""The numbers of a task head that was fitted: linear readings of features, and boosted trees.

Shape letters: n cases, M modalities, F features, C columns, K outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from fmstudio.baselines.tree_arrays import ByTrees, Trees

FEWEST_TO_FIT = 2  # cases that have a modality, before anything is fitted to it

Groups = Sequence[Sequence[Sequence[slice] | ByTrees]]
"""What each modality is read by: for each of its fits, groups of features that are trusted alike
however many they are, or columns for trees."""


@dataclass(frozen=True)
class Head:
    """A task head's numbers: mean, scale (M, F); weight (M, F, K); offset (M, K); bias (K).

    `trees`, by modality, read the columns behind its F features. They know the cases they were
    grown on better than others: `unlearned` (n, M, K) is what to add to the parts of those cases
    to have what trees say that did not see their patient. `out_of_fold`
    (n, K) are the logits that those cases get from fits that did not see their patient, NaN where
    none knew their class. Both are empty for a head that was not fitted here.
    """

    mean: np.ndarray
    scale: np.ndarray
    weight: np.ndarray
    offset: np.ndarray
    bias: np.ndarray
    trees: Mapping[int, Trees] = field(default_factory=dict)
    unlearned: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0)))
    out_of_fold: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))

    def parts(self, features: np.ndarray, present: np.ndarray) -> np.ndarray:
        """Each modality's part of the logits: (n, M, F + C) and (n, M) to (n, M, K)."""
        width = self.mean.shape[1]
        modalities = [
            ((features[:, m, :width] - self.mean[m]) / self.scale[m]) @ self.weight[m]
            + self.offset[m]
            for m in range(features.shape[1])
        ]
        parts = np.stack(modalities, 1)
        for m, trees in self.trees.items():
            parts[:, m] += trees.logits(features[:, m, width:])
        return parts * present[..., None]

    def logits(self, features: np.ndarray, present: np.ndarray) -> np.ndarray:
        """(n, M, F + C) and (n, M) to (n, K)."""
        return self.parts(features, present).sum(1) + self.bias
