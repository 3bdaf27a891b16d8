"""How much of the machine's matrix-product speed the trunk reaches in fine-tuning.

    python -m benchmarks.trunk HOME PROJECT PRESET ANSWER.json

Trunk and adapter, forward and back, on the batches of a first epoch, alone: what is counted are
the products of real tokens only (matrix products and attention), put against large products and
products of the trunk's own sizes in the same process on the same threads. Both are the best of
several tries, as other programs share the machine.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile

from benchmarks.inside import Silent, newest_cohort
from fmstudio.adapters.lora import attach, shared_model
from fmstudio.baselines.sample_weights import sample_weights_of
from fmstudio.encoders.blocks import Places
from fmstudio.model.shared import SharedModel, Started
from fmstudio.run_config import RunConfig
from fmstudio.settings import load_settings
from fmstudio.training.loop import Loop
from fmstudio.training.training_data import prepare

TRIES = 5
LARGE = 1536  # side of a large product
KINDS = {
    "matrix products": ("aten::mm", "aten::addmm", "aten::bmm"),
    "attention": (
        "aten::_scaled_dot_product_flash_attention_for_cpu",
        "aten::_scaled_dot_product_flash_attention_for_cpu_backward",
    ),
    "GELU": ("aten::gelu", "aten::gelu_backward"),
    "layer norm": ("aten::native_layer_norm", "aten::native_layer_norm_backward"),
}


def loop_of(home: str, project: str, preset: str, folder: Path) -> Loop:
    """The loop of a preset on a project's newest cohort, which was prepared before."""
    settings = load_settings(home)
    cohort = newest_cohort(settings, project)
    config = RunConfig.from_preset(preset, modalities=cohort.modalities)
    model, _, material = prepare(config, cohort, settings, Silent())
    return Loop(
        attach(model, config),
        cohort.task,
        config,
        material.prepared,
        material.part("train"),
        material.part("validation"),
        sample_weights_of(config, material.cases["train"]),
        np.zeros(1),
        np.zeros(1),
        folder,
        Silent(),
    )


def best(work: Callable[[], Any], tries: int = TRIES) -> float:
    """Seconds of the fastest of several tries."""
    seconds = []
    for _ in range(tries):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def peak(rows: int, inner: int, columns: int) -> float:
    """Billions of operations a second in a float32 product (rows, inner) · (inner, columns)."""
    a, b = torch.randn(rows, inner), torch.randn(inner, columns)
    return 2 * rows * inner * columns / best(lambda: a @ b, 6 * TRIES) / 1e9


def operations(started: Started, model: SharedModel, rank: int) -> float:
    """Floating-point operations of trunk and adapter on a batch, forward and back.

    Weights of the base are frozen, so of a product's three only the output and the gradient of its
    input are made; the first block's queries, keys and values need no gradient of their input.
    """
    width, tokens = model.config.width, sum(started.lengths)
    blocks = model.config.depth - started.depth
    dense = 2 * tokens * 12 * width**2  # q, k, v, out: 4 width²; the two of the feed-forward: 8
    unneeded = 2 * tokens * 3 * width**2
    attention = sum(4 * length**2 * width for length in started.lengths)
    lora = 2 * 2 * 2 * tokens * rank * width  # queries and values, each down and up
    # Attention back: four products for the two forward; what it computes anew is not counted.
    return blocks * (2 * dense + 3 * attention + 3 * lora) - unneeded


def forward_and_back(model: SharedModel, started: Started) -> None:
    """One pass of the trunk, with a gradient for every token."""
    places = Places(started.lengths, started.items.device)
    mixed = model.trunk.upper(started.items, places, started.depth)
    mixed.backward(torch.ones_like(mixed))


def shares(events: Sequence[FunctionEvent]) -> dict[str, float]:
    """Of the operators' own time, the share of each kind."""
    of = {name: kind for kind, names in KINDS.items() for name in names}
    spent: Counter[str] = Counter()
    for event in events:
        spent[of.get(event.key, "all else")] += event.self_cpu_time_total
    total = sum(spent.values())
    return {kind: spent[kind] / total for kind in (*KINDS, "all else")}


def main(home: str, project: str, preset: str) -> dict[str, Any]:
    """Speeds in billions of operations a second, and where the trunk's time goes."""
    with tempfile.TemporaryDirectory() as folder:
        loop = loop_of(home, project, preset, Path(folder))
        model = shared_model(loop.adapted)
        assert loop.prefix is not None
        order = np.random.default_rng(0).permutation(len(loop.train_part.ids))
        batches = []
        for step in range(loop.steps_per_epoch):
            ids = [loop.train_part.ids[i] for i in order[step :: loop.steps_per_epoch]]
            draw = np.random.default_rng([0, step])
            batches.append(loop.prefix.batch(ids, [loop.hidden(i, draw) for i in ids]))
    model.train()
    forward_and_back(model, batches[0])
    seconds = [best(lambda b=one: forward_and_back(model, b)) for one in batches]
    done = sum(operations(one, model, loop.config.rank) for one in batches)
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        for one in batches:
            forward_and_back(model, one)
    width = model.config.width
    tokens = round(np.mean([sum(one.lengths) for one in batches]))
    return {
        "preset": preset,
        "threads": torch.get_num_threads(),
        "tokens": tokens,
        "trunk": done / sum(seconds) / 1e9,
        "large": peak(LARGE, LARGE, LARGE),
        "own": peak(tokens, width, 4 * width),
        "shares": shares(seen.key_averages()),
    }


if __name__ == "__main__":
    found = main(*sys.argv[1:4])
    Path(sys.argv[4]).write_text(json.dumps(found), encoding="utf-8")
