"""What weights take in memory, and whether it is free. No torch here."""

from __future__ import annotations

import psutil

from fmstudio.errors import ResourceError

# Of what a step keeps: a CPU's allocator leaves holes of a tenth to as much again between batches.
HOLES = 1.5
COPIES = 2  # the model, and for a while the file that it is read from or a second model beside it


def weights_mb(parameters: int) -> float:
    """Megabytes of so many float32 weights while they are loaded."""
    return COPIES * 4 * parameters / 2**20


def free_mb() -> float:
    """Megabytes that a process can have without others being swapped out."""
    return float(psutil.virtual_memory().available / 2**20)


def check_free(needed_mb: float, what: str, hint: str) -> None:
    """Raises ResourceError, beginning with `what`, if less memory is free."""
    free = free_mb()
    if free < needed_mb:
        raise ResourceError(
            f"{what} needs about {needed_mb:,.0f} MB of memory, and {free:,.0f} MB are free.",
            hint=hint,
        )
