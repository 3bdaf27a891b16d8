"""Notes that give the answer away: single words, the outcome's own name, or all words together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fmstudio.cohort.audit.discrimination import LEVEL, significant
from fmstudio.cohort.audit.evidence import Evidence
from fmstudio.cohort.audit.finding import Check
from fmstudio.cohort.audit.text_leakage import Told, Word, notes_of, told_by_notes, words_of
from fmstudio.cohort.cells import name_words
from fmstudio.cohort.cleaning import accept, give_role
from fmstudio.contracts import pipelines
from fmstudio.results.finding import Finding, Mend

NEARLY_ALL = 0.95  # of the notes with a word have the same answer
FEWEST_SHARE = 0.15  # of the notes with that answer have the word
TOO_GOOD = 0.9
SHOWN = 6
MOST_QUESTIONS = 4
NOTEWORTHY = 0.6
_PLAIN = frozenset(
    tuple(
        (
            "label target outcome positive negative yes no true false other any in of the and type "
            "class case normal high present absent"
        ).split()
    )
)


def find(evidence: Evidence) -> Iterator[Finding]:
    """One finding for the questions that notes give away, and one for those that they tell of."""
    texts = notes_of(evidence)
    columns = tuple(c for c in evidence.manifest.columns if c in _text_columns(evidence))
    giving: list[tuple[Told, list[Word]]] = []
    telling: list[tuple[Told, list[Word]]] = []
    every = told_by_notes(texts, evidence)
    for told in every:
        own = _own_words(told)
        words = [
            word
            for word in told.words
            if _gives_away(word, told) or (word.text in own and word.p * 2 * len(own) < LEVEL)
        ]
        clear = told.separation is not None and significant(told.separation, len(every))
        reached = told.separation if clear else None
        if words or (reached is not None and reached.low > TOO_GOOD):
            giving.append((told, words))
        elif reached is not None and reached.auroc > NOTEWORTHY:
            telling.append((told, []))
    if giving:
        bad = {word.text for _, words in giving for word in words}
        rows = tuple(row for row in evidence.rows if words_of(texts.get(row, "")) & bad)
        yield Finding(
            "label_in_notes",
            "warning",
            f"The notes give the outcome away: {_said(giving)}.",
            "Use notes written before the outcome was known, or mask these words.",
            columns,
            rows,
            (
                Mend("Leave the notes out", tuple(give_role(c, "ignore") for c in columns)),
                Mend("These words are fair", (accept("label_in_notes", columns),)),
            ),
        )
    if telling:
        yield Finding(
            "label_in_notes",
            "note",
            f"What a bag of words of the notes alone predicts: {_said(telling)}.",
            "Nothing to do if these words were written before the outcome was known.",
            columns,
        )


def _said(found: Sequence[tuple[Told, list[Word]]]) -> str:
    """By question: what a bag of words reaches, and the words, by notes with and without it."""
    parts = []
    few = len(found) == 1
    for told, words in found[:MOST_QUESTIONS]:
        shown = (words or list(told.words))[: SHOWN if few else 2]
        named = ", ".join(f"'{w.text}' ({w.positives} with, {w.negatives} without)" for w in shown)
        reached = "" if told.separation is None else f" AUROC {told.separation.auroc:.2f} by"
        parts.append(f"{told.question.name}:{reached} words such as {named}")
    more = len(found) - MOST_QUESTIONS
    return "; ".join(parts) + (f"; and {more} more" if more > 0 else "")


def _gives_away(word: Word, told: Told) -> bool:
    """Nearly always with one answer, in a good part of its notes, and no chance."""
    more = max(word.positives, word.negatives)
    base = told.positives if word.positives >= word.negatives else told.negatives
    lift = word.share - base / (told.positives + told.negatives)
    return (
        word.share >= NEARLY_ALL
        and more >= FEWEST_SHARE * base
        and lift > 0.2
        and word.p * told.tested < LEVEL
    )


def _own_words(told: Told) -> set[str]:
    """The words of the outcome's name and of its class."""
    return {word for word in name_words(told.question.name) if len(word) > 2} - _PLAIN


def _text_columns(evidence: Evidence) -> set[str]:
    names = [name for name, pipeline in pipelines().items() if pipeline.kind == "text"]
    return {column for name in names for column in evidence.columns_of(name)}


CHECK = Check("label_in_notes", find)
