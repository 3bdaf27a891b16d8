"""One rung of the ladder that trains: LoRA at one depth, from the probe's head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Start:
    """What every rung starts from: the frozen model with the probe's head in place, and how the
    training cases' logits are to be corrected (see `Loop`)."""

    model: SharedModel
    shift: np.ndarray
    unlearned: np.ndarray


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
    name: str, start: Start, material: Material, config: RunConfig, folder: Path, reporter: Reporter
) -> Tuned:
    """Trains the adapter that `config` describes and takes it off the model again.

    `folder` holds the checkpoint that a broken run goes on from; it is made where it is missing.
    Raises Stopped if asked to stop.
    """
    folder.mkdir(parents=True, exist_ok=True)
    adapted = attach(start.model, config)
    loop = Loop(
        adapted, material.cohort.task, config, material.prepared, material.part("train"),
        material.part("validation"), start.shift, start.unlearned, folder, reporter, name,
    )  # fmt: skip
    trained = loop.run()
    logits = {split: loop.predict(material.ids(split)) for split in SPLITS}
    made = rung(name, material.cohort.task, material, logits, trained.seconds)
    state = trained_state(adapted)
    detach(adapted)
    return Tuned(made, config, state, trained, material)
