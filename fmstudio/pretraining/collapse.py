"""Whether features still tell inputs apart, or have collapsed to a few directions or a point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LOWEST_RANK = 3.0
LOWEST_SPREAD = 1e-3
LOST_SHARE = 0.5


@dataclass(frozen=True)
class Health:
    """`rank` is the effective number of directions of the features, `spread` the mean standard
    deviation of a feature over inputs."""

    rank: float
    spread: float

    def collapsed(self, before: Health) -> bool:
        """True if what the base makes of its inputs is next to the same for all of them, and was
        not so before: inputs that are alike themselves are no fault of the base's."""
        flat = self.rank < LOWEST_RANK and self.rank < LOST_SHARE * before.rank
        shrunk = self.spread < LOWEST_SPREAD and self.spread < LOST_SHARE * before.spread
        return flat or shrunk


def health(features: np.ndarray) -> Health:
    """Of features (n, F), n at least 2.

    The effective rank is the exponential of the entropy of the normalized singular values (Roy &
    Vetterli 2007, "The effective rank").
    """
    centred = features.astype(np.float64) - features.mean(0)
    singular = np.linalg.svd(centred, compute_uv=False)
    shares = singular / max(singular.sum(), 1e-12)
    shares = shares[shares > 1e-12]
    entropy = float(-(shares * np.log(shares)).sum())
    return Health(float(np.exp(entropy)) if len(shares) else 0.0, float(centred.std(0).mean()))
