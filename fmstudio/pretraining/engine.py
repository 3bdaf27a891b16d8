"""The one pretraining loop: a model, a stream and objectives in, a model that learned out.

Every random number is drawn from (seed, step), so a run resumed from its last checkpoint goes on
as if nothing had happened.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import nn

from fmstudio.contracts import discover
from fmstudio.errors import RunFailed
from fmstudio.features.outputs import autocast
from fmstudio.model.shared import SharedModel
from fmstudio.pretraining.collapse import Health, health
from fmstudio.pretraining.encoded import encode
from fmstudio.pretraining.features import features
from fmstudio.pretraining.state import State, load_state, save_state
from fmstudio.pretraining.stream import Example, Mixture
from fmstudio.records import Point, Progress
from fmstudio.training.reporter import Reporter, Stopped
from fmstudio.training.saved import States
from fmstudio.training.stages import LEARNING

SAMPLE = 512  # examples looked at before the start, for the names and scales of what is known
WATCHED = 64  # examples on which the health of the features is watched
FEWEST_WATCHED = 8  # inputs of a modality below which its features are not judged
WARM_UP = 0.05  # share of the steps in which the learning rate rises
STRETCH = 20  # steps whose losses make one point of the curve

Watch = Callable[[SharedModel], Mapping[str, float]]


@runtime_checkable
class Renewed(Protocol):
    """A head that looks at the cases anew now and then; what it keeps of them are its buffers."""

    def renew(self, model: SharedModel, mixture: Mixture) -> None:
        """Called before the first step and after each stretch of steps."""
        ...


@dataclass(frozen=True)
class Plan:
    """What to learn from and for how long. `objectives` are names; without `encoders` only the
    trunk learns. `look_every` steps the watch is asked and the state is saved."""

    objectives: tuple[str, ...] = ("masked", "known")
    steps: int = 1000
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    look_every: int = 250
    encoders: bool = True


def objectives() -> Mapping[str, Any]:
    """What a base can learn from, by name."""
    return discover("fmstudio.pretraining.objectives", "OBJECTIVE")


class Engine:
    """Trains `model` in place on what `mixture` draws."""

    def __init__(
        self,
        model: SharedModel,
        mixture: Mixture,
        plan: Plan,
        folder: Path,
        reporter: Reporter,
        watch: Watch = lambda model: {},
    ) -> None:
        self.model, self.mixture, self.plan = model, mixture, plan
        self.states, self.reporter, self.watch = States(folder), reporter, watch
        self.device = model.device
        torch.manual_seed(mixture.seed)
        sample = _sampled(mixture)
        chosen = {name: objectives()[name] for name in plan.objectives}
        self.hides = max(one.hides for one in chosen.values())
        heads = {name: one.head(model, sample) for name, one in chosen.items()}
        self.heads = nn.ModuleDict(heads).to(self.device)
        widths = {key: model.encoders[key].width for key in model.encoders}
        self.unknown = nn.ParameterDict(
            {key: nn.Parameter(torch.randn(width) * 0.02) for key, width in widths.items()}
        ).to(self.device)
        self.watched = sample[:WATCHED]
        self.before = self._health()
        self.learning = nn.ModuleDict({"heads": self.heads, **self._learning_parts()})
        self.parameters = [*self.learning.parameters(), *self.unknown.parameters()]
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=plan.learning_rate, weight_decay=plan.weight_decay, fused=True
        )

    def _learning_parts(self) -> dict[str, nn.Module]:
        """Trunk where an objective trains it, encoders where they are to learn."""
        parts: dict[str, nn.Module] = {}
        if "latent" in self.plan.objectives:
            parts |= {"trunk": self.model.trunk, "modality_name": self.model.modality_name}
        if self.plan.encoders:
            parts |= {"encoders": self.model.encoders, "bridges": self.model.bridges}
        return parts

    def run(self) -> State:
        """Trains from the last checkpoint, or from the start, to the end.

        Raises Stopped if asked to stop, RunFailed if the features have collapsed or the loss is
        no number.
        """
        started = time.monotonic()
        self._renew()
        state = load_state(self.states, self.learning, self.unknown, self.optimizer) or State()
        self.reporter.points(state.points)
        if not state.points:
            state = self._look(state, [], started)
        while state.step < self.plan.steps:
            losses = [(step, self._step(step)) for step in self._stretch(state.step)]
            state = self._look(state, losses, started)
            started = time.monotonic()
            if self.reporter.should_stop():
                raise Stopped
        self.model.eval()
        return state

    def _stretch(self, first: int) -> Iterator[int]:
        """The steps up to the next look; fewer if asked to stop."""
        for step in range(first, min(first + self.plan.look_every, self.plan.steps)):
            yield step
            if self.reporter.should_stop():
                return

    def _renew(self) -> None:
        for head in self.heads.values():
            if isinstance(head, Renewed):
                head.renew(self.model, self.mixture)

    def _step(self, step: int) -> dict[str, float]:
        """One step; the loss by objective."""
        self.model.train()
        drawn = self.mixture.draw(step, self.device)
        torch.manual_seed(int(np.random.default_rng([self.mixture.seed, 1, step]).integers(2**31)))
        for group in self.optimizer.param_groups:
            group["lr"] = self.plan.learning_rate * self._pace(step)
        self.optimizer.zero_grad(set_to_none=True)
        with autocast(self.device):
            with torch.set_grad_enabled(self.plan.encoders):
                given = encode(self.model, drawn, self.unknown, self.hides)
            found = {name: head(given) for name, head in self.heads.items()}
        losses = {name: value.float() for name, value in found.items() if value is not None}
        if not losses:
            return {}
        total = torch.stack(list(losses.values())).sum()
        if not torch.isfinite(total):
            raise RunFailed(
                f"The loss is no number after step {step}.",
                hint="Start again with a smaller learning rate.",
            )
        total.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        return {name: float(value.detach()) for name, value in losses.items()}

    def _pace(self, step: int) -> float:
        """Share of the learning rate: rises in a line, then falls as a cosine to nothing."""
        warm = max(1, int(WARM_UP * self.plan.steps))
        if step < warm:
            return (step + 1) / warm
        progress = (step - warm) / max(1, self.plan.steps - warm)
        return 0.5 * (1 + np.cos(np.pi * progress))

    def _look(
        self, state: State, losses: Sequence[tuple[int, Mapping[str, float]]], started: float
    ) -> State:
        """The state after a stretch of steps, with what the watch saw; saved and reported."""
        step = losses[-1][0] + 1 if losses else state.step
        points = list(_curves(losses))
        states = self._health()
        for modality, seen in states.items():
            points.append(Point(f"directions: {modality}", step, seen.rank))
        points += [Point(name, step, value) for name, value in self.watch(self.model).items()]
        seconds = state.seconds + time.monotonic() - started
        after = State(step, seconds, (*state.points, *points))
        if losses:
            self._renew()
            save_state(self.states, after, self.learning, self.unknown, self.optimizer)
        self._report(after, points)
        for modality, seen in states.items():
            if seen.collapsed(self.before[modality]):
                raise RunFailed(
                    f"What the base makes of {modality} has collapsed: its features keep to "
                    f"{seen.rank:.1f} directions with a spread of {seen.spread:.4f}, from "
                    f"{self.before[modality].rank:.1f} and {self.before[modality].spread:.4f} at "
                    "the start.",
                    hint="Start anew with a smaller learning rate, or add the objectives 'masked' "
                    "and 'spread', which a collapsed base cannot meet.",
                )
        return after

    @torch.inference_mode()
    def _health(self) -> dict[str, Health]:
        """Of each modality's features over the watched examples."""
        self.model.eval()
        found = {}
        for modality in self.model.modalities:
            having = [one for one in self.watched if modality in one.inputs]
            if len(having) > FEWEST_WATCHED:
                found[modality] = health(features(self.model, modality, having))
        return found

    def _report(self, state: State, points: Sequence[Point]) -> None:
        self.reporter.points(points)
        self.reporter.progress(
            Progress(
                LEARNING,
                state.step / self.plan.steps,
                state.step,
                self.plan.steps,
                message=self.states.remark,
            )
        )


def _sampled(mixture: Mixture) -> list[Example]:
    """What is known of the sample, with the inputs of those that are watched and of the first of
    each modality: all of them would fill the memory."""
    seen: set[str] = set()
    kept = []
    for number, example in enumerate(mixture.sample(SAMPLE)):
        inputs = {m: p for m, p in example.inputs.items() if number < WATCHED or m not in seen}
        seen |= set(inputs)
        kept.append(replace(example, inputs=inputs))
    return kept


def _curves(losses: Sequence[tuple[int, Mapping[str, float]]]) -> Iterator[Point]:
    """The mean loss of each objective over stretches of steps."""
    for start in range(0, len(losses), STRETCH):
        part = losses[start : start + STRETCH]
        for name in sorted({name for _, found in part for name in found}):
            values = [found[name] for _, found in part if name in found]
            yield Point(f"loss: {name}", part[-1][0] + 1, float(np.mean(values)))
