"""Cases that name no patient, so that nobody can tell whether one is in two splits."""

from __future__ import annotations

from collections.abc import Iterator

from fmstudio.cohort.audit.evidence import Evidence
from fmstudio.cohort.audit.finding import Check, counted
from fmstudio.cohort.cells import is_missing
from fmstudio.results.finding import Finding


def find(evidence: Evidence) -> Iterator[Finding]:
    """A note where there is no such column, a warning where it has gaps."""
    holders = evidence.columns_of("patient_id")
    if not holders:
        yield Finding(
            "no_patient_id",
            "note",
            "No column names the patient, so every case counts as a patient of its own.",
            "If patients can have several cases, give the column that names them the role "
            "patient_id: otherwise one patient can be learned from and tested on.",
        )
        return
    cells = zip(evidence.rows, evidence.cells(holders[0]), strict=True)
    unnamed = [row for row, cell in cells if is_missing(cell)]
    if unnamed:
        yield Finding(
            "no_patient_id",
            "warning",
            f"{counted(len(unnamed), 'case')} name no patient; each counts as a patient of its "
            "own.",
            "Fill in the patient, so that splits keep the cases of one patient together.",
            (holders[0],),
            tuple(unnamed),
        )


CHECK = Check("no_patient_id", find)
