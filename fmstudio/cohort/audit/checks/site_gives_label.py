"""Where and how a case was recorded tells the outcome: site, scanner, file names, lengths.

A model learns such a shortcut gladly and fails elsewhere (Zech et al. 2018, PLoS Medicine 15(11)).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath

import numpy as np

from fmstudio.cohort.audit.discrimination import (
    NOTE_LEVEL,
    Separation,
    of_categories,
    of_numbers,
    significant,
)
from fmstudio.cohort.audit.evidence import Evidence, strongest
from fmstudio.cohort.audit.finding import Check
from fmstudio.cohort.cells import is_missing, split_paths
from fmstudio.cohort.cleaning import accept, give_role
from fmstudio.cohort.roles import names_origin
from fmstudio.contracts import pipelines
from fmstudio.results.finding import Finding, Mend

NOTEWORTHY = 0.6
_DIGITS = re.compile(r"\d+")

Traces = dict[str, tuple[tuple[str, ...], list[Separation]]]


def find(evidence: Evidence) -> Iterator[Finding]:
    """A finding for each trace of where a case came from that tells the outcome."""
    found = {**_columns(evidence), **_headers(evidence), **_names(evidence), **_sizes(evidence)}
    tests = sum(len(separations) for _, separations in found.values())
    for what, (columns, separations) in found.items():
        best = strongest([s for s in separations if significant(s, tests, NOTE_LEVEL)])
        if best is None or best.auroc < NOTEWORTHY:
            continue
        sure = significant(best, tests)
        inputs = [column for column in columns if column in evidence.inputs()]
        direct = what.startswith("The column") and inputs
        aside = what.startswith("The column") and evidence.role(columns[0]) == ("ignore",)
        leave = Mend("Use it as a group to compare by", (give_role(columns[0], "group"),))
        fair = Mend("I know, and compare by it", (accept("site_gives_label", columns),))
        yield Finding(
            "site_gives_label",
            "warning" if sure and not aside else "note",
            f"{what} tells '{best.question}' with an AUROC of {best.auroc:.2f}.",
            "Patients with and without the outcome came by different ways, and a model can learn "
            "the way instead of the illness. Judge it on patients of one site, or of a new one.",
            columns,
            (),
            () if aside or not sure else (leave, fair) if direct else (fair,),
        )


def _columns(evidence: Evidence) -> Traces:
    """Groups and columns that name an origin, whatever their role."""
    labels, holders = set(evidence.cohort.task.columns), set(evidence.columns_of("patient_id"))
    named = [
        c
        for c in evidence.manifest.columns
        if c not in labels | holders and names_origin(c) and evidence.role(c) != ("case_id",)
    ]
    return {f"The column '{c}'": ((c,), evidence.separations(c)) for c in named}


def _headers(evidence: Evidence) -> Traces:
    """The scanner, as the headers of files name it."""
    found: Traces = {}
    for name in evidence.cohort.modalities:
        told = {
            row: d.about["made_by"][0] for row, d in evidence.read(name) if d.about.get("made_by")
        }
        if len(set(told.values())) > 1:
            words = [told.get(row) for row in evidence.rows]
            columns = tuple(evidence.columns_of(name))
            found[f"The device named in the files of {', '.join(columns)}"] = (
                columns,
                _categories(evidence, words),
            )
    return found


def _names(evidence: Evidence) -> Traces:
    """Folder, pattern (digits left out) and format of file names."""
    found: Traces = {}
    suffixes = tuple({suffix for p in pipelines().values() for suffix in p.suffixes})
    for column in sorted(evidence.inputs()):
        paths = [_first_path(cell, suffixes) for cell in evidence.cells(column)]
        if sum(path is not None for path in paths) < len(paths) / 4:
            continue
        shapes = [None if p is None else _DIGITS.sub("#", str(p)).lower() for p in paths]
        if 1 < len(set(shapes) - {None}) <= len(paths) / 3:
            found[f"The pattern of file names in '{column}'"] = (
                (column,),
                _categories(evidence, shapes),
            )
    return found


def _first_path(cell: str, suffixes: tuple[str, ...]) -> PurePath | None:
    first = next(iter(split_paths(cell)), "")
    named = first.lower().endswith(suffixes) and not is_missing(cell)
    return PurePath(first) if named and len(first) < 300 else None


def _sizes(evidence: Evidence) -> Traces:
    """The length of recordings, how often they were read, and the number of files."""
    found: Traces = {}
    for name, pipeline in pipelines().items():
        if name not in evidence.cohort.modalities:
            continue
        columns = tuple(evidence.columns_of(name))
        if pipeline.kind in ("waveform", "series"):
            known = {row: digest.length for row, digest in evidence.read(name)}
            lengths = evidence.by_row(known)
            found[f"The length of the recordings in {', '.join(columns)}"] = (
                columns,
                _numbers(evidence, lengths),
            )
        if pipeline.kind == "series":  # two of one length may have been looked at unlike often
            readings = {
                row: sum(number[4] for number in digest.numbers.values())
                for row, digest in evidence.read(name)
            }
            found[f"The number of readings in {', '.join(columns)}"] = (
                columns,
                _numbers(evidence, evidence.by_row(readings)),
            )
        counts = {
            c.row: sum(s.path is not None for s in c.sources.get(name, ())) for c in evidence.cases
        }
        files = np.array([counts[row] or np.nan for row in evidence.rows], float)
        if np.nanmax(np.append(files, 0)) > 1:
            found[f"The number of files in {', '.join(columns)}"] = (
                columns,
                _numbers(evidence, files),
            )
    return found


def _numbers(evidence: Evidence, values: np.ndarray) -> list[Separation]:
    found = [of_numbers(values, question, evidence.patients) for question in evidence.questions]
    return [one for one in found if one is not None]


def _categories(evidence: Evidence, values: list[str | None]) -> list[Separation]:
    found = [of_categories(values, question, evidence.patients) for question in evidence.questions]
    return [one for one in found if one is not None]


CHECK = Check("site_gives_label", find)
