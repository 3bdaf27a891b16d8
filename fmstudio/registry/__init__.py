"""The local SQLite registry: projects, cohorts, runs, adapters, predictions, events."""
