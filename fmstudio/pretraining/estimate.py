"""What pretraining will take, told before it starts. Free of torch, so that a page can ask."""

from __future__ import annotations

from collections.abc import Mapping

import psutil

from fmstudio.contracts import pipeline
from fmstudio.pretrain_config import PretrainConfig
from fmstudio.training.estimate import (
    CASE_EFFICIENCY,
    ENCODER_GIGA,
    FIXED_MB,
    STARTING_SECONDS,
    Estimate,
    machine_gigaflops,
)
from fmstudio.training.sample import TYPICAL
from fmstudio.training.stages import COMPARING, LEARNING, READING

PASSES = 3.0  # forward, and twice as much back
WRITING_SECONDS = 1.5
JUDGING = 4.0  # passes over the cases for verdict, groups and the curves' probes
MB_PER_GIGA = 20.0  # what a batch holds for each billion operations, forward and back


def estimate(config: PretrainConfig, counts: Mapping[str, int]) -> Estimate:
    """For a config and how many cases have each modality."""
    kinds = [(count, pipeline(modality).kind) for modality, count in counts.items()]
    encode = sum(count * TYPICAL[kind].items * ENCODER_GIGA[kind] for count, kind in kinds)
    read = sum(count * TYPICAL[kind].seconds for count, kind in kinds)
    readers = max(1, psutil.cpu_count() or 1)
    pass_seconds = encode / (machine_gigaflops() * CASE_EFFICIENCY)
    stages = {
        READING: STARTING_SECONDS + read / readers,
        LEARNING: pass_seconds * PASSES * config.epochs,
        COMPARING: WRITING_SECONDS + pass_seconds * JUDGING,
    }
    a_case = encode / max(max(counts.values(), default=1), 1)
    return Estimate(stages, FIXED_MB + MB_PER_GIGA * a_case * config.batch_size)
