"""The event log: who-did-what lines that are only ever added, each sealed with those before it.

The hash of a line covers its own content and the hash of the line before (a hash chain: Haber and
Stornetta, How to time-stamp a digital document, 1991), so a changed, removed or inserted line
breaks every later one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from fmstudio.records import EventRecord
from fmstudio.registry.database import Database
from fmstudio.registry.tables import Event, now
from fmstudio.types import to_json


def log_event(session: Session, kind: str, subject: str, details: Mapping[str, Any]) -> None:
    """Add a line to the log in the session's transaction: it stays if the change stays."""
    session.flush()
    last = session.execute(
        select(Event.id, Event.hash).order_by(Event.id.desc()).limit(1)
    ).one_or_none()
    number, previous = (last.id + 1, last.hash) if last else (1, "")
    at, kept = now(), json.loads(to_json(dict(details)))
    session.add(
        Event(
            id=number,
            at=at,
            kind=kind,
            subject=subject,
            details=kept,
            previous=previous,
            hash=_seal(number, at, kind, subject, kept, previous),
        )
    )
    session.flush()


def _seal(
    number: int, at: datetime, kind: str, subject: str, details: Mapping[str, Any], previous: str
) -> str:
    line = [number, at.astimezone(UTC).isoformat(), kind, subject, details, previous]
    return hashlib.sha256(to_json(line).encode()).hexdigest()


class Events(Database):
    """The verbs of the event log."""

    def record(self, kind: str, subject: str, details: Mapping[str, Any] | None = None) -> None:
        """Log what happened outside the registry, such as an export. No patient's content."""
        with self.writing() as session:
            log_event(session, kind, subject, details or {})

    def events(self, limit: int | None = 100) -> list[EventRecord]:
        """The newest lines of the log, newest first; all of them if `limit` is None."""
        with self.reading() as session:
            rows = session.scalars(select(Event).order_by(Event.id.desc()).limit(limit))
            return [row.record() for row in rows]

    def subjects(self, kinds: Sequence[str]) -> set[str]:
        """What the lines of these kinds are about."""
        with self.reading() as session:
            return set(session.scalars(select(Event.subject).where(Event.kind.in_(kinds))))

    def verify_chain(self) -> tuple[bool, int | None]:
        """Whether the log is whole; else the number of the first line that is not as it was.

        A tail cut off is seen too: the file remembers the largest number it ever gave.
        """
        expected, previous = 1, ""
        with self.reading() as session:
            for row in session.scalars(select(Event).order_by(Event.id)).yield_per(1000):
                seal = _seal(row.id, row.at, row.kind, row.subject, row.details, previous)
                if row.id != expected or row.previous != previous or row.hash != seal:
                    return False, expected
                expected, previous = expected + 1, row.hash
            given = session.scalar(text("SELECT seq FROM sqlite_sequence WHERE name = 'events'"))
        return (True, None) if (given or 0) < expected else (False, expected)
