"""Boosted trees as plain arrays: they can be kept without pickle, and answer without their maker.

Shape letters: n cases, C columns, T trees, N nodes of the largest tree, K outputs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

DEEPEST = 64  # no tree of ours is deeper; arrays that claim more are not followed further


@dataclass(frozen=True)
class Trees:
    """T trees; their sum, and `base` (K), are the logits.

    Of each node (T, N): the `column` it asks for and the `threshold` up to which a case goes to the
    node `left`, else `right`; whether a case goes left where the value is `missing`; its `value`
    once there is nothing more to ask, which is where `left` is the node itself. `output` (T) is
    the logit that a tree adds to.
    """

    column: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    missing: np.ndarray
    value: np.ndarray
    output: np.ndarray
    base: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """T and N."""
        return self.column.shape[0], self.column.shape[1]

    def logits(self, rows: np.ndarray) -> np.ndarray:
        """(n, C) with NaN where nothing is known, to (n, K)."""
        logits = np.zeros((len(rows), len(self.base))) + self.base
        trees = np.arange(len(self.output))[None]
        at = np.zeros((len(rows), len(self.output)), np.int64)
        for _ in range(DEEPEST):
            asked = np.take_along_axis(rows, self.column[trees, at], axis=1).astype(np.float64)
            unknown = np.isnan(asked)
            goes_left = np.where(
                unknown, self.missing[trees, at], asked <= self.threshold[trees, at]
            )
            onward = np.where(goes_left, self.left[trees, at], self.right[trees, at])
            if (onward == at).all():
                break
            at = onward
        np.add.at(logits, (slice(None), self.output), self.value[trees, at])
        return logits

    def scaled(self, share: np.ndarray) -> Trees:
        """The same with the logits (K) multiplied by `share` (K)."""
        value = self.value * share[self.output][:, None]
        return replace(self, value=value, base=self.base * share)

    def check(self, columns: int) -> bool:
        """Whether all that the arrays point at is there, as in those that come from elsewhere."""
        trees, nodes = self.shape
        shapes = {
            each.shape for each in (self.threshold, self.left, self.right, self.missing, self.value)
        }
        inside = [
            (self.column, columns),
            (self.left, nodes),
            (self.right, nodes),
            (self.output, len(self.base)),
        ]
        fits = all(((each >= 0) & (each < limit)).all() for each, limit in inside)
        return shapes <= {(trees, nodes)} and self.output.shape == (trees,) and fits


def joined(parts: list[Trees], base: np.ndarray) -> Trees:
    """All trees of several, each padded to the largest; their own bases do not count."""
    nodes = max((part.shape[1] for part in parts), default=1)

    def padded(name: str) -> np.ndarray:
        arrays = [getattr(part, name) for part in parts]
        grown = [np.pad(array, ((0, 0), (0, nodes - array.shape[1]))) for array in arrays]
        empty = np.zeros((0, nodes), np.float64 if name in ("threshold", "value") else np.int64)
        return np.concatenate([*grown, empty.astype(grown[0].dtype if grown else empty.dtype)])

    named = {
        name: padded(name) for name in ("column", "threshold", "left", "right", "missing", "value")
    }
    output = np.concatenate([*(part.output for part in parts), np.zeros(0, np.int64)])
    return Trees(**named, output=output.astype(np.int64), base=base)


@dataclass(frozen=True)
class ByTrees:
    """The columns of a modality, which boosted trees read; they stand behind the F features."""

    columns: slice
