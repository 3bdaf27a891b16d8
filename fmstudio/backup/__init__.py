"""A whole home in one file, and back: projects, cohorts, runs, adapters, predictions."""

from fmstudio.backup.restore import restore
from fmstudio.backup.write import back_up

__all__ = ["back_up", "restore"]
