"""What a run will take, told before it starts. Free of torch, so that a page can ask.

Work is counted in floating-point operations of the embedded base and put against this machine's
own speed, measured by a short matrix product; reading is put at what the pipelines took.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import psutil

from fmstudio.contracts import pipeline, pipelines
from fmstudio.model.checkpoints import CheckpointInfo
from fmstudio.model.memory import HOLES, weights_mb
from fmstudio.training.config import RunConfig

# By kind of data: tokens for the trunk, billions of operations of the encoder, seconds to read.
COSTS: Mapping[str, tuple[float, float, float]] = {
    "frames": (16, 1.5, 0.040),
    "waveform": (14, 0.3, 0.010),
    "series": (32, 0.2, 0.015),
    "table": (12, 0.05, 0.002),
    "text": (16, 0.5, 0.003),
}
TRUNK_GIGA = 0.0064  # billions of operations a token and pass: two for each of 3.2 million weights
EFFICIENCY = 0.35  # share of the matrix product's speed that a whole step reaches
FIXED_SECONDS = 15.0  # starting the worker, loading the libraries, judging and writing the adapter
READ_MB = 300.0  # of a checkpoint's weights a second, its hash included; twice in a run
FIXED_MB = 1000.0  # the libraries, base and readers


@dataclass(frozen=True)
class Estimate:
    """Expected time in seconds and peak memory in megabytes."""

    seconds: float
    memory_mb: float


@cache
def machine_gigaflops() -> float:
    """Billions of float32 operations a second in a matrix product, best of five."""
    size = 768
    a = np.random.default_rng(0).standard_normal((size, size)).astype(np.float32)
    a @ a
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best / 1e9


def estimate(
    config: RunConfig,
    summary: Mapping[str, Any],
    checkpoints: Mapping[str, CheckpointInfo] | None = None,
) -> Estimate:
    """For a config and the JSON of `cohort report`; `checkpoints` are its encoders by modality.

    What a checkpoint costs was measured on one typical input when it was added.
    """
    checkpoints = checkpoints or {}
    counts = summary["modalities"]
    chosen = config.modalities or tuple(name for name in pipelines() if counts.get(name))
    train = summary.get("splits", {}).get("train") or 0.6 * summary["cases"]
    share = train / max(summary["cases"], 1)
    tokens = encode = read = 0.0
    for name in chosen:
        per_case = COSTS[pipeline(name).kind]
        if name in checkpoints:
            costs = checkpoints[name].costs
            per_case = (costs["tokens"], costs["gigaflops"], per_case[2])
        tokens += counts.get(name, 0) * per_case[0]
        encode += counts.get(name, 0) * per_case[1]
        read += counts.get(name, 0) * per_case[2]
    trunk = tokens * TRUNK_GIGA
    # Every epoch forward, back, and validation, of each seed; the frozen model once for the probe
    # and each single modality.
    passes = config.seeds * config.epochs * (2 * share + (1 - share) / 2)
    work = encode + trunk * (3 + len(config.scopes) * passes)
    if config.scopes and not config.encoders_frozen:
        work += encode * passes
    searched = 60 * config.search_minutes if config.scopes else 0.0
    speed = machine_gigaflops() * EFFICIENCY
    readers = max(1, psutil.cpu_count() or 1)
    features = 3 * 3 * 256 * 4 * len(chosen) * summary["cases"] / 2**20
    embedded = sum(name not in checkpoints for name in chosen)
    batch = config.batch_size * (8.0 if config.encoders_frozen else 10.0 * embedded)
    used = {info.sha256: info for info in checkpoints.values()}.values()
    load = 2 * sum(info.size_mb for info in used) / READ_MB
    weights = sum(weights_mb(info.parameters) for info in used)
    if not config.encoders_frozen:
        kept = sum(info.costs["activation_mb"] for info in checkpoints.values())
        batch += config.batch_size * kept * HOLES
    return Estimate(
        FIXED_SECONDS + load + read / readers + work / speed + searched,
        FIXED_MB + features + batch + weights,
    )
