"""The order of the rows tells the outcome: sorted by it, or gathered in blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.stats import norm

from fmstudio.cohort.audit.discrimination import FEWEST_UNITS, LEVEL, Question, significant
from fmstudio.cohort.audit.evidence import Evidence
from fmstudio.cohort.audit.finding import Check
from fmstudio.cohort.cleaning import accept
from fmstudio.results.finding import Finding, Mend

NOTEWORTHY = 0.65
FEW_RUNS = 0.6  # of the number of runs that chance makes


def find(evidence: Evidence) -> Iterator[Finding]:
    """At most one finding a question."""
    places = np.arange(len(evidence.rows), dtype=float)
    tests = 2 * len(evidence.questions)
    trends = {s.question: s for s in evidence.separations_of(places)}
    for question in evidence.questions:
        trend = trends.get(question.name)
        p, share = _runs(question, evidence.patients)
        if trend is not None and significant(trend, tests) and trend.auroc >= NOTEWORTHY:
            said = (
                f"The order of the rows predicts '{question.name}' with an AUROC of "
                f"{trend.auroc:.2f}."
            )
        elif p * tests < LEVEL and share < FEW_RUNS:
            said = (
                f"Rows with the same '{question.name}' stand together: the answer changes "
                f"{share:.0%} as often from row to row as it would by chance."
            )
        else:
            continue
        yield Finding(
            "order_gives_label",
            "warning",
            said,
            "If cases were gathered in groups by their outcome, other things may differ between "
            "these groups too: dates, devices, people. Columns and file names that count rows must "
            "not be inputs.",
            (),
            (),
            (Mend("The table was only sorted", (accept("order_gives_label", ()),)),),
        )


def _runs(question: Question, patients: Sequence[str]) -> tuple[float, float]:
    """(p, runs over expected runs) of Wald and Wolfowitz' test (1940) for too few, by patient."""
    first: dict[str, float] = {}
    for patient, answer in zip(patients, question.answers, strict=True):
        if np.isfinite(answer):
            first.setdefault(patient, answer)
    answers = np.array(list(first.values()))
    n, yes = len(answers), int(answers.sum())
    no = n - yes
    if min(yes, no) < FEWEST_UNITS:
        return 1.0, 1.0
    runs = 1 + int((np.diff(answers) != 0).sum())
    expected = 1 + 2 * yes * no / n
    spread = np.sqrt(2 * yes * no * (2 * yes * no - n) / (n**2 * (n - 1)))
    return float(norm.cdf((runs + 0.5 - expected) / spread)), runs / expected


CHECK = Check("order_gives_label", find)
