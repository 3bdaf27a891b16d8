"""The models that train: a search for settings if asked, then LoRA at each depth and seed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from torch import Tensor

from fmstudio.adapters.lora import Adapted, attach, detach, load_trained_state, shared_model
from fmstudio.baselines.losses import loss
from fmstudio.errors import InputError
from fmstudio.evaluation.cross_fit import patient_folds
from fmstudio.features.inputs import Processor
from fmstudio.features.outputs import logits_of
from fmstudio.records import Point, Progress
from fmstudio.results.search import Tried
from fmstudio.run_config import RunConfig
from fmstudio.settings import Settings
from fmstudio.training.candidates import LORA, Candidate, candidate
from fmstudio.training.loop import Trained
from fmstudio.training.lora_candidate import Start, Tuned, tune
from fmstudio.training.reporter import Reporter, Share
from fmstudio.training.search import Found, search
from fmstudio.training.stages import SEARCHING
from fmstudio.training.training_data import SPLITS, TrainingData, unfrozen
from fmstudio.training.weight_averaging import AveragedWeights, best_of

SEEDS = 2**31


@dataclass(frozen=True)
class TrainedStages:
    """The candidates, the least deep first; the search and the averages of seeds, if any."""

    tuned: tuple[Tuned, ...]
    found: Found | None
    soups: Mapping[str, AveragedWeights]

    @property
    def search_seconds(self) -> float:
        """What the search took."""
        return self.found.result.seconds if self.found else 0.0

    @property
    def tried(self) -> Tried:
        """As the run's result tells it."""
        seeds = {name: averaged.result for name, averaged in self.soups.items()}
        return Tried(self.found.result if self.found else None, seeds or None)


@dataclass(frozen=True)
class StageContext:
    """What every candidate is made from. Cases before any encoder are prepared when needed."""

    start: Start
    processors: Mapping[str, Processor]
    data: TrainingData
    settings: Settings
    config: RunConfig

    def of(self, config: RunConfig) -> TrainingData:
        """The cases as a candidate of this config takes them."""
        return self.data if config.encoders_frozen else self._unfrozen

    @cached_property
    def _unfrozen(self) -> TrainingData:
        deepest = self.config.at_scope(self.config.scopes[-1])
        return unfrozen(deepest, self.start.model, self.processors, self.data, self.settings)


class _Aside(Share):
    """A reporter for what the run's own curves are not drawn of: trials, and further seeds."""

    def points(self, points: Sequence[Point]) -> None:
        """Keeps them off the page."""


class _Trials(_Aside):
    """A reporter for the trials of a search of so many seconds."""

    def __init__(self, reporter: Reporter, seconds: float) -> None:
        super().__init__(reporter, 0.0, 1.0)
        self._seconds, self._began = seconds, time.monotonic()

    def progress(self, progress: Progress) -> None:
        """Says how much of its time the search has had, whatever the trial says."""
        fraction = min(1.0, (time.monotonic() - self._began) / self._seconds)
        super().progress(Progress(SEARCHING, fraction, message=progress.message))


def train_stages(context: StageContext, folder: Path, reporter: Reporter) -> TrainedStages:
    """All candidates that the config asks for, with the settings that a search has found.

    Goes on from what lies in `folder`. Raises Stopped if asked to stop.
    """
    config, found = context.config, None
    if config.search_minutes and config.scopes:
        found = _searched(context, folder / "search", reporter)
        config = found.config
    tuned, soups = [], {}
    for number, scope in enumerate(config.scopes):
        name = f"{LORA}: {scope}" if number else LORA
        share = Share(reporter, number / len(config.scopes), 1 / len(config.scopes))
        own = folder / scope.replace(" ", "-")
        made, soup = from_seeds(name, context, config.at_scope(scope), own, share)
        tuned.append(made)
        if soup is not None:
            soups[name] = soup
    return TrainedStages(tuple(tuned), found, soups)


def _searched(context: StageContext, folder: Path, reporter: Reporter) -> Found:
    folder.mkdir(parents=True, exist_ok=True)

    def try_one(number: int, config: RunConfig) -> float:
        own = folder / f"trial-{number}"
        data = context.of(config)
        made = tune(f"trial {number}", context.start, data, config, own, aside)
        shutil.rmtree(own)
        return _loss(made.candidate, data)

    aside = _Trials(reporter, 60 * context.config.search_minutes)
    return search(context.config, context.config.scopes, try_one, folder)


def from_seeds(
    name: str, context: StageContext, config: RunConfig, folder: Path, reporter: Reporter
) -> tuple[Tuned, AveragedWeights | None]:
    """The candidate of a depth: from one seed as it is, from several their average or the best.

    The curves are those of the first seed: as many as there are seeds would hide one another. In an
    ensemble of folds each seed learns without one of them.
    """
    data = context.of(config)
    if config.seeds == 1:
        return tune(name, context.start, data, config, folder, reporter), None
    made, rows = [], _without_a_fold(config, data)
    for place in range(config.seeds):
        seed = (config.seed + place) % SEEDS
        told = (_Aside if place else Share)(reporter, place / config.seeds, 1 / config.seeds)
        own, at = replace(config, seed=seed), folder / f"seed-{seed}"
        made.append(tune(name, context.start, data, own, at, told, rows[place]))
    trained = _together([each.trained for each in made])

    averaged: list[Candidate] = []

    def loss_of(state: Mapping[str, Tensor]) -> float:
        averaged.append(_answered(name, context, config, state, trained.seconds))
        return _loss(averaged[0], data)

    losses = [_loss(each.candidate, data) for each in made]
    soup = best_of([each.state for each in made], losses, loss_of)
    best = replace(made[losses.index(min(losses))].candidate, seconds=trained.seconds)
    return Tuned(averaged[0] if soup.averaged else best, config, soup.state, trained, data), soup


def _without_a_fold(config: RunConfig, data: TrainingData) -> list[np.ndarray | None]:
    """The training cases (rows) of each seed; None for all of them. No patient is torn apart.

    Raises InputError for fewer training patients than folds.
    """
    patients = data.patients("train")
    if not config.fold_ensemble:
        return [None] * config.seeds
    if len(set(patients)) < config.seeds:
        raise InputError(
            f"{len(set(patients))} training patients do not make {config.seeds} folds.",
            hint="Ask for fewer seeds, or for no ensemble of folds.",
        )
    return [inner for inner, _ in patient_folds(patients, config.seeds, config.seed)]


def _answered(
    name: str, context: StageContext, config: RunConfig, state: Mapping[str, Tensor], seconds: float
) -> Candidate:
    """The candidate of a trained state, as `tune` makes it of its own."""
    data = context.of(config)
    with _holding(context, config, state) as adapted:
        model, shift = shared_model(adapted), context.start.shift
        logits = {s: logits_of(model, data.prepared, data.ids(s)) + shift for s in SPLITS}
    return candidate(name, data.cohort.task, data, logits, seconds)


@contextmanager
def _holding(
    context: StageContext, config: RunConfig, state: Mapping[str, Tensor]
) -> Iterator[Adapted]:
    adapted = attach(context.start.model, config)
    load_trained_state(adapted, state)
    yield adapted
    detach(adapted)


def _together(trained: Sequence[Trained]) -> Trained:
    """What several trainings took, as one."""
    return Trained(
        max(one.best_epoch for one in trained),
        sum(one.epochs for one in trained),
        sum(one.steps for one in trained),
        sum(one.seconds for one in trained),
        sum(one.cases for one in trained),
    )


def _loss(made: Candidate, data: TrainingData) -> float:
    return loss(data.cohort.task, made.logits, data.targets["validation"])
