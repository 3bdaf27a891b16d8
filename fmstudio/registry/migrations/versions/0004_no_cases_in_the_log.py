"""Case ids and hashes of inputs out of the event log, so that they go when a prediction is deleted.

The log is sealed anew from the first changed line on; a last line says so, with the seal before.
"""

import hashlib
import json
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

UPDATE = "UPDATE events SET details = :details, previous = :previous, hash = :hash WHERE id = :id"
INSERT = (
    "INSERT INTO events (id, at, kind, subject, details, previous, hash) "
    "VALUES (:id, :at, :kind, :subject, :details, :previous, :hash)"
)
_TRIGGERS = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'events'"


def upgrade() -> None:
    """Rewrite the lines on predictions, and seal all lines anew if there were any."""
    found = op.get_bind()
    lines = found.execute(
        sa.text("SELECT id, at, kind, subject, details, hash FROM events ORDER BY id")
    ).all()
    changed = [line.id for line in lines if line.kind == "prediction made"]
    if not changed:
        return
    triggers = found.execute(sa.text(_TRIGGERS)).all()
    for trigger in triggers:
        op.execute(f"DROP TRIGGER {trigger.name}")
    previous = ""
    for line in lines:
        details = {} if line.kind == "prediction made" else json.loads(line.details)
        previous = _write(UPDATE, line.id, line.at, line.kind, line.subject, details, previous)
    at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    told = {"lines": len(changed), "seal before": lines[-1].hash}
    kind = "case ids taken out of the log"
    _write(INSERT, lines[-1].id + 1, at, kind, "studio", told, previous)
    for trigger in triggers:
        op.execute(trigger.sql)


def _write(
    query: str,
    number: int,
    at: str,
    kind: str,
    subject: str,
    details: dict[str, object],
    previous: str,
) -> str:
    """One line with its seal, as `fmstudio.registry.events` made them at this revision."""
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC).isoformat()
    line = [number, moment, kind, subject, details, previous]
    content = json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    seal = hashlib.sha256(content.encode()).hexdigest()
    kept = json.dumps(details, ensure_ascii=False, separators=(",", ":"))
    values = {
        "id": number,
        "at": at,
        "kind": kind,
        "subject": subject,
        "details": kept,
        "previous": previous,
        "hash": seal,
    }
    op.get_bind().execute(sa.text(query), values)
    return seal
