"""Cases of different patients that hold the same: files, texts, or whole rows of values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from fmstudio.cohort.audit.evidence import Evidence
from fmstudio.cohort.audit.finding import Check, counted
from fmstudio.cohort.audit.input_summary import Digest
from fmstudio.cohort.audit.perceptual_hashes import LESS_THE_MEAN, SAME
from fmstudio.cohort.audit.text_leakage import notes_of
from fmstudio.cohort.cells import is_missing, same_value
from fmstudio.cohort.cleaning import accept, leave_out
from fmstudio.contracts import pipelines
from fmstudio.results.finding import Finding, Mend

BLOCK = 1024  # cases compared at once: bounds memory
FEWEST_CELLS = 5
SHORTEST_TEXT = 80
FEWEST_FOR_MEAN = 10
HELD_OUT_SHARE = 0.2

Pairs = set[tuple[int, int]]


def find(evidence: Evidence) -> Iterator[Finding]:
    """One finding a modality, and one for rows of values."""
    for name in evidence.cohort.modalities:
        kind = pipelines()[name].kind
        if kind in SAME:
            pairs = _same_files(evidence.read(name), SAME[kind])
        elif kind == "text":
            pairs = _same_texts(notes_of(evidence))
        else:
            pairs = _same_rows(evidence)
        label = pipelines()[name].label
        yield from _finding(evidence, label, evidence.columns_of(name), pairs)


def _finding(
    evidence: Evidence, label: str, columns: Sequence[str], pairs: Pairs
) -> Iterator[Finding]:
    groups = _groups(pairs)
    foreign = [g for g in groups if len({evidence.patient_of[row] for row in g}) > 1]
    own = [g for g in groups if g not in foreign]
    for found, whose in ((foreign, "of different patients"), (own, "of one patient each")):
        if not found:
            continue
        rows = sorted(row for group in found for row in group)
        torn = [g for g in found if len({evidence.split_of[row] for row in g}) > 1]
        held = sum(split == "test" for split in evidence.split_of.values())
        leaked = sum(evidence.split_of[row] == "test" for group in torn for row in group)
        more = f", and {len(torn)} of them stand in more than one split" if torn else ""
        surplus = [row for group in found for row in group[1:]]
        severity = "warning" if found is foreign else "note"
        if torn and leaked > HELD_OUT_SHARE * held:
            severity = "stop"
        yield Finding(
            "duplicate_files",
            severity,
            f"{label}: {counted(len(found), 'group')} of cases {whose} hold the same, or nearly "
            f"({counted(len(rows), 'case')} in all){more}.",
            "Keep one of each, or give them the same patient_id if they are one patient: patients "
            "that a model was trained on must not be in its evaluation.",
            tuple(columns),
            tuple(rows),
            (
                Mend(
                    f"Keep one of each, leave out {counted(len(surplus), 'row')}",
                    (leave_out(surplus),),
                ),
                Mend("They are different", (accept("duplicate_files", columns),)),
            ),
        )


def _groups(pairs: Pairs) -> list[list[int]]:
    """Rows that are the same as each other, directly or by others between."""
    parent: dict[int, int] = {}

    def root(row: int) -> int:
        while parent.setdefault(row, row) != row:
            row = parent[row]
        return row

    for a, b in sorted(pairs):
        parent[root(b)] = root(a)
    groups: dict[int, list[int]] = defaultdict(list)
    for row in sorted(parent):
        groups[root(row)].append(row)
    return list(groups.values())


def _same_files(found: Sequence[tuple[int, Digest]], limits: Mapping[str, float]) -> Pairs:
    """Pairs whose every mark agrees."""
    shapes: dict[tuple[tuple[int, ...], ...], list[tuple[int, Digest]]] = defaultdict(list)
    for row, digest in found:
        if set(limits) <= set(digest.marks):
            shapes[tuple(digest.marks[name].shape for name in limits)].append((row, digest))
    pairs: Pairs = set()
    for members in shapes.values():
        rows = np.array([row for row, _ in members])
        stacks = {
            name: _vectors([digest.marks[name] for _, digest in members], name in LESS_THE_MEAN)
            for name in limits
        }
        for start in range(0, len(rows), BLOCK):
            alike = np.ones((len(rows[start : start + BLOCK]), len(rows)), bool)
            for name, limit in limits.items():
                alike &= stacks[name][start : start + BLOCK] @ stacks[name].T >= limit
            for a, b in np.argwhere(np.triu(alike, start + 1)):
                pairs.add((int(rows[start + a]), int(rows[b])))
    return pairs


def _vectors(marks: Sequence[np.ndarray], less_the_mean: bool) -> np.ndarray:
    """Marks (P, D) as unit vectors (n, P * D), without what all have in common if wished."""
    stack = np.stack([mark.ravel() for mark in marks]).astype(np.float32)
    if less_the_mean and len(stack) >= FEWEST_FOR_MEAN:
        stack = stack - stack.mean(0)
    length = np.linalg.norm(stack, axis=1, keepdims=True)
    return np.asarray(stack / np.where(length > 1e-6, length, np.inf))


def _same_texts(texts: Mapping[int, str]) -> Pairs:
    """Long texts that are the same word for word."""
    found: dict[str, list[int]] = defaultdict(list)
    for row, text in texts.items():
        plain = " ".join(text.casefold().split())
        if len(plain) >= SHORTEST_TEXT:
            found[plain].append(row)
    return {(rows[0], other) for rows in found.values() for other in rows[1:]}


def _same_rows(evidence: Evidence) -> Pairs:
    """Rows with the same values in every column of the table, some numbers among them."""
    columns = evidence.of_kind("table")
    numeric = [column for column in columns if evidence.numbers(column) is not None]
    cells = {column: evidence.cells(column) for column in columns}
    varied = [c for c in numeric if len(set(cells[c])) > 10]
    found: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for place, row in enumerate(evidence.rows):
        filled = sum(not is_missing(cells[column][place]) for column in varied)
        if filled >= FEWEST_CELLS:
            found[tuple(same_value(cells[column][place]) for column in columns)].append(row)
    return {(rows[0], other) for rows in found.values() for other in rows[1:]}


CHECK = Check("duplicate_files", find)
