"""How much memory this process has taken at most."""

from __future__ import annotations

import sys

import psutil


def peak_memory_mb() -> float:
    """Largest resident size so far, in megabytes."""
    info = psutil.Process().memory_info()
    if hasattr(info, "peak_wset"):  # Windows keeps the peak itself
        return info.peak_wset / 2**20
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
