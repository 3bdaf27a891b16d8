"""Which of many gaps between groups are more than luck: adjusted P values by permutation.

Each patient keeps answers and truth and is dealt the groups of another. For rates and AUROC the
other has the same truth, so that a group may well be sicker than the rest; for calibration it is
any. The largest gap of every deal, in standard deviations of its own kind, is what luck reaches
when all groups are alike, so a gap is held against it (max-T: Westfall and Young 1993; Ge, Dudoit
and Speed 2003, Test 12:1). The chance that any of all gaps is called real when none is, is then at
most the level, whatever their number and however they hang together.

Shape letters: n cases, G groups, B deals, P patients.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from fmstudio.evaluation.labelled_predictions import Question

DEALS = 999
BLOCK = 20_000_000  # memberships in memory at a time

Gap = Callable[[np.ndarray], np.ndarray]
"""From memberships (B, n) to the gap (B) of a group to all others."""


def adjusted(
    gaps: Mapping[str, Gap],
    free: frozenset[str],
    question: Question,
    members: np.ndarray,
    tested: Mapping[str, np.ndarray],
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """P values (G) of each kind of gap, adjusted for all that are `tested` (G); NaN for others.

    `members` (G, n) says which cases each group has. Kinds in `free` are dealt among all patients.
    """
    observed = {
        name: np.array([gap(m[None].astype(float))[0] for m in members])
        for name, gap in gaps.items()
    }
    dealt = _dealt(gaps, free, question, members, seed)
    largest = np.zeros(DEALS)
    standing: dict[str, np.ndarray] = {}
    for name, several in dealt.items():
        centre, spread = np.nanmean(several, axis=0), np.nanstd(several, axis=0)
        spread = np.where(spread > 0, spread, np.inf)
        use = tested[name]
        if use.any():
            reached = np.abs((several - centre) / spread)[:, use]
            largest = np.maximum(largest, np.nan_to_num(reached).max(axis=1))
        standing[name] = np.where(use, np.abs((observed[name] - centre) / spread), np.nan)
    return {
        name: np.where(
            np.isnan(values),
            np.nan,
            (1 + (largest[:, None] >= values[None] - 1e-9).sum(axis=0)) / (DEALS + 1),
        )
        for name, values in standing.items()
    }


def _dealt(
    gaps: Mapping[str, Gap],
    free: frozenset[str],
    question: Question,
    members: np.ndarray,
    seed: int,
) -> dict[str, np.ndarray]:
    """Every gap under every deal: (B, G) by kind."""
    _, first, patient = np.unique(question.patients, return_index=True, return_inverse=True)
    sick = np.zeros(len(first), bool)
    np.logical_or.at(sick, patient, question.truth)
    of_patient = members[:, first]
    random = np.random.default_rng(seed)
    found: dict[str, list[np.ndarray]] = {name: [] for name in gaps}
    rows = max(1, BLOCK // max(1, members.size))
    for start in range(0, DEALS, rows):
        count = min(rows, DEALS - start)
        within = np.array([_deal(random, sick) for _ in range(count)])
        anywhere = np.array([random.permutation(len(first)) for _ in range(count)])
        for name, gap in gaps.items():
            deal = (anywhere if name in free else within)[:, patient]
            found[name].append(np.stack([gap(m[deal].astype(float)) for m in of_patient], axis=1))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _deal(random: np.random.Generator, sick: np.ndarray) -> np.ndarray:
    """A permutation of patients (P) that leaves the sick among the sick."""
    deal = np.arange(len(sick))
    for stratum in (np.flatnonzero(sick), np.flatnonzero(~sick)):
        deal[stratum] = random.permutation(stratum)
    return deal
