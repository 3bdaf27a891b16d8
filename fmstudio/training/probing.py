"""The rungs on the frozen model: boosting on the table and the probe, and their heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from fmstudio.contracts import pipeline
from fmstudio.model.head import TaskHead
from fmstudio.model.shared import SharedModel
from fmstudio.preparation.outputs import features_of
from fmstudio.training.budget import label_budget
from fmstudio.training.config import RunConfig
from fmstudio.training.judge import (
    BOOSTING,
    PROBE,
    Rung,
    cross_validation_json,
    groups_of,
    rung,
)
from fmstudio.training.material import SPLITS, Material
from fmstudio.training.probe import Groups, Head, fit_probe, fit_trees
from fmstudio.training.stopwatch import Stopwatch
from fmstudio.training.weighing import Weighing
from fmstudio.types import TaskSpec


@dataclass(frozen=True)
class Probed:
    """The rungs that need no training of the network, each with its head, from simple to complex;
    the probe's cross-validation, if the run is to have folds; what more patients would bring."""

    rungs: Sequence[tuple[Rung, Head]]
    crossed: dict[str, Any] | None
    learned: dict[str, Any]

    @property
    def head(self) -> Head:
        """The probe's."""
        return self.rungs[-1][1]


def probe_rung(
    task: TaskSpec, model: SharedModel, material: Material, config: RunConfig, weighing: Weighing,
    shift: np.ndarray, watch: Stopwatch,
) -> Probed:  # fmt: skip
    """Boosting on the table, if there is one, and the probe.

    `weighing` is that of the training cases. The features of all cases live in here only: they are
    the one thing that grows with the cohort.
    """
    groups, patients = groups_of(model), material.patients("train")
    tables: Groups = [
        own if pipeline(modality).kind == "table" else []
        for modality, own in zip(model.modalities, groups, strict=True)
    ]

    def judged(name: str, head: Head, seconds: float) -> tuple[Rung, Head]:
        logits = {s: head.logits(*sets[s]) + shift for s in SPLITS}
        made = rung(name, task, material, logits, seconds)
        return replace(made, judged=head.judged + shift), head

    with watch("features"):
        sets = {s: features_of(model, material.prepared, material.ids(s)) for s in SPLITS}
        train = (*sets["train"], material.targets["train"])
    with watch("baseline"):
        boosted = fit_trees(task, train, patients, weighing, tables)
    with watch("probe"):
        grown = boosted[1] if boosted else {}
        head = fit_probe(task, train, patients, weighing, groups, grown)
    rungs = []
    if boosted:  # standardized like the probe, for the guard looks at features by their spread
        alone = replace(boosted[0], mean=head.mean, scale=head.scale)
        rungs.append(judged(BOOSTING, alone, watch.seconds["baseline"]))
    rungs.append(judged(PROBE, head, watch.seconds["probe"]))
    crossed = None
    if config.folds > 1:
        with watch("cross-validation"):
            crossed = cross_validation_json(task, material, sets, config, groups)
    with watch("learning curve"):
        learned = label_budget(task, material, sets, head, weighing, groups)
    return Probed(rungs, crossed, learned)


NUMBERS = ("mean", "scale", "weight", "offset", "bias")


def grow(model: SharedModel, head: Head) -> None:
    """Makes room in the model's task head, and says so in its config, for a probe's trees."""
    shapes = {m: trees.shape for m, trees in head.trees.items()}
    model.config.trees = {model.modalities[m]: list(shape) for m, shape in shapes.items()}
    own = model.task_head
    fresh = TaskHead(*own.weight.shape, shapes).to(own.bias.device)
    fresh.load_state_dict(own.state_dict(), strict=False)
    model.task_head = fresh


def install(target: TaskHead, head: Head) -> None:
    """Puts a probe's numbers into a task head that has room for its trees."""
    with torch.no_grad():
        for name in NUMBERS:
            own = getattr(target, name)
            own.copy_(torch.as_tensor(getattr(head, name), dtype=own.dtype))
        for m, trees in head.trees.items():
            target.trees[str(m)].put(trees)


def head_of(own: TaskHead) -> Head:
    """The numbers of a task head."""
    numbers = [getattr(own, name).detach().float().cpu().numpy() for name in NUMBERS]
    return Head(*numbers, {int(place): grown.trees for place, grown in own.trees.items()})
