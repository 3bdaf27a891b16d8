"""The candidates on the frozen model: boosting on the table and the probe, and their heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from fmstudio.baselines.head import Groups, Head
from fmstudio.baselines.sample_weights import SampleWeights
from fmstudio.baselines.stacking import fit_probe
from fmstudio.baselines.trees import fit_trees
from fmstudio.contracts import pipeline
from fmstudio.features.outputs import features_of
from fmstudio.model.head import TaskHead
from fmstudio.model.shared import SharedModel
from fmstudio.run_config import RunConfig
from fmstudio.training.candidates import (
    BOOSTING,
    PROBE,
    Candidate,
    candidate,
    cross_validation_json,
    groups_of,
)
from fmstudio.training.learning_curve import refits_on_fewer
from fmstudio.training.stopwatch import Stopwatch
from fmstudio.training.training_data import SPLITS, TrainingData
from fmstudio.types import TaskSpec


@dataclass(frozen=True)
class Probed:
    """The models that need no training of the network, each with its head, from simple to complex;
    the probe's cross-validation, if the run is to have folds; what more patients would bring."""

    candidates: Sequence[tuple[Candidate, Head]]
    crossed: dict[str, Any] | None
    learned: dict[str, Any]

    @property
    def head(self) -> Head:
        """The probe's."""
        return self.candidates[-1][1]


def probe_candidate(
    task: TaskSpec,
    model: SharedModel,
    data: TrainingData,
    config: RunConfig,
    sample_weights: SampleWeights,
    shift: np.ndarray,
    watch: Stopwatch,
) -> Probed:
    """Boosting on the table, if there is one, and the probe.

    `sample_weights` are those of the training cases. The features of all cases live in here only:
    they are the one thing that grows with the cohort.
    """
    groups, patients = groups_of(model), data.patients("train")
    tables: Groups = [
        own if pipeline(modality).kind == "table" else []
        for modality, own in zip(model.modalities, groups, strict=True)
    ]

    def with_head(name: str, head: Head, seconds: float) -> tuple[Candidate, Head]:
        logits = {s: head.logits(*sets[s]) + shift for s in SPLITS}
        made = candidate(name, task, data, logits, seconds)
        return replace(made, out_of_fold=head.out_of_fold + shift), head

    with watch("features"):
        sets = {s: features_of(model, data.prepared, data.ids(s)) for s in SPLITS}
        train = (*sets["train"], data.targets["train"])
    with watch("baseline"):
        boosted = fit_trees(task, train, patients, sample_weights, tables)
    with watch("probe"):
        grown = boosted[1] if boosted else {}
        head = fit_probe(task, train, patients, sample_weights, groups, grown)
    candidates = []
    if boosted:  # standardized like the probe, for the guard looks at features by their spread
        alone = replace(boosted[0], mean=head.mean, scale=head.scale)
        candidates.append(with_head(BOOSTING, alone, watch.seconds["baseline"]))
    candidates.append(with_head(PROBE, head, watch.seconds["probe"]))
    crossed = None
    if config.folds > 1:
        with watch("cross-validation"):
            crossed = cross_validation_json(task, data, sets, config, groups)
    with watch("learning curve"):
        learned = refits_on_fewer(task, data, sets, head, sample_weights, groups)
    return Probed(candidates, crossed, learned)


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
