"""The local SQLite registry: projects, cohorts, runs, adapters, predictions, events."""

from fmstudio.registry.store import Registry

__all__ = ["Registry"]
