"""How much each case counts when a model learns: classes evenly, and groups evenly within them.

The weights of a group are those of reweighing (Kamiran & Calders 2012, "Data preprocessing
techniques for classification without discrimination", section 4.3), expected over observed count,
with the same count expected of each group. What a class counts in all stays as it was, so that
`prior_shift` stays right.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fmstudio.errors import InputError
from fmstudio.run_config import GROUP_CAP, RunConfig
from fmstudio.types import PatientCase, TaskSpec


@dataclass(frozen=True)
class SampleWeights:
    """What counts evenly among some cases: classes if `balance`, and the groups that `members` (n)
    names, "" for a case whose group is not known; None where groups count as they come."""

    balance: bool = False
    members: np.ndarray | None = None

    def of(self, rows: np.ndarray) -> SampleWeights:
        """That of some of the cases, given as indices or as a mask."""
        return self if self.members is None else replace(self, members=self.members[rows])

    def weights(self, task: TaskSpec, targets: np.ndarray) -> np.ndarray | None:
        """What each of these cases counts, 1 on average: shaped as the targets, (n) or (n, K) with
        one weight a label; None where all count the same. A label that is not known has weight 1.
        """
        by_class = task.kind != "regression"
        if self.members is None and not (self.balance and by_class):
            return None
        columns = targets.reshape(len(targets), -1)
        weights = np.ones(columns.shape)
        for column, own in zip(columns.T, weights.T, strict=True):
            known = ~np.isnan(column)
            parts = [column == value for value in np.unique(column[known])] if by_class else [known]
            for rows in parts:
                if self.balance and by_class:
                    own[rows] = known.sum() / (len(parts) * rows.sum())
                if self.members is not None:
                    own[rows] *= evened(self.members[rows])
        return weights.reshape(targets.shape)


def evened(members: np.ndarray) -> np.ndarray:
    """Weights (n) with which the groups of `members` count the same in all, none above `GROUP_CAP`.

    What a small group may not have for its cap the others share. Cases without a group ("") keep
    weight 1: not being known is nothing that patients have in common. The mean weight is 1.
    """
    weights = np.ones(len(members))
    names, counts = np.unique(members[members != ""], return_counts=True)
    left = float(counts.sum())
    for place, index in enumerate(np.argsort(counts, kind="stable")):
        total = min(GROUP_CAP * counts[index], left / (len(counts) - place))
        weights[members == names[index]] = total / counts[index]
        left -= total
    return weights


def sample_weights_of(config: RunConfig, cases: Sequence[PatientCase]) -> SampleWeights:
    """What a run's settings ask for among these cases."""
    if not config.balance_by:
        return SampleWeights(config.balance)
    members = np.array([case.groups.get(config.balance_by, "") for case in cases], object)
    return SampleWeights(config.balance, members)


def check_group_column(config: RunConfig, columns: Iterable[str]) -> None:
    """Raises InputError if groups are to be balanced by none of the cohort's group `columns`."""
    there = sorted(columns)
    if config.balance_by and config.balance_by not in there:
        raise InputError(
            f"The cohort has no group column '{config.balance_by}' to balance by.",
            hint=f"Its group columns: {', '.join(there) or 'none'}. Others become one by the "
            "role 'group', given when the cohort is added.",
        )


def check_groups(config: RunConfig, cases: Sequence[PatientCase]) -> None:
    """Raises InputError if the training `cases` are all of one group, or of none that is known."""
    if not config.balance_by:
        return
    names = {case.groups.get(config.balance_by, "") for case in cases} - {""}
    if len(names) < 2:
        told = f"are all '{names.pop()}'" if names else "are all empty"
        raise InputError(
            f"In the column '{config.balance_by}' the training cases {told}: there are no groups "
            "to balance.",
            hint="Choose another group column, or none.",
        )
