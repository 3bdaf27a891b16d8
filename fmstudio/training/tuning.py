"""One rung of the ladder that trains: LoRA at one depth, from the probe's head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import Tensor

from fmstudio.adapters.lora import attach, detach, trained_state
from fmstudio.model.shared import SharedModel
from fmstudio.training.config import RunConfig
from fmstudio.training.judge import Rung, rung
from fmstudio.training.loop import Loop, Trained
from fmstudio.training.material import SPLITS, Material
from fmstudio.training.reporter import Reporter
from fmstudio.training.weighing import Weighing


@dataclass(frozen=True)
class Start:
    """What every rung starts from: the frozen model with the probe's head in place, and how the
    training cases are weighed and their logits corrected (see `Loop`)."""

    model: SharedModel
    weighing: Weighing
    shift: np.ndarray
    unlearned: np.ndarray

    def of(self, rows: np.ndarray) -> Start:
        """The same for some of the training cases, by their row numbers."""
        weighing = self.weighing.of(rows)
        return replace(self, weighing=weighing, unlearned=self.unlearned[rows])


@dataclass(frozen=True)
class Tuned:
    """A trained rung: what to put into a model with an adapter of the same config, and the cases as
    they were prepared for it."""

    rung: Rung
    config: RunConfig
    state: Mapping[str, Tensor]
    trained: Trained
    material: Material


def tune(
    name: str, start: Start, material: Material, config: RunConfig, folder: Path,
    reporter: Reporter, rows: np.ndarray | None = None,
) -> Tuned:  # fmt: skip
    """Trains the adapter that `config` describes and takes it off the model again.

    With `rows` it learns from these of the training cases only.
    `folder` holds the checkpoint that a broken run goes on from; it is made where it is missing.
    Raises Stopped if asked to stop.
    """
    folder.mkdir(parents=True, exist_ok=True)
    adapted = attach(start.model, config)
    train = material.part("train")
    if rows is not None:
        start, train = start.of(rows), train.take(rows)
    loop = Loop(
        adapted, material.cohort.task, config, material.prepared, train,
        material.part("validation"), start.weighing, start.shift, start.unlearned, folder, reporter,
        name,
    )  # fmt: skip
    trained = loop.run()
    logits = {split: loop.predict(material.ids(split)) for split in SPLITS}
    made = rung(name, material.cohort.task, material, logits, trained.seconds)
    state = trained_state(adapted)
    detach(adapted)
    return Tuned(made, config, state, trained, material)
