"""Indexes by which lists are read page by page, and deleting follows its references.

Rows of adapters and runs carry long JSON: without an index, a list of the newest reads all of it.
"""

from alembic import op

revision = "0005"
down_revision = "0004"

_INDEXES = {
    "runs": ("kind", "cohort_id", "adapter_id"),
    "adapters": ("run_id", "sealed"),
    "aliases": ("name",),
}


def upgrade() -> None:
    """Make the indexes; those of a project's rows take the place of narrower ones."""
    for table, columns in _INDEXES.items():
        for column in columns:
            op.create_index(f"ix_{table}_{column}", table, [column])
    for table in ("runs", "adapters"):
        op.drop_index(f"ix_{table}_project_id", table)
        op.create_index(f"ix_{table}_newest", table, ["created_at", "id"])
        of_project = ["project_id", "created_at", "id"]
        op.create_index(f"ix_{table}_newest_of_project", table, of_project)
