"""Pretraining with the embedded recipe's settings: samples a second, and where the time goes.

Every stage of the recipe on drawn cases, in a process of its own with two threads. Operations are
matrix products and attention as PyTorch counts them, against large float32 products on the same
threads in the same process.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.command import process

TITLE = "Pretraining"
THREADS = 2
DRAWN = 64  # cases of each source: drawing is a cost of the first time only
STEPS = 6  # timed, after as many that draw their cases and warm up
PARTS = ("reading", "forward", "backward", "optimizer")


def measure(options: Namespace, before: Mapping[str, Any]) -> dict[str, Any]:
    """Figures by stage of the recipe."""
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        answer, log = Path(folder, "answer.json"), Path(folder, "log")
        with process(("-m", "benchmarks.pretraining", folder, answer), log) as running:
            running.wait()
        if not answer.is_file():
            raise RuntimeError(f"Pretraining failed: {log.read_text()[-800:]}")
        return json.loads(answer.read_text(encoding="utf-8"))


def section(found: Mapping[str, Any]) -> str:
    """The part's page."""
    rows = []
    for name, one in found["stages"].items():
        total = sum(one["seconds"].values())
        share = one["giga"] / total / found["peak"]
        parts = " | ".join(f"{one['seconds'][part] / total:.0%}" for part in PARTS)
        rows.append(f"| {name} | {one['samples'] / total:.0f} | **{share:.0%}** | {parts} |")
    return (
        f"| stage | samples a second | share of the peak | {' | '.join(PARTS)} |\n"
        f"|{'---|' * (3 + len(PARTS))}\n"
        + "\n".join(rows)
        + f"\n\n{THREADS} threads; the peak is {found['peak']:.0f} billion operations a second. "
        f"{STEPS} steps of each stage on cases that were drawn before; drawing one anew takes "
        f"{found['drawing_ms']:.0f} ms in the mean of the stages."
    )


class _Timed:
    """Adds up the seconds of calls by name."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()

    def __call__(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*given: Any, **options: Any) -> Any:
            started = time.perf_counter()
            try:
                return work(*given, **options)
            finally:
                self.seconds[name] += time.perf_counter() - started

        return timed


class _Watched:
    """A mixture that says how long it took and how many cases it gave."""

    def __init__(self, mixture: Any, timed: _Timed) -> None:
        self._mixture, self.samples = mixture, 0
        self._draw = timed("reading", mixture.draw)

    def draw(self, *given: Any) -> Any:
        """As the mixture's."""
        drawn = self._draw(*given)
        self.samples += len(drawn.examples)
        return drawn

    def __getattr__(self, name: str) -> Any:
        return getattr(self._mixture, name)


def _stage(recipe: Mapping[str, Any], stage: Mapping[str, Any], work: Path) -> dict[str, Any]:
    """Seconds by part, samples and billions of operations of some steps."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

    from benchmarks.inside import Silent
    from fmstudio.features.inputs import Preparation
    from fmstudio.pretraining.build_plan import set_up
    from fmstudio.pretraining.corpora import Corpora
    from fmstudio.pretraining.engine import Engine, Plan
    from fmstudio.sandbox import Reader
    from fmstudio.settings import Settings

    aten = torch.ops.aten
    attention = {
        aten._scaled_dot_product_flash_attention_for_cpu: lambda q, k, v, *_, **__: sdpa_flop_count(
            q, k, v
        ),
        aten._scaled_dot_product_flash_attention_for_cpu_backward: (
            lambda grad, q, k, v, *_, **__: sdpa_backward_flop_count(grad, q, k, v)
        ),
    }
    settings = Settings(work / "home")
    with Reader(settings.limits) as reader:
        corpora = Corpora(recipe, work, work, Preparation(reader, settings))
        bench = set_up(recipe, stage, corpora, work, str)
        started = time.perf_counter()
        plan = Plan(
            tuple(stage["objectives"]),
            stage["steps"],
            stage["learning_rate"],
            encoders=bench.trains_encoders,
        )
        engine = Engine(bench.model, bench.mixture, plan, work, Silent())
        for step in range(STEPS):
            engine._step(step)
        drawing = time.perf_counter() - started
        timed = _Timed()
        engine.mixture = watched = _Watched(bench.mixture, timed)  # type: ignore[assignment]
        step_of = timed("whole", engine._step)
        with (
            patch.object(torch.Tensor, "backward", timed("backward", torch.Tensor.backward)),
            patch.object(engine.optimizer, "step", timed("optimizer", engine.optimizer.step)),
        ):
            for step in range(STEPS):
                step_of(step)
        engine.mixture = bench.mixture
        with FlopCounterMode(display=False, custom_mapping=attention) as counted:
            for step in range(STEPS):
                engine._step(step)
    seconds = dict(timed.seconds)
    whole = seconds.pop("whole")
    seconds["forward"] = whole - sum(seconds.values())
    return {
        "seconds": seconds,
        "samples": watched.samples,
        "giga": counted.get_total_flops() / 1e9,
        "drawing_ms": 1e3 * drawing / (DRAWN * len(bench.mixture.sources)),
    }


def main(folder: str) -> dict[str, Any]:
    """All stages, and the machine's peak."""
    import torch

    from benchmarks.trunk import LARGE, peak
    from fmstudio.pretraining.build_plan import HOME, TOKENIZER

    torch.set_num_threads(THREADS)
    recipe = json.loads((HOME / "recipe.json").read_text(encoding="utf-8"))
    recipe |= {"cohorts": [], "drawn": DRAWN}
    stages, peaks = {}, []
    for stage in recipe["stages"]:
        work = Path(folder, stage["name"])
        work.mkdir()
        shutil.copy(HOME / "tokenizer.json", work / TOKENIZER)
        peaks.append(peak(LARGE, LARGE, LARGE))
        stages[stage["name"]] = _stage(recipe, stage, work)
    drawing = sum(one["drawing_ms"] for one in stages.values()) / len(stages)
    return {"stages": stages, "peak": max(peaks), "drawing_ms": drawing}


if __name__ == "__main__":
    found = main(sys.argv[1])
    Path(sys.argv[2]).write_text(json.dumps(found), encoding="utf-8")
