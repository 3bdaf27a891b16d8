"""Notes that give the answer away: single words, the outcome's own name, or all words together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fmstudio.cohort.cells import name_words
from fmstudio.cohort.mending import accept, give_role
from fmstudio.report.evidence import Evidence
from fmstudio.report.finding import Check, Finding, Mend, some
from fmstudio.report.separation import LEVEL, significant
from fmstudio.report.words import Told, Word, notes_of, told_by_notes, words_of

NEARLY_ALL = 0.95  # of the notes with a word have the same answer
FEWEST_SHARE = 0.15  # of the notes with that answer have the word
TOO_GOOD = 0.9
SHOWN = 6
_PLAIN = frozenset((
    "label", "target", "outcome", "positive", "negative", "yes", "no", "true", "false", "other",
    "any", "in", "of", "the", "and", "type", "class", "case", "normal", "high", "present", "absent",
))  # fmt: skip


def find(evidence: Evidence) -> Iterator[Finding]:
    """At most one finding a question."""
    notes = notes_of(evidence)
    columns = [c for c in evidence.manifest.columns if c in _text_columns(evidence)]
    for told in told_by_notes(notes, evidence):
        own = _own_words(told)
        named = [w for w in told.words if w.text in own and w.p * max(1, 2 * len(own)) < LEVEL]
        giving = [w for w in told.words if _gives_away(w, told)]
        yield from _finding(evidence, told, named, giving, notes, columns)


def _finding(
    evidence: Evidence, told: Told, named: Sequence[Word], giving: Sequence[Word],
    notes: dict[int, str], columns: Sequence[str],
) -> Iterator[Finding]:  # fmt: skip
    reached = told.separation
    clear = reached is not None and significant(reached, len(evidence.questions))
    shown = list(dict.fromkeys([*named, *giving])) or list(told.words[:SHOWN])
    too_good = reached is not None and clear and reached.low > TOO_GOOD
    severe = bool(named or giving) or too_good
    if not severe and not (reached is not None and clear and reached.auroc > 0.6):
        return
    words = some([f"'{w.text}' ({w.positives} with, {w.negatives} without)" for w in shown], SHOWN)
    alone = f" reaches an AUROC of {reached.auroc:.2f}" if reached and clear else ""
    what = (
        f"The notes give '{told.question.name}' away. A bag of words alone{alone or ' is enough'}"
        if severe
        else f"Of '{told.question.name}', a bag of words of the notes alone{alone}"
    )
    rows = [
        row for row in evidence.rows
        if severe and words_of(notes.get(row, "")) & {w.text for w in (*named, *giving)}
    ]  # fmt: skip
    yield Finding(
        "label_in_notes", "warning" if severe else "note",
        f"{what}; most telling, by notes with and without the outcome: {words}.",
        "Use notes written before the outcome was known, or mask these words."
        if severe else "Nothing to do if these words were written before the outcome was known.",
        tuple(columns), tuple(rows),
        (
            Mend("Leave the notes out", tuple(give_role(c, "ignore") for c in columns)),
            Mend("These words are fair", (accept("label_in_notes", columns),)),
        ) if severe else (),
    )  # fmt: skip


def _gives_away(word: Word, told: Told) -> bool:
    """Nearly always with one answer, in a good part of its notes, and no chance."""
    more = max(word.positives, word.negatives)
    base = told.positives if word.positives >= word.negatives else told.negatives
    lift = word.share - base / (told.positives + told.negatives)
    return (
        word.share >= NEARLY_ALL
        and more >= FEWEST_SHARE * base
        and lift > 0.1
        and word.p * told.tested < LEVEL
    )


def _own_words(told: Told) -> set[str]:
    """The words of the outcome's name and of its class."""
    return {word for word in name_words(told.question.name) if len(word) > 2} - _PLAIN


def _text_columns(evidence: Evidence) -> set[str]:
    from fmstudio.contracts import pipelines

    names = [name for name, pipeline in pipelines().items() if pipeline.kind == "text"]
    return {column for name in names for column in evidence.columns_of(name)}


CHECK = Check("label_in_notes", find)
