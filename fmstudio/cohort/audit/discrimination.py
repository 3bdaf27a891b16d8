"""How well something tells the outcome, and whether that can be chance.

The unit is the patient with one answer: cases of one patient are no evidence of each other.
AUROC is the Mann-Whitney statistic with its normal null (ties corrected); categories are scored by
the share of units with the answer, and tested by Pearson's chi-squared.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2, mannwhitneyu, norm, rankdata

# For all warnings of one check together, by Bonferroni: some ten checks test something, so that a
# clean cohort is warned of in at most one of twenty.
LEVEL = 0.005
NOTE_LEVEL = 0.05  # for notes, which warn of nothing
FEWEST_UNITS = 5  # units with and without the answer
RARE = 3  # units; rarer categories are taken together


@dataclass(frozen=True)
class Question:
    """One yes or no that the labels answer: `answers` (n) are 1, 0 or NaN by case."""

    name: str
    answers: np.ndarray


@dataclass(frozen=True)
class Separation:
    """How something tells an answer: AUROC in [0, 1], p under chance, units with yes and no."""

    question: str
    auroc: float
    p: float
    positives: int
    negatives: int

    @property
    def low(self) -> float:
        """The lower end of the 95 % interval of the AUROC (Hanley and McNeil 1982)."""
        return self.auroc - half_width(self.auroc, self.positives, self.negatives)


def half_width(auroc: float, positives: int, negatives: int) -> float:
    """Half the 95 % interval of an AUROC. Source: Hanley and McNeil 1982, Radiology 143:29-36."""
    if not positives or not negatives:
        return 1.0
    a = min(max(auroc, 1 - auroc), 1 - 1e-6)
    both = (positives - 1) * (a / (2 - a) - a**2) + (negatives - 1) * (2 * a**2 / (1 + a) - a**2)
    return float(norm.ppf(0.975) * np.sqrt((a * (1 - a) + both) / (positives * negatives)))


def auroc(scores: np.ndarray, answers: np.ndarray) -> float:
    """The chance that a case with the answer scores above one without."""
    yes = answers == 1
    positives, pairs = int(yes.sum()), int(yes.sum()) * int((~yes).sum())
    return float((rankdata(scores)[yes].sum() - positives * (positives + 1) / 2) / pairs)


def of_numbers(
    values: np.ndarray, question: Question, patients: Sequence[str]
) -> Separation | None:
    """Of numbers (n), NaN where unknown; the AUROC is at least 0.5. None for too few units."""
    sums: dict[tuple[str, float], list[float]] = defaultdict(list)
    known = np.isfinite(values) & np.isfinite(question.answers)
    answered, numbers = question.answers.tolist(), values.tolist()
    for place in np.flatnonzero(known).tolist():
        sums[patients[place], answered[place]].append(numbers[place])
    means = np.array([sum(own) / len(own) for own in sums.values()])
    answers = np.array([answer for _, answer in sums])
    yes, no = means[answers == 1], means[answers == 0]
    if min(len(yes), len(no)) < FEWEST_UNITS or np.ptp(means) == 0:
        return None
    exact = len(yes) * len(no) <= 400 and len(np.unique(means)) == len(means)
    p = mannwhitneyu(yes, no, method="exact" if exact else "asymptotic").pvalue
    area = auroc(means, answers)
    return Separation(question.name, max(area, 1 - area), float(p), len(yes), len(no))


def of_categories(
    values: Sequence[str | None], question: Question, patients: Sequence[str]
) -> Separation | None:
    """Of categories, None where unknown. None for too few units or a single category."""
    seen: dict[tuple[str, float], Counter[str]] = defaultdict(Counter)
    for value, answer, patient in zip(values, question.answers, patients, strict=True):
        if value is not None and np.isfinite(answer):
            seen[patient, answer][value] += 1
    answers = np.array([answer for _, answer in seen])
    if min((answers == 1).sum(), (answers == 0).sum()) < FEWEST_UNITS:
        return None
    chosen = [counts.most_common(1)[0][0] for counts in seen.values()]
    common = {value for value, count in Counter(chosen).items() if count >= RARE}
    _, codes = np.unique([v if v in common else "" for v in chosen], return_inverse=True)
    sizes = np.bincount(codes).astype(float)
    if len(sizes) < 2:
        return None
    positives = np.bincount(codes, answers)
    share, n = float(answers.mean()), len(answers)
    expected = sizes * share
    statistic = (
        float((((positives - expected) ** 2) / (expected * (1 - share))).sum()) * (n - 1) / n
    )
    p = float(chi2.sf(statistic, len(sizes) - 1))
    yes, no = int((answers == 1).sum()), int((answers == 0).sum())
    # Leaving each unit's own answer out would turn the order of like categories around.
    return Separation(question.name, auroc((positives / sizes)[codes], answers), p, yes, no)


def significant(found: Separation, tests: int, level: float = LEVEL) -> bool:
    """Whether it is no chance, of so many things that were tried."""
    return found.p * max(1, tests) < level
