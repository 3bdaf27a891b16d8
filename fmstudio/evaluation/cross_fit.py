"""Cross-fitting: every case is answered by a fit that has not seen the case's patient.

Shape letters: n cases.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from sklearn.model_selection import GroupKFold

FOLDS = 5

Fold = tuple[np.ndarray, np.ndarray]
"""The rows to fit on, and the rows to answer."""


def patient_folds(
    patients: Sequence[str] | np.ndarray, count: int = FOLDS, seed: int = 0
) -> list[Fold]:
    """At most `count` folds of the cases of `patients` (n); no patient is on both sides of one.

    Each case is answered in one fold. There are as many folds as patients where those are fewer,
    and none for a single patient.
    """
    count = min(count, len(set(patients)))
    if count < 2:
        return []
    folds = GroupKFold(count, shuffle=True, random_state=seed)
    return list(folds.split(np.zeros(len(patients)), groups=list(patients)))


def cross_fit(
    folds: Sequence[Fold], answer: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    """The answers (n, …) that `answer`, given the rows of a fold, fits on the first and gives for
    the second. There must be at least one fold."""
    parts = [answer(inner, outer) for inner, outer in folds]
    found = np.zeros((sum(map(len, parts)), *parts[0].shape[1:]))
    for (_, outer), part in zip(folds, parts, strict=True):
        found[outer] = part
    return found
