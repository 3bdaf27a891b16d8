"""Which cases of a manifest an adapter was trained on: they cannot show how good it is.

Training means all that chose anything: the patients of train and of validation.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fmstudio.adapters import trained_on
from fmstudio.cohort.fingerprint import contents
from fmstudio.errors import InputError
from fmstudio.types import Cohort, PatientCase


@dataclass(frozen=True)
class Overlap:
    """`new` are the cases that the adapter has not seen; the counts are of those that it has.

    `patients` counts patients of the manifest of whom any case was trained on, by their id, a file
    or a row. A count is None where nothing is known to compare with.
    """

    new: tuple[PatientCase, ...]
    cases: int
    patients: int | None
    files: int | None
    rows: int | None
    plain_rows: int
    ids_known: bool

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "patients": self.patients,
            "files": self.files,
            "rows": self.rows,
            "cases": self.cases,
            "plain_rows": self.plain_rows,
            "ids_known": self.ids_known,
        }


def overlap(
    cohort: Cohort, folder: Path, card: Mapping[str, Any], patients: frozenset[str] | None
) -> Overlap:
    """Compare a cohort with what the adapter in `folder` was trained on.

    `patients` are the ids of those it was trained on, None where they cannot be compared. All cases
    of a patient of whom one case is known are known.
    """
    cases = cohort.cases
    stored = stored_in(folder)
    if stored is None and patients is None:
        return Overlap(cases, 0, None, None, None, 0, False)
    seen = trained_on.seen(stored, contents(cases, card["columns"])) if stored else []
    files, rows = [one.files for one in seen], [one.row for one in seen]
    known = {case.patient_id for case in cases if patients and case.patient_id in patients}
    known |= {
        case.patient_id for case, one in zip(cases, seen, strict=False) if one.files or one.row
    }
    new = tuple(case for case in cases if case.patient_id not in known)
    return Overlap(
        new,
        len(cases) - len(new),
        len(known),
        sum(files) if stored and stored["files"] is not None else None,
        sum(rows) if stored and stored["rows"] is not None else None,
        stored["plain_rows"] if stored else 0,
        patients is not None,
    )


def stored_in(folder: Path) -> Mapping[str, Any] | None:
    """What an adapter's folder says of its training; None for one made before this was kept."""
    path = folder / trained_on.FILE
    if not path.is_file():
        return None
    return trained_on.check(json.loads(path.read_text(encoding="utf-8")))


def refuse_nothing_new(name: str, found: Overlap) -> None:
    """Raises InputError if the adapter was trained on every case."""
    if not found.new:
        raise InputError(
            f"The adapter was trained on all {found.cases} cases of {name}: they cannot show how "
            f"good it is ({said(found)}).",
            hint="Give patients whom it has not seen. For its own held-out patients leave out "
            "--manifest.",
        )


def said(found: Overlap | Mapping[str, Any]) -> str:
    """How many patients, files and rows are known, in words."""
    told: Mapping[str, Any] = found.as_dict() if isinstance(found, Overlap) else found
    counts = [(told[what], what) for what in ("patients", "files", "rows")]
    return ", ".join(f"{count} {what}" for count, what in counts if count is not None)
