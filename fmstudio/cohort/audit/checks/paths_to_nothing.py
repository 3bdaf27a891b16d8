"""Cells that look like names of files, and that lead to none: they would be read as text."""

from __future__ import annotations

from collections.abc import Iterator

from fmstudio.cohort.audit.evidence import Evidence
from fmstudio.cohort.audit.finding import Check, counted
from fmstudio.cohort.cells import is_missing
from fmstudio.cohort.cleaning import accept, empty
from fmstudio.cohort.paths import leads_somewhere, looks_like_path
from fmstudio.results.finding import Finding, Mend

MOSTLY = 0.8


def find(evidence: Evidence) -> Iterator[Finding]:
    """One finding a column of text with such cells, and one a column that is left out for them."""
    for column in evidence.of_kind("text"):
        typed = {
            case.row
            for case in evidence.cases
            for given in case.sources.values()
            for s in given
            if s.name == column and s.path is None and looks_like_path(s.text or "")
        }
        if typed:
            rows = sorted(typed)
            yield Finding(
                "paths_to_nothing",
                "warning",
                f"'{column}' has {counted(len(rows), 'cell')} that look like names of files, but "
                "there are no such files; the names themselves would be read as text.",
                "Put the files there or correct the names.",
                (column,),
                tuple(rows),
                (
                    Mend("Empty these cells", (empty(column, rows),)),
                    Mend("They are text", (accept("paths_to_nothing", [column]),)),
                ),
            )
    for column in evidence.columns_of("ignore"):
        filled = [cell for cell in evidence.cells(column) if not is_missing(cell)]
        if filled and sum(map(leads_somewhere, filled)) >= MOSTLY * len(filled):
            yield Finding(
                "paths_to_nothing",
                "note",
                f"The cells of '{column}', which is no input, look like names of files.",
                "If they are inputs, put the files beside the table and give the column the role "
                "of their modality.",
                (column,),
            )


CHECK = Check("paths_to_nothing", find)
