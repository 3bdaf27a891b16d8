"""The first rung: the probe on the features of the frozen model, and the head it starts from."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from fmstudio.model.shared import SharedModel, TaskHead
from fmstudio.preparation.outputs import features_of
from fmstudio.training.budget import label_budget
from fmstudio.training.config import RunConfig
from fmstudio.training.judge import Rung, cross_validation_json, groups_of, rung
from fmstudio.training.material import SPLITS, Material
from fmstudio.training.probe import Head, fit_probe
from fmstudio.training.stopwatch import Stopwatch
from fmstudio.types import TaskSpec


def probe_rung(
    task: TaskSpec, model: SharedModel, material: Material, config: RunConfig, shift: np.ndarray,
    watch: Stopwatch,
) -> tuple[Head, Rung, dict[str, Any] | None, dict[str, Any]]:  # fmt: skip
    """The probe's head, its rung, its cross-validation if the run is to have folds, and what more
    patients would bring.

    The features of all cases live in here only: they are the one thing that grows with the cohort.
    """
    with watch("probe"):
        sets = {s: features_of(model, material.prepared, material.ids(s)) for s in SPLITS}
        train = (*sets["train"], material.targets["train"])
        head = fit_probe(task, train, material.patients("train"), config.balance, groups_of(model))
        logits = {s: head.logits(*sets[s]) + shift for s in SPLITS}
    crossed = None
    if config.folds > 1:
        with watch("cross-validation"):
            crossed = cross_validation_json(
                task, material, sets, config.folds, config.balance, groups_of(model)
            )
    with watch("learning curve"):
        learned = label_budget(task, material, sets, head, config.balance, groups_of(model))
    return head, rung("probe", task, material, logits, watch.seconds["probe"]), crossed, learned


def install(target: TaskHead, head: Head) -> None:
    """Puts a probe's numbers into the model's task head."""
    with torch.no_grad():
        for name in ("mean", "scale", "weight", "offset", "bias"):
            own = getattr(target, name)
            own.copy_(torch.as_tensor(getattr(head, name), dtype=own.dtype))


def head_of(own: TaskHead) -> Head:
    """The numbers of the model's task head."""
    names = ("mean", "scale", "weight", "offset", "bias")
    return Head(*(getattr(own, name).detach().float().cpu().numpy() for name in names))
