"""Which case and which patient each row of a manifest is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from fmstudio.cohort.cells import is_missing
from fmstudio.cohort.manifest import Manifest
from fmstudio.cohort.roles import columns_of
from fmstudio.errors import InputError


def patient_ids(manifest: Manifest, roles: Mapping[str, str]) -> list[str]:
    """Each row's patient; a row that names none is a patient of its own."""
    holders = columns_of(roles, "patient_id")
    cases = case_ids(manifest, roles)
    if not holders:
        return cases
    named = [cell.strip() for cell in manifest.cells(holders[0])]
    return [
        case if is_missing(patient) else patient for patient, case in zip(named, cases, strict=True)
    ]


def case_ids(manifest: Manifest, roles: Mapping[str, str]) -> list[str]:
    """Each row's case, made from the row's number where no column names it.

    Raises InputError for a case that is named twice or not at all.
    """
    holders = columns_of(roles, "case_id")
    if not holders:
        return [f"case-{row}" for row in range(len(manifest.rows))]
    names = [cell.strip() for cell in manifest.cells(holders[0])]
    blank = [row for row, name in enumerate(names) if not name]
    if blank:
        raise InputError(
            f"Column '{holders[0]}' is empty in {manifest.where(blank)}.",
            hint="Give every case a name of its own, or give the column the role 'ignore'.",
        )
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        rows = [row for row, name in enumerate(names) if name == twice[0]]
        more = f", and {len(twice) - 1} more are" if len(twice) > 1 else ""
        raise InputError(
            f"The case '{twice[0]}' is in {manifest.where(rows)} of {manifest.path.name}{more}.",
            hint="Give every row a case_id of its own; several files of one case go into one row.",
        )
    return names
