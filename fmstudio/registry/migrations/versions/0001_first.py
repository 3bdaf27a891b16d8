"""The first tables: projects, cohorts, runs with their curves, adapters, predictions, events."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _project() -> sa.Column[int]:
    return sa.Column(
        "project_id", sa.Integer, sa.ForeignKey("projects.id", ondelete="CASCADE"), nullable=False
    )


def _text(name: str, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String, nullable=nullable)


def _json(name: str, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.JSON, nullable=nullable)


def _time(name: str, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime, nullable=nullable)


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "projects",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String, nullable=False, unique=True),
        _json("task"),
        sa.Column("sample", sa.Boolean, nullable=False),
        _time("created_at"),
        sqlite_autoincrement=True,  # the log names projects by id: none is given twice
    )
    op.create_table(
        "cohorts",
        sa.Column("id", sa.Integer, primary_key=True),
        _project(),
        _text("name"),
        _text("manifest"),
        _json("roles"),
        _text("fingerprint"),
        _json("summary"),
        _time("created_at"),
        sqlite_autoincrement=True,
    )
    _create_runs()
    _create_adapters()
    _create_events()


def _create_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.String, primary_key=True),
        _project(),
        sa.Column("cohort_id", sa.Integer, sa.ForeignKey("cohorts.id", ondelete="SET NULL")),
        _text("kind"),
        _text("status"),
        _json("config"),
        _text("base"),
        _json("progress"),
        _json("result", nullable=True),
        _text("error", nullable=True),
        _text("hint", nullable=True),
        sa.Column("adapter_id", sa.String, sa.ForeignKey("adapters.id", ondelete="SET NULL")),
        sa.Column("pid", sa.Integer),
        sa.Column("pid_started", sa.Double),
        _time("created_at"),
        _time("queued_at"),
        _time("started_at", nullable=True),
        _time("ended_at", nullable=True),
        _time("heartbeat_at", nullable=True),
    )
    op.create_table(
        "points",
        sa.Column(
            "run_id", sa.String, sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("step", sa.Integer, primary_key=True),
        sa.Column("value", sa.Double),
    )
    op.create_index("ix_cohorts_project_id", "cohorts", ["project_id"])
    op.create_index("ix_runs_project_id", "runs", ["project_id"])
    op.create_index("ix_runs_status", "runs", ["status"])


def _create_adapters() -> None:
    op.create_table(
        "adapters",
        sa.Column("id", sa.String, primary_key=True),
        _project(),
        sa.Column("run_id", sa.String, sa.ForeignKey("runs.id", ondelete="SET NULL")),
        _text("name"),
        _json("card"),
        _time("created_at"),
    )

    def adapter() -> sa.Column[str]:
        key = sa.ForeignKey("adapters.id", ondelete="CASCADE")
        return sa.Column("adapter_id", sa.String, key, nullable=False)

    op.create_table(
        "aliases",
        sa.Column("id", sa.Integer, primary_key=True),
        _project(),
        _text("name"),
        adapter(),
        sa.UniqueConstraint("project_id", "name"),
    )
    op.create_table(
        "predictions",
        sa.Column("id", sa.Integer, primary_key=True),
        adapter(),
        _text("case_id"),
        _json("inputs"),
        _json("output"),
        _time("created_at"),
    )
    op.create_index("ix_adapters_project_id", "adapters", ["project_id"])
    op.create_index("ix_aliases_adapter_id", "aliases", ["adapter_id"])
    op.create_index("ix_predictions_adapter_id", "predictions", ["adapter_id"])


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.Integer, primary_key=True),
        _time("at"),
        _text("kind"),
        _text("subject"),
        _json("details"),
        _text("previous"),
        _text("hash"),
        sqlite_autoincrement=True,  # keeps the largest id ever given: a cut tail shows
    )
    op.create_index("ix_events_kind", "events", ["kind"])
    # A later migration that copies this table has to make the triggers again.
    refused = {
        "update": "BEFORE UPDATE ON events",
        "delete": "BEFORE DELETE ON events",
        # INSERT OR REPLACE would change a line without firing the two above.
        "replace": "BEFORE INSERT ON events WHEN EXISTS (SELECT 1 FROM events WHERE id = NEW.id)",
    }
    for name, moment in refused.items():
        op.execute(
            f"CREATE TRIGGER events_refuse_{name} {moment} "
            "BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END"
        )
