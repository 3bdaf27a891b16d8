"""Rule-in and rule-out with a promise: how many can be answered so that few answers are wrong.

Two thresholds: above the upper one a case is ruled in, below the lower one ruled out, and between
them it is deferred to a person. Each threshold comes with a promise on new patients like these: the
PPV (or NPV) beyond it is at least the target, except with a chance of 1 - confidence over the draw
of the patients that it was fixed on (learn then test: Angelopoulos et al. 2021, arXiv 2110.01052).

The candidates are the k cases with the highest chance, for a few k fixed by n and the target alone.
Given the chance of case k + 1, the k above it are independent draws from all patients above that
chance, so the number of true positives among them is binomial, and the exact lower bound of Clopper
and Pearson (1934, Biometrika 26:404) at confidence 1 - (1 - confidence)/candidates holds for each.
By the union bound all hold at once, whatever the model and however it ranks; the largest k whose
bound reaches the target is taken. One case of each patient is used, as two are not independent.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log, nan

import numpy as np
from scipy.stats import beta

from fmstudio.evaluation.labelled_predictions import Question
from fmstudio.results.thresholds import Triage, TriageSide
from fmstudio.types import Interval

CONFIDENCE = 0.95
CANDIDATES = 6
PPV, NPV = 0.9, 0.95


def lower_bound(right: int, of: int, confidence: float) -> float:
    """The one-sided exact lower bound of a share: `right` of `of` (Clopper and Pearson 1934)."""
    return float(beta.ppf(1 - confidence, right, of - right + 1)) if right else 0.0


def fewest(target: float, confidence: float = CONFIDENCE) -> int:
    """How many answers must be given, all of them right, before `target` can be promised."""
    risk = (1 - confidence) / CANDIDATES
    return max(1, ceil(log(risk) / log(target) - 1e-9))


@dataclass(frozen=True)
class _Side:
    """The largest promised number `k` of the most certain cases, `right` of them; 0 with a reason
    if there is none."""

    target: float
    needed: int
    k: int = 0
    right: int = 0
    promised: float | None = None
    reason: str | None = None

    def of(self, n: int, threshold: float | None) -> TriageSide:
        """The side as a result, among `n` patients."""
        return TriageSide(
            target=self.target,
            promised=self.promised,
            needed=self.needed,
            threshold=threshold,
            answered=self.k,
            right=self.right,
            share=_share(self.k, n),
            reached=self.right / self.k if self.k else None,
            reason=self.reason,
        )


def triage(
    question: Question, ppv: float = PPV, npv: float = NPV, confidence: float = CONFIDENCE
) -> Triage:
    """The two thresholds with what is promised, and the shares ruled in, ruled out and deferred.

    A side that cannot be promised has no threshold and a `reason` with the numbers.
    """
    own = _one_each(question)
    order = np.argsort(-own.chance, kind="stable")
    ranked, truth = own.chance[order], own.truth[order]
    n = len(own)
    upper = _side("PPV", truth, ppv, confidence, n)
    lower = _side("NPV", ~truth[::-1], npv, confidence, n - upper.k)
    # Where the outcome is rare enough, everybody is ruled out: no chance is too high.
    everybody = 1.0 if lower.k else None
    below = _between(ranked, n - lower.k) if 0 < lower.k < n else everybody
    return Triage(
        n=n,
        positives=own.positives,
        confidence=confidence,
        rule_in=upper.of(n, _between(ranked, upper.k)),
        rule_out=lower.of(n, below),
        deferred=_share(n - upper.k - lower.k, n),
    )


def _one_each(question: Question) -> Question:
    """One case of every patient, drawn by a fixed seed."""
    mixed = np.random.default_rng(0).permutation(len(question))
    _, first = np.unique(question.patients[mixed], return_index=True)
    return question.take(np.sort(mixed[first]))


def _side(name: str, right: np.ndarray, target: float, confidence: float, most: int) -> _Side:
    """The largest promised k of the cases in order, most certain first.

    `right` (n) says for each whether the answer would be right; at most `most` may be answered.
    """
    n, needed = len(right), fewest(target, confidence)
    cannot = f"Cannot promise a {name} of {target:.0%} with n = {n}: "
    if needed > n:
        reason = f"at least {needed} patients would have to be answered, all of them rightly."
        return _Side(target, needed, reason=cannot + reason)
    each = 1 - (1 - confidence) / CANDIDATES
    sizes = np.unique(np.geomspace(needed, n, CANDIDATES).round().astype(int))
    hits = np.cumsum(right)
    bounds = {int(k): lower_bound(int(hits[k - 1]), int(k), each) for k in sizes}
    kept = [k for k, bound in bounds.items() if bound >= target and k <= most]
    if not kept:
        found = int(hits[sizes[0] - 1])
        told = f"at least {needed} answers, nearly all of them right"
        reason = f"that takes {told}; of the {sizes[0]} most certain, {found} are."
        return _Side(target, needed, reason=cannot + reason)
    k = max(kept)
    return _Side(target, needed, k, int(hits[k - 1]), bounds[k])


def _between(ranked: np.ndarray, k: int) -> float | None:
    """A threshold between the k-th and the next of chances in falling order."""
    if not k:
        return None
    if k == len(ranked):
        return float(ranked[-1])
    return float((ranked[k - 1] + ranked[k]) / 2)


def _share(count: int, n: int) -> Interval:
    """A share of the patients with its exact 95 % interval; NaN without patients."""
    if not n:
        return Interval(nan, nan, nan)
    return Interval(count / n, lower_bound(count, n, 0.975), 1 - lower_bound(n - count, n, 0.975))
