"""Where each kind of feature lies in what the task head sees of a modality.

Shape letters: F features, C columns, D width of the trunk, W tokens of the whole input.
"""

from __future__ import annotations

from dataclasses import dataclass

from fmstudio.baselines.tree_arrays import ByTrees
from fmstudio.model.config import SharedModelConfig

SMALLEST_GROUP = 8  # readings that the probe trusts as a group of their own
SUMMARY = 2  # features per width of the trunk: mean and spread of the encoder's tokens


@dataclass(frozen=True)
class FeatureLayout:
    """The F features of each modality in their order, and behind them the C columns.

    `sketch` came with the input; `readings` are numbers that the base learned to read off the
    encoder's tokens; `whole` are the tokens of the whole input, one after another; `mean` and
    `spread` are those of the other tokens; `mixed` is the mean of what the trunk makes of all.
    Each is as long as the longest of any modality: where one has less, zeros follow.
    """

    sketch: slice
    readings: slice
    whole: slice
    mean: slice
    spread: slice
    mixed: slice
    columns: slice

    @classmethod
    def of(cls, config: SharedModelConfig) -> FeatureLayout:
        """That of a model."""
        width, start, parts = config.width, 0, []
        for size in (
            max(config.sketches.values(), default=0),
            config.readings,
            config.whole * width,
            *(width,) * (SUMMARY + 1),
            max(config.columns.values(), default=0),
        ):
            parts.append(slice(start, start + size))
            start += size
        return cls(*parts)

    @property
    def features(self) -> int:
        """F."""
        return self.mixed.stop

    @property
    def before_trunk(self) -> int:
        """F - D, the features that need no trunk: all that come before `mixed`."""
        return self.mixed.start

    @property
    def column_count(self) -> int:
        """C."""
        return self.columns.stop - self.columns.start

    @property
    def with_columns(self) -> int:
        """F + C."""
        return self.columns.stop


def overview_size(config: SharedModelConfig, key: str) -> int:
    """(W + 2) · D, the numbers of an encoder's tokens of the whole input, and of mean and spread of
    the others."""
    return (config.whole_tokens(key) + SUMMARY) * config.width


def feature_groups(config: SharedModelConfig, modality: str) -> list[list[slice] | ByTrees]:
    """Which features of a modality the probe reads: fits of their own, of groups trusted alike.

    One fit reads the readings by their groups, and mean and spread of the encoder's tokens; another
    the tokens of the whole input, or the sketch that a checkpoint's text comes with; a third, by
    boosted trees, the columns of a table or series. What the trunk makes of them is for fine-tuning
    to use; read by the probe it costs more in noise than it gives.
    """
    layout, key = FeatureLayout.of(config), config.routes[modality]
    groups: list[slice] = []
    start = layout.readings.start
    for size in config.encoders[key].get("readings", {}).values():
        # One or two numbers are no group: trusted as much as all others, they would drown them.
        small = size < SMALLEST_GROUP and groups
        groups.append(slice(groups.pop().start if small else start, start + size))
        start += size
    fits: list[list[slice] | ByTrees] = [[*groups, slice(layout.mean.start, layout.spread.stop)]]
    if whole := config.whole_tokens(key):
        first = layout.whole.start
        fits.append([slice(first, first + whole * config.width)])
    if size := config.sketches.get(modality):
        fits.append([slice(0, size)])
    if count := config.columns.get(modality):
        first = layout.columns.start
        fits.append(ByTrees(slice(first, first + count)))
    return fits
