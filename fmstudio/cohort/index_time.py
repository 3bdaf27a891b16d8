"""The moment of prediction: what a case has later is left out, and counted.

A project may state it in hours after the beginning: of the recording for files that carry a clock
(see sandbox/moment.py), of the case for cells that have a time of their own. The beginning of a
case is in the column with the role `time`; a cell's own time is in a column named after it, such as
`note_time` or `note_date` beside `note`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from fmstudio.cohort.manifest import Manifest
from fmstudio.cohort.roles import columns_of
from fmstudio.cohort.sources import Sources

_ENDINGS = ("_time", "_date", "_datetime", "_at")


def up_to_moment(
    manifest: Manifest, roles: Mapping[str, str], found: list[Sources], hours: float | None
) -> tuple[list[Sources], str]:
    """Sources without what was written later, and a remark on how many that were.

    Files are given the moment along, for whoever reads them.
    """
    if hours is None:
        return found, ""
    begun = columns_of(roles, "time")
    companions = {
        column: own
        for column in manifest.columns
        for end in _ENDINGS
        if (own := column + end) in manifest.columns and begun
    }
    kept: list[Sources] = []
    late = 0
    dated = {c: manifest.readings[c] for c in (*begun, *companions.values())}
    for row, sources in zip(manifest.rows, found, strict=True):
        said = {column: reading.text(row[column]) for column, reading in dated.items()}
        start = _moment(said[begun[0]]) if begun else None
        last = None if start is None else start + timedelta(hours=hours)
        chosen = {}
        for name, given in sources.items():
            timely = [s for s in given if not _is_late(said, companions.get(s.name), last)]
            late += len(given) - len(timely)
            if timely:
                chosen[name] = tuple(
                    s if s.path is None else replace(s, until=hours * 3600) for s in timely
                )
        kept.append(chosen)
    left = f"{late} notes and values of later times are left out." if late else ""
    return kept, f"Time of prediction: {hours:g} h after the beginning. {left}".strip()


def _is_late(row: Mapping[str, str], column: str | None, last: datetime | None) -> bool:
    own = None if column is None or last is None else _moment(row[column])
    return own is not None and last is not None and own > last


def _moment(cell: str) -> datetime | None:
    """A day or a moment as ISO 8601 has it, without its zone; None for anything else."""
    try:
        return datetime.fromisoformat(cell.strip()).replace(tzinfo=None)
    except ValueError:
        return None
