"""One candidate of the ladder that trains: LoRA at one depth, from the probe's head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import Tensor

from fmstudio.adapters.lora import attach, detach, trained_state
from fmstudio.baselines.sample_weights import SampleWeights
from fmstudio.model.shared import SharedModel
from fmstudio.run_config import RunConfig
from fmstudio.training.candidates import Candidate, candidate
from fmstudio.training.loop import Loop, Trained
from fmstudio.training.reporter import Reporter
from fmstudio.training.training_data import SPLITS, TrainingData


@dataclass(frozen=True)
class Start:
    """What every candidate starts from: the frozen model with the probe's head in place, how the
    training cases are weighed and their logits corrected (see `Loop`)."""

    model: SharedModel
    sample_weights: SampleWeights
    shift: np.ndarray
    unlearned: np.ndarray

    def of(self, rows: np.ndarray) -> Start:
        """The same for some of the training cases, by their row numbers."""
        sample_weights = self.sample_weights.of(rows)
        return replace(self, sample_weights=sample_weights, unlearned=self.unlearned[rows])


@dataclass(frozen=True)
class Tuned:
    """A trained candidate: what to put into a model with an adapter of the same config, and the
    cases as they were prepared for it."""

    candidate: Candidate
    config: RunConfig
    state: Mapping[str, Tensor]
    trained: Trained
    data: TrainingData


def tune(
    name: str,
    start: Start,
    data: TrainingData,
    config: RunConfig,
    folder: Path,
    reporter: Reporter,
    rows: np.ndarray | None = None,
) -> Tuned:
    """Trains the adapter that `config` describes and takes it off the model again.

    With `rows` it learns from these of the training cases only.
    `folder` holds the checkpoint that a broken run goes on from; it is made where it is missing.
    Raises Stopped if asked to stop.
    """
    folder.mkdir(parents=True, exist_ok=True)
    adapted = attach(start.model, config)
    train = data.part("train")
    if rows is not None:
        start, train = start.of(rows), train.take(rows)
    loop = Loop(
        adapted,
        data.cohort.task,
        config,
        data.prepared,
        train,
        data.part("validation"),
        start.sample_weights,
        start.shift,
        start.unlearned,
        folder,
        reporter,
        name,
    )
    trained = loop.run()
    logits = {split: loop.predict(data.ids(split)) for split in SPLITS}
    made = candidate(name, data.cohort.task, data, logits, trained.seconds)
    state = trained_state(adapted)
    detach(adapted)
    return Tuned(made, config, state, trained, data)
