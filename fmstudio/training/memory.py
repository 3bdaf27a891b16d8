"""How much memory this process has taken at most, and whether a training step will fit."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import psutil

from fmstudio.checkpoints.memory import HOLES, check_free
from fmstudio.checkpoints.store import find_checkpoint
from fmstudio.features.inputs import PreparedCases
from fmstudio.run_config import RunConfig
from fmstudio.settings import Settings


def peak_memory_mb() -> float:
    """Largest resident size so far, in megabytes."""
    info = psutil.Process().memory_info()
    if hasattr(info, "peak_wset"):  # Windows keeps the peak itself
        return info.peak_wset / 2**20
    status = Path("/proc/self/status")
    if status.is_file():  # the kernel's other figure, ru_maxrss, begins with the parent's size
        lines = status.read_text(encoding="ascii", errors="replace").splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 2**10
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def check_step(
    config: RunConfig, cases: PreparedCases, train: Sequence[str], settings: Settings
) -> None:
    """Raises ResourceError if a step that adapts checkpoints needs more memory than is free.

    The estimate before a run knows typical inputs only; here the longest of the training cases is
    known, and what one item keeps for the way back was measured when the checkpoint was added.
    """
    if config.encoders_frozen or not config.encoders:
        return
    longest = dict.fromkeys(config.encoders, 0)
    for case_id in train:
        for modality, prepared in cases.load(case_id).items():
            if modality in longest:
                longest[modality] = max(longest[modality], prepared.length)
    needed = 0.0
    for modality, name in config.encoders.items():
        costs = find_checkpoint(name, settings).costs
        needed += (
            config.cases_per_step * longest[modality] * costs["activation_mb"] / costs["items"]
        )
    needed *= HOLES
    check_free(
        needed,
        f"A step of {config.cases_per_step} cases through {', '.join(config.encoders.values())}",
        "Choose a smaller batch size, or a scope without the encoders.",
    )
