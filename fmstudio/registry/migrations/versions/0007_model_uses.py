"""Which models each adapter was made with, so that a model's adapters are found without cards."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the table and fill it from the cards, the oldest first; a damaged card has no lines."""
    op.create_table(
        "model_uses",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "adapter_id",
            sa.String,
            sa.ForeignKey("adapters.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("model", sa.String, nullable=False),
    )
    for column in ("adapter_id", "model"):
        op.create_index(f"ix_model_uses_{column}", "model_uses", [column])
    found = op.get_bind()
    ids = found.exec_driver_sql("SELECT id FROM adapters ORDER BY created_at, id").all()
    for (adapter,) in ids:
        card = "SELECT CAST(card AS BLOB) FROM adapters WHERE id = ?"
        for model in _models(found.exec_driver_sql(card, (adapter,)).scalar_one()):
            line = "INSERT INTO model_uses (adapter_id, model) VALUES (?, ?)"
            found.exec_driver_sql(line, (adapter, model))


def _models(stored: bytes) -> list[str]:
    """As `fmstudio.registry.adapters` does at this revision: the base and the checkpoints."""
    try:
        card = json.loads(stored)
        found = [card.get("base"), *(one["sha256"] for one in card.get("checkpoints") or ())]
    except (ValueError, TypeError, KeyError, AttributeError):
        return []
    return list(dict.fromkeys(model for model in found if model and isinstance(model, str)))
