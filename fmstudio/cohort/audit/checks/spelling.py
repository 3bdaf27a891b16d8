"""One category written in several ways: capitals, spaces, accents, slips, initials."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from fmstudio.cohort.audit.evidence import Evidence
from fmstudio.cohort.audit.finding import Check, counted, some
from fmstudio.cohort.cells import is_missing, same_value
from fmstudio.cohort.cleaning import accept, rewrite
from fmstudio.results.finding import Finding, Mend

MOST_CATEGORIES = 60
MOST_CLASSES = 20  # that are numbers; with more they are measured
LONGEST = 40
SHORTEST_SLIP = 6  # letters; shorter words are a slip away from each other by nature
RARE_SHARE = 0.05  # of its likeness: a slip is rarer than what was meant


def find(evidence: Evidence) -> Iterator[Finding]:
    """One finding a column of categories that is an input, a group or the outcome."""
    used = [
        *evidence.of_kind("table"),
        *evidence.columns_of("group"),
        *evidence.cohort.task.columns,
    ]
    for column in dict.fromkeys(used):
        cells = [cell for cell in evidence.cells(column) if not is_missing(cell)]
        counts = Counter(cells)
        spellings = {}
        if evidence.numbers(column) is None and 1 < len(counts) <= MOST_CATEGORIES:
            spellings = variants(counts)
        elif column in evidence.cohort.task.columns or column in evidence.columns_of("group"):
            spellings = same_numbers(counts)
        if spellings:
            rows = [
                r
                for r, cell in zip(evidence.rows, evidence.cells(column), strict=True)
                if cell in spellings
            ]
            pairs = [f"'{wrong}' for '{right}'" for wrong, right in spellings.items()]
            yield Finding(
                "spelling",
                "warning",
                f"'{column}' writes {counted(len(set(spellings.values())), 'value')} in several "
                f"ways: {some(pairs, 6)}.",
                "Write each value one way.",
                (column,),
                tuple(rows),
                (
                    Mend("Write them one way", (rewrite(column, spellings),)),
                    Mend("They are different", (accept("spelling", [column]),)),
                ),
            )


def same_numbers(counts: Mapping[str, int]) -> dict[str, str]:
    """Of classes that are numbers, each odd spelling with the common one: 1.0 for 1."""
    by_value: dict[str, list[str]] = defaultdict(list)
    for value in sorted(counts, key=lambda value: (-counts[value], value)):
        by_value[same_value(value)].append(value)
    if len(by_value) > MOST_CLASSES:
        return {}
    return {odd: common for common, *odds in by_value.values() for odd in odds}


def variants(counts: Mapping[str, int]) -> dict[str, str]:
    """Each odd spelling with the common one that it stands for."""
    common = sorted(counts, key=lambda value: (-counts[value], value))
    found: dict[str, str] = {}
    for value in reversed(common):
        better = [c for c in common if c != value and c not in found and counts[c] >= counts[value]]
        meant = (
            next((c for c in better if _plain(c) == _plain(value)), None)
            or next((c for c in better if _is_slip(value, c, counts)), None)
            or _initial_of(value, [c for c in common if c != value and c not in found])
        )
        if meant is not None and meant not in found:
            found[value] = meant
    return found


def _plain(value: str) -> str:
    letters = unicodedata.normalize("NFKD", value.casefold())
    return "".join(sign for sign in letters if sign.isalnum())


def _is_slip(value: str, other: str, counts: Mapping[str, int]) -> bool:
    """One letter more, less, other or swapped (Damerau 1964), in a rare word."""
    a, b = _plain(value), _plain(other)
    wordlike = a.isalpha() and b.isalpha() and min(len(a), len(b)) >= SHORTEST_SLIP
    rare = counts[value] <= max(2, RARE_SHARE * counts[other]) and counts[value] < counts[other]
    return wordlike and rare and max(len(a), len(b)) <= LONGEST and _one_edit(a, b)


def _one_edit(a: str, b: str) -> bool:
    if abs(len(a) - len(b)) > 1 or a == b:
        return False
    start = next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )
    rest, other = a[start:], b[start:]
    swapped = len(rest) > 1 and rest[:2] == other[:2][::-1] and rest[2:] == other[2:]
    return swapped or rest[1:] == other[1:] or rest[1:] == other or rest == other[1:]


def _initial_of(value: str, others: list[str]) -> str | None:
    """The only full word that begins with a single letter: F beside female."""
    if len(value) != 1 or not value.isalpha():
        return None
    fitting = [other for other in others if len(other) > 2 and other[0].lower() == value.lower()]
    return fitting[0] if len({_plain(other) for other in fitting}) == 1 else None


CHECK = Check("spelling", find)
