"""The same patient on both sides of a split: torn, under two spellings, or under no name at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from fmstudio.cohort.audit.evidence import Evidence
from fmstudio.cohort.audit.finding import Check, counted
from fmstudio.cohort.cells import is_missing, name_words
from fmstudio.cohort.cleaning import accept, give_role, rewrite
from fmstudio.cohort.splits import SPLIT_NAMES
from fmstudio.results.finding import Finding, Mend

_PERSON = frozenset(("patient", "subject", "person", "participant", "mrn", "pid"))


def find(evidence: Evidence) -> Iterator[Finding]:
    """Three ways to lose a patient."""
    yield from _torn(evidence)
    yield from _two_spellings(evidence)
    yield from _unnamed(evidence)


def _torn(evidence: Evidence) -> Iterator[Finding]:
    """A given split that was not used because it tears patients apart."""
    holders = evidence.columns_of("patient_id")
    for column in evidence.manifest.columns:
        values = [cell.lower() for cell in evidence.cells(column)]
        known = {SPLIT_NAMES.get(value) for value in values if value}
        if "split" not in name_words(column) or None in known or len(known) < 2 or not holders:
            continue
        parts: dict[str, set[str]] = {}
        for patient, value in zip(evidence.cells(holders[0]), values, strict=True):
            if not is_missing(patient) and value:
                parts.setdefault(patient, set()).add(SPLIT_NAMES[value])
        torn = {patient for patient, found in parts.items() if len(found) > 1}
        rows = [
            row
            for row, patient in zip(evidence.rows, evidence.cells(holders[0]), strict=True)
            if patient in torn
        ]
        if torn:
            yield Finding(
                "patient_across_splits",
                "warning",
                f"'{column}' puts {counted(len(torn), 'patient')} into more than one part; it is "
                "not used, and patients were split anew.",
                "Nothing to do, unless results are to be compared with others on this split: then "
                "correct it.",
                (column, holders[0]),
                tuple(rows),
                (
                    Mend(
                        "Split anew is fine",
                        (accept("patient_across_splits", (column, holders[0])),),
                    ),
                ),
            )


def _two_spellings(evidence: Evidence) -> Iterator[Finding]:
    """Patients whose numbers differ in capitals, spaces or signs only."""
    for column in evidence.columns_of("patient_id"):
        cells = evidence.cells(column)
        written: dict[str, Counter[str]] = {}
        for cell in cells:
            if not is_missing(cell):
                written.setdefault(_plain(cell), Counter())[cell] += 1
        twice = {key: counts for key, counts in written.items() if len(counts) > 1}
        spellings = {
            other: counts.most_common(1)[0][0]
            for counts in twice.values()
            for other in counts
            if other != counts.most_common(1)[0][0]
        }
        rows = [
            row for row, cell in zip(evidence.rows, cells, strict=True) if _plain(cell) in twice
        ]
        if spellings:
            torn = any(
                len(
                    {
                        evidence.split_of[r]
                        for r, cell in zip(evidence.rows, cells, strict=True)
                        if _plain(cell) == key
                    }
                )
                > 1
                for key in twice
            )
            yield Finding(
                "patient_across_splits",
                "warning",
                f"{counted(len(twice), 'patient')} in '{column}' are written in more than one way"
                + (", and stand in more than one split." if torn else "."),
                "Write each patient one way.",
                (column,),
                tuple(rows),
                (
                    Mend("Write them one way", (rewrite(column, spellings),)),
                    Mend(
                        "They are different patients", (accept("patient_across_splits", [column]),)
                    ),
                ),
            )


def _plain(cell: str) -> str:
    return "".join(sign for sign in cell.casefold() if sign.isalnum())


def _unnamed(evidence: Evidence) -> Iterator[Finding]:
    """A column that names persons, some of them twice, and is not used as such."""
    if evidence.columns_of("patient_id"):
        return
    for column in evidence.manifest.columns:
        if not set(name_words(column)) & _PERSON or evidence.role(column) != ("ignore",):
            continue
        parts: dict[str, list[int]] = {}
        for row, cell in zip(evidence.rows, evidence.cells(column), strict=True):
            if not is_missing(cell):
                parts.setdefault(cell, []).append(row)
        torn = [
            who for who, rows in parts.items() if len({evidence.split_of[row] for row in rows}) > 1
        ]
        if torn and len(parts) > 0.2 * len(evidence.rows):
            yield Finding(
                "patient_across_splits",
                "warning",
                f"'{column}' seems to name the patient, and {counted(len(torn), 'patient')} of it "
                f"stand in more than one split.",
                "Give the column the role patient_id.",
                (column,),
                tuple(sorted(row for who in torn for row in parts[who])),
                (
                    Mend(f"'{column}' names the patient", (give_role(column, "patient_id"),)),
                    Mend("It does not", (accept("patient_across_splits", [column]),)),
                ),
            )


CHECK = Check("patient_across_splits", find)
