"""What pretraining will take, told before it starts. Free of torch, so that a page can ask."""

from __future__ import annotations

from collections.abc import Mapping

import psutil

from fmstudio.contracts import pipeline
from fmstudio.pretraining.config import PretrainConfig
from fmstudio.training.estimate import (
    CASE_EFFICIENCY,
    ENCODER_GIGA,
    FIXED_MB,
    FIXED_SECONDS,
    Estimate,
    machine_gigaflops,
)
from fmstudio.training.sample import TYPICAL

PASSES = 3.0  # forward, and twice as much back
JUDGING = 4.0  # passes over the cases for verdict, groups and the curves' probes
MB_PER_GIGA = 20.0  # what a batch holds for each billion operations, forward and back


def estimate(config: PretrainConfig, counts: Mapping[str, int]) -> Estimate:
    """For a config and how many cases have each modality."""
    kinds = [(count, pipeline(modality).kind) for modality, count in counts.items()]
    encode = sum(count * TYPICAL[kind].items * ENCODER_GIGA[kind] for count, kind in kinds)
    read = sum(count * TYPICAL[kind].seconds for count, kind in kinds)
    work = encode * (PASSES * config.epochs + JUDGING)
    readers = max(1, psutil.cpu_count() or 1)
    seconds = FIXED_SECONDS + read / readers + work / (machine_gigaflops() * CASE_EFFICIENCY)
    a_case = encode / max(max(counts.values(), default=1), 1)
    return Estimate(seconds, FIXED_MB + MB_PER_GIGA * a_case * config.batch_size)
