"""What a run will take, told before it starts. Free of torch, so that a page can ask.

Work is counted in floating-point operations of the embedded base and put against this machine's
own speed at the moment, measured by short matrix products; reading is put at what a few of the
cohort's own inputs took. The constants were measured by `python -m benchmarks estimate`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import psutil

from fmstudio.checkpoints.memory import HOLES, free_mb, weights_mb
from fmstudio.checkpoints.store import CheckpointInfo
from fmstudio.contracts import pipeline, pipelines
from fmstudio.errors import ResourceError
from fmstudio.results.audit import CohortAudit
from fmstudio.run_config import RunConfig
from fmstudio.training.curve_sizes import FEWEST_IN_FIT, ORDERS, SHARES
from fmstudio.training.sample import TYPICAL, Size
from fmstudio.training.stages import JUDGING, READING, SEARCHING, SIMPLER, TUNING

WIDTH, DEPTH = 256, 4  # of the embedded base's trunk
BLOCK_GIGA = 2 * 12 * WIDTH**2 / 1e9  # billions of operations of a block for one item
# Billions of operations of an embedded encoder for one item: its blocks and what makes an item.
ENCODER_GIGA: Mapping[str, float] = {
    "frames": 3 * BLOCK_GIGA + 0.0005,
    "waveform": 3 * BLOCK_GIGA + 0.0006,
    "series": 3 * BLOCK_GIGA + 0.0003,
    "table": 2 * BLOCK_GIGA + 0.0003,
    "text": 4 * BLOCK_GIGA + 0.0003,
}
TRUNK_EFFICIENCY = 0.7  # share of the matrix product's speed that trunk and training steps reach
CASE_EFFICIENCY = 0.5  # that encoders reach, with one case at a time
STARTING_SECONDS = 8.0  # starting the worker, loading the libraries
JUDGING_SECONDS = 3.5  # intervals and curves of the held-out patients, writing the adapter
FROZEN_PASSES = 2.5  # through the frozen model: the probe, each modality alone, the readout
FIT_SECONDS = 0.09, 0.0004  # of a modality's probe: at least, and more for each case
GAINING = 0.9  # times the root of the epochs: after so many validation no longer gains, mostly
STEP_SECONDS = 0.015  # of a step of training beside its operations
INPUT_SECONDS = 0.004  # to prepare an input and to keep what is made of it
LEAST, MOST = 0.7, 1.4  # times the estimate; measured: 0.79 to 1.37 of it
BURST_SECONDS, BURSTS = 0.05, 3  # the fastest counts: the others shared the machine
READ_MB = 300.0  # of a checkpoint's weights a second, its hash included; twice in a run
FIXED_MB = 760.0  # the libraries and the base
BLOCK_KB = 25.0  # that a block keeps of one item for the way back
FEATURE_COPIES = 4
PREFIX_MB = 128.0  # of what frozen layers made, at most


@dataclass(frozen=True)
class Estimate:
    """Expected seconds of each stage, in their order, and peak memory in megabytes."""

    stages: Mapping[str, float]
    memory_mb: float

    @property
    def seconds(self) -> float:
        """Of the whole run."""
        return sum(self.stages.values())

    @property
    def range(self) -> tuple[float, float]:
        """Seconds between which a run mostly ends; a busy machine takes longer."""
        return LEAST * self.seconds, MOST * self.seconds


@cache
def machine_gigaflops() -> float:
    """Billions of float32 operations a second in matrix products.

    Measured once: all estimates of a program speak of the same machine, and what is shown for one
    run on two pages is one number.
    """
    return max(_gigaflops(BURST_SECONDS) for _ in range(BURSTS))


def _gigaflops(seconds: float) -> float:
    size = 768
    a = np.random.default_rng(0).standard_normal((size, size)).astype(np.float32)
    a @ a
    count, started = 0, time.perf_counter()
    while (passed := time.perf_counter() - started) < seconds:
        a @ a
        count += 1
    return 2 * size**3 * count / passed / 1e9


def _cores() -> int:
    """Cores that we may use: fewer than there are in some containers."""
    process = psutil.Process()
    usable = process.cpu_affinity() if hasattr(process, "cpu_affinity") else None
    return max(1, len(usable) if usable else psutil.cpu_count() or 1)


@dataclass(frozen=True)
class _Work:
    """Per mean case of a cohort: modalities, tokens, billions of operations of the encoders,
    blocks of encoders that an item passes (items · blocks); and seconds of reading in all."""

    cases: float
    train: float
    test: float
    modalities: float
    tokens: float
    encode: float
    encoder_blocks: float
    read: float


def _work(
    config: RunConfig,
    audit: CohortAudit,
    checkpoints: Mapping[str, CheckpointInfo],
    sampled: Mapping[str, Size],
) -> _Work:
    counts, cases = audit.modalities, max(audit.cases, 1)
    there = tuple(name for name in pipelines() if counts.get(name))
    tokens = encode = blocks = read = 0.0
    for name in config.modalities or there:
        kind = pipeline(name).kind
        size, share = sampled.get(name, TYPICAL[kind]), counts.get(name, 0) / cases
        if name in checkpoints:
            costs = checkpoints[name].costs
            tokens += share * costs["tokens"]
            encode += share * costs["gigaflops"]
        else:
            tokens += share * size.tokens
            encode += share * size.items * ENCODER_GIGA[kind]
            blocks += share * size.items * ENCODER_GIGA[kind] / BLOCK_GIGA
        read += counts.get(name, 0) * size.seconds
    modalities = sum(counts.get(name, 0) for name in config.modalities or there) / cases
    train, test = audit.splits["train"], audit.splits["test"]
    return _Work(cases, train, test, modalities, tokens, encode, blocks, read)


def _training_giga(config: RunConfig, scope: str, work: _Work) -> float:
    """Billions of operations of one candidate model, validation included."""
    shown = 1 - config.modality_dropout * (work.modalities > 1)
    validation = max(work.cases - work.train - work.test, 0)
    below = DEPTH // 2 if scope == "upper trunk" else 0
    block = work.tokens * BLOCK_GIGA
    # A step goes forward and back through the blocks that train; what lies below is frozen, and
    # made anew where other modalities are hidden than ever before.
    step = shown * block * (2 * (DEPTH - below) + 0.7 * below)
    giga = work.train * step + validation * block * (DEPTH - below)
    if scope == "trunk and encoders":
        giga += work.encode * (2.5 * shown * work.train + validation)
    return _trainings(config) * _epochs(config) * giga


def _trainings(config: RunConfig) -> float:
    """How many times the training cases are learned from: once a seed, each without its fold in an
    ensemble of folds."""
    return config.seeds - float(config.fold_ensemble and config.seeds > 1)


def _epochs(config: RunConfig) -> float:
    """How many epochs a candidate model goes on before it stops early, in the mean."""
    return min(config.epochs, config.patience + GAINING * config.epochs**0.5)


def _fit_seconds(config: RunConfig, work: _Work, outputs: int) -> float:
    """Of all the fits of the probe: itself, each modality alone, the learning curve and folds."""
    sizes = [work.train, work.train]
    fewer = [work.train * share for share in SHARES for _ in range(ORDERS)]
    sizes += [size for size in fewer if size >= FEWEST_IN_FIT]
    if config.folds > 1:
        sizes += [work.cases * (1 - 1 / config.folds)] * config.folds
    least, more = FIT_SECONDS
    return outputs * work.modalities * sum(least + more * size for size in sizes)


def estimate(
    config: RunConfig,
    audit: CohortAudit,
    checkpoints: Mapping[str, CheckpointInfo] | None = None,
    sampled: Mapping[str, Size] | None = None,
) -> Estimate:
    """For a config and the audit of a cohort; `checkpoints` are its encoders by modality,
    `sampled` what inputs of a modality are like.

    What a checkpoint costs was measured on one typical input when it was added.
    """
    checkpoints = checkpoints or {}
    work = _work(config, audit, checkpoints, sampled or {})
    speed = machine_gigaflops()
    whole = work.tokens * BLOCK_GIGA * DEPTH
    # Held-out cases with every subset of what they have, where LoRA is kept.
    subsets = 2 ** max(work.modalities - 1, 0) * work.test * (1.0 if config.keep == "lora" else 0.5)
    training = sum(_training_giga(config, scope, work) for scope in config.scopes)
    labels = len(audit.labels)
    fits = _fit_seconds(config, work, labels if labels > 2 else 1)
    epochs = _trainings(config) * _epochs(config) * len(config.scopes)
    steps = epochs * work.train / config.cases_per_step
    used = {info.sha256: info for info in checkpoints.values()}.values()
    reading = (
        STARTING_SECONDS
        + 2 * sum(info.size_mb for info in used) / READ_MB
        + work.read / _cores()
        + work.cases * work.encode / (speed * CASE_EFFICIENCY)
        + INPUT_SECONDS * work.cases * work.modalities
    )
    trunk = speed * TRUNK_EFFICIENCY
    stages = {
        READING: reading,
        SIMPLER: fits + whole * work.cases * FROZEN_PASSES / trunk,
        SEARCHING: 60 * config.search_minutes if config.scopes else 0.0,
        TUNING: (training + whole * work.cases * len(config.scopes)) / trunk + STEP_SECONDS * steps,
        JUDGING: JUDGING_SECONDS + (whole * subsets if config.scopes else 0.0) / trunk,
    }
    took = {stage: seconds for stage, seconds in stages.items() if seconds}
    return Estimate(took, _memory_mb(config, work, checkpoints))


def _memory_mb(config: RunConfig, work: _Work, checkpoints: Mapping[str, CheckpointInfo]) -> float:
    used = {info.sha256: info for info in checkpoints.values()}.values()
    features = FEATURE_COPIES * 8 * WIDTH * 4 * work.modalities * work.cases / 2**20
    kept = batch = 0.0
    if config.scopes:
        subsets = min(2.0 ** (work.modalities - 1), config.epochs)
        kept = work.cases * (8 * work.modalities + work.tokens * (1 + 0.8 * subsets)) * WIDTH * 4
        batch = config.cases_per_step * work.tokens * DEPTH * BLOCK_KB / 2**10
    if config.scopes and not config.encoders_frozen:
        own = sum(info.costs["activation_mb"] for info in checkpoints.values())
        batch += config.cases_per_step * (own * HOLES + work.encoder_blocks * BLOCK_KB / 2**10)
    weights = sum(weights_mb(info.parameters) for info in used)
    return FIXED_MB + features + min(PREFIX_MB, kept / 2**20) + batch + weights


def within_memory(
    config: RunConfig, audit: CohortAudit, checkpoints: Mapping[str, CheckpointInfo]
) -> RunConfig:
    """The config, with a smaller batch size if free memory has no room for the usual one.

    Raises ResourceError where there is none, and for one that was asked for and is too large, with
    one that fits if there is one.
    """
    free = free_mb()
    work = _work(config, audit, checkpoints, {})
    needed = _memory_mb(config, work, checkpoints)
    if needed <= free:
        return config
    fitting = [
        smaller
        for size in range(1, config.cases_per_step)
        if _memory_mb(smaller := replace(config, batch_size=size), work, checkpoints) <= free
    ]
    if fitting and not config.batch_size:
        return fitting[-1]
    what = f" with {', '.join(sorted(i.name for i in checkpoints.values()))}" if checkpoints else ""
    raise ResourceError(
        f"A run{what} needs about {needed:,.0f} MB of memory, and {free:,.0f} MB are free.",
        hint=f"Set the batch size to {fitting[-1].batch_size} or less, or close other programs."
        if fitting
        else "Close other programs, choose fewer modalities, a smaller checkpoint or a scope "
        "without the encoders.",
    )
