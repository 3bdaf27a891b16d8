"""Long work in a process of its own: start, stop, resume, watch over, and clear up after it."""

from fmstudio.runs.launch import reconcile, resume, start, start_next, stop
from fmstudio.runs.sweep import sweep

__all__ = ["reconcile", "resume", "start", "start_next", "stop", "sweep"]
