"""A digest of each row that decides an answer or a metric; rows that are there get theirs."""

import hashlib
import json

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

# As in `fmstudio.registry.row_seals` at this revision.
_SEALED = {
    "projects": ("id", "name", "task", "sample", "created_at"),
    "cohorts": tuple("id project_id name manifest roles fingerprint summary created_at".split()),
    "runs": tuple("id project_id kind status config base result error hint created_at".split()),
    "adapters": ("id", "project_id", "name", "card", "created_at", "sealed"),
    "aliases": ("id", "project_id", "name", "adapter_id"),
    "predictions": ("id", "adapter_id", "case_id", "inputs", "output", "created_at"),
    "held_out": ("adapter_id", "content", "created_at"),
}


def upgrade() -> None:
    """Add the column to each table and fill it."""
    found = op.get_bind()
    for table, columns in _SEALED.items():
        op.add_column(table, sa.Column("seal", sa.String, nullable=True))
        parts = ", ".join(f"typeof({name}), CAST({name} AS BLOB)" for name in columns)
        rows = found.exec_driver_sql(f"SELECT {columns[0]}, {parts} FROM {table}").all()
        change = f"UPDATE {table} SET seal = ? WHERE {columns[0]} = ?"
        for key, *stored in rows:
            found.exec_driver_sql(change, (_digest(stored), key))


def _digest(stored: list[object]) -> str:
    plain = [part.hex() if isinstance(part, bytes) else part for part in stored]
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()
