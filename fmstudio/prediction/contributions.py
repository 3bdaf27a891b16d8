"""How much each modality moved an answer, exactly summing to the answer minus the baseline.

The task head adds one part per modality to the logits, so the way from the baseline's logits to
the case's is a straight line with one share per modality; integrating the probability along it
gives each modality its part (Aumann-Shapley values; Sundararajan et al. 2017, arXiv 1703.01365).
What modalities tell each other inside the trunk counts for the one in whose tokens it ends up.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

STEPS = 64


def contributions(
    parts: np.ndarray, typical: np.ndarray, bias: np.ndarray, read: Callable[[np.ndarray], float]
) -> tuple[np.ndarray, float]:
    """Contribution of each modality (M), and the baseline, of one output.

    `parts` (M, K) are the case's parts of the logits, `typical` (M, K) those of a typical training
    case with the same modalities, `bias` (K); `read` takes logits (K) to the output in question.
    Contributions sum to read(case) - baseline.
    """
    change = parts - typical
    start = typical.sum(0) + bias
    baseline, answer = read(start), read(start + change.sum(0))
    marks = (np.arange(STEPS) + 0.5) / STEPS
    moved = np.zeros(len(parts))
    for mark in marks:
        here = start + mark * change.sum(0)
        slope = _gradient(read, here)
        moved += change @ slope / STEPS
    # What 64 steps and finite differences leave over goes to the parts by their size.
    rest = (answer - baseline) - moved.sum()
    size = np.abs(moved)
    share = size / size.sum() if size.sum() > 0 else np.full(len(parts), 1 / len(parts))
    return moved + rest * share, baseline


def _gradient(
    read: Callable[[np.ndarray], float], at: np.ndarray, step: float = 1e-4
) -> np.ndarray:
    """Slope of `read` in each logit, by central differences."""
    moves = np.eye(len(at)) * step
    return np.array([(read(at + move) - read(at - move)) / (2 * step) for move in moves])
