"""The seal of each adapter's files, so that a change of them on the disk is found out."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column; adapters that are there have no seal until they are sealed anew."""
    op.add_column("adapters", sa.Column("sealed", sa.String, nullable=True))
