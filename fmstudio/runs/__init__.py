"""Long work in a process of its own: start, stop, resume, watch over, and clear up after it."""

from fmstudio.runs.clean_up import clean_up
from fmstudio.runs.launch import reconcile, resume, start, start_next, stop

__all__ = ["clean_up", "reconcile", "resume", "start", "start_next", "stop"]
