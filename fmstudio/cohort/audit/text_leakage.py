"""What notes alone tell of the outcome: a bag of words judged over patients, and single words.

A word counts once a note. Single words are tested with Fisher's exact test (hypergeometric tail),
with Bonferroni over all words, both directions and all questions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import hypergeom
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from fmstudio.cohort.audit.discrimination import FEWEST_UNITS, Question, Separation, of_numbers
from fmstudio.cohort.audit.evidence import Evidence
from fmstudio.contracts import pipelines
from fmstudio.evaluation.cross_fit import FOLDS, cross_fit, patient_folds

FEWEST_NOTES = 20
RAREST = 3  # notes with a word
MOST_WORDS = 5000
TOKEN = r"(?u)\b[^\W\d_]{2,}\b"
_TOKEN = re.compile(TOKEN)


@dataclass(frozen=True)
class Word:
    """A word, in how many notes with and without the answer it is, and its p."""

    text: str
    positives: int
    negatives: int
    p: float

    @property
    def share(self) -> float:
        """The share of the commoner answer among its notes, shrunk by half a note each."""
        return (max(self.positives, self.negatives) + 0.5) / (self.positives + self.negatives + 1)


@dataclass(frozen=True)
class Told:
    """What the notes tell of one question: cross-validated, and by word (most telling first)."""

    question: Question
    separation: Separation | None
    words: tuple[Word, ...]
    positives: int
    negatives: int
    tested: int


def notes_of(evidence: Evidence) -> dict[int, str]:
    """All text of each case, by row, however it was given."""
    found: dict[int, list[str]] = {}
    for name, pipeline in pipelines().items():
        if pipeline.kind != "text":
            continue
        for case in evidence.cases:
            typed = [s.text for s in case.sources.get(name, ()) if s.text]
            if typed:
                found.setdefault(case.row, []).extend(typed)
        for row, digest in evidence.read(name):
            found.setdefault(row, []).append(digest.text)
    return {row: "\n".join(dict.fromkeys(texts)) for row, texts in found.items()}


def words_of(text: str) -> set[str]:
    """The words of a text, in small letters."""
    return {word.lower() for word in _TOKEN.findall(text)}


def told_by_notes(given: Mapping[int, str], evidence: Evidence) -> list[Told]:
    """What notes tell of each question; [] where there are too few."""
    rows = [place for place, row in enumerate(evidence.rows) if given.get(row, "").strip()]
    texts = [given[evidence.rows[place]] for place in rows]
    if len(texts) < FEWEST_NOTES:
        return []
    try:
        counter = CountVectorizer(
            token_pattern=TOKEN, binary=True, min_df=RAREST, max_features=MOST_WORDS
        )
        table = counter.fit_transform(texts).tocsr()
    except ValueError:  # no word in three notes
        return []
    patients = [evidence.patients[place] for place in rows]
    names = counter.get_feature_names_out()
    tested = len(names) * len(evidence.questions) * 2
    found = []
    for question in evidence.questions:
        asked = Question(question.name, question.answers[rows])
        known = np.isfinite(asked.answers)
        yes = asked.answers == 1
        if min(yes.sum(), (known & ~yes).sum()) < FEWEST_UNITS:
            continue
        words = _single(
            table[known], yes[known], [p for p, k in zip(patients, known, strict=True) if k], names
        )
        scores = _crossed(table, asked.answers, known, patients)
        separation = None if scores is None else of_numbers(scores, asked, patients)
        found.append(
            Told(asked, separation, words, int(yes.sum()), int((known & ~yes).sum()), tested)
        )
    return found


def _crossed(
    table: object, answers: np.ndarray, known: np.ndarray, patients: Sequence[str]
) -> np.ndarray | None:
    """Scores (n) of a bag of words that did not see the patient; NaN where there is no answer."""
    places = np.flatnonzero(known)
    groups = [patients[int(place)] for place in places]
    if len(set(groups)) < FOLDS:
        return None

    def answer(inner: np.ndarray, outer: np.ndarray) -> np.ndarray:
        train, held = places[inner], places[outer]
        if len(np.unique(answers[train])) < 2:
            return np.full(len(held), np.nan)
        fit = LogisticRegression(C=0.3, class_weight="balanced", max_iter=300)
        fit.fit(table[train], answers[train])  # type: ignore[index]
        return np.asarray(fit.decision_function(table[held]))  # type: ignore[index]

    scores = np.full(len(answers), np.nan)
    scores[places] = cross_fit(patient_folds(groups), answer)
    return scores if np.isfinite(scores).any() else None


def _single(
    table: object, yes: np.ndarray, patients: Sequence[str], names: Sequence[str]
) -> tuple[Word, ...]:
    """Each word's notes by answer; of each patient and answer one note counts."""
    units = {(p, y): place for place, (p, y) in enumerate(zip(patients, yes, strict=True))}
    chosen = list(units.values())
    own, answers = table[chosen], yes[chosen]  # type: ignore[index]
    n, positives = len(chosen), int(answers.sum())
    with_yes = np.asarray(own[answers].sum(0)).ravel()
    with_word = np.asarray(own.sum(0)).ravel()
    upper = hypergeom.sf(with_yes - 1, n, positives, with_word)
    lower = hypergeom.cdf(with_yes, n, positives, with_word)
    p = np.minimum(upper, lower)
    order = np.argsort(p, kind="stable")
    return tuple(
        Word(str(names[i]), int(with_yes[i]), int(with_word[i] - with_yes[i]), float(p[i]))
        for i in order
        if with_word[i]
    )
