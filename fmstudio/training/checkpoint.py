"""A training run's state on disk after each epoch: one file, written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from fmstudio.records import Point

FILE = "checkpoint.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """Where training stands after `epoch` epochs.

    `now` and `best` are trained weights by name; `waited` epochs have passed since the best;
    `points` are all values of the curves so far, `new_points` those of the last epoch.
    """

    best: dict[str, Tensor]
    best_loss: float
    now: dict[str, Tensor] = field(default_factory=dict)
    epoch: int = 0
    best_epoch: int = 0
    waited: int = 0
    seconds: float = 0.0
    points: tuple[Point, ...] = ()
    new_points: tuple[Point, ...] = ()


def save_checkpoint(
    folder: Path,
    state: Checkpoint,
    parameters: Sequence[Tensor],
    optimizer: torch.optim.Optimizer,
) -> None:
    """Writes the state; the old file stays until the new one is safe on disk."""
    tensors = {f"now/{name}": value for name, value in state.now.items()}
    tensors |= {f"best/{name}": value.clone() for name, value in state.best.items()}
    for index, parameter in enumerate(parameters):
        for name, value in optimizer.state[parameter].items():
            tensors[f"optimizer/{index}/{name}"] = value
    facts = {
        "epoch": state.epoch, "best_epoch": state.best_epoch, "best_loss": state.best_loss,
        "waited": state.waited, "seconds": state.seconds,
        "points": [[p.name, p.step, p.value] for p in state.points],
    }  # fmt: skip
    temporary = folder / f"{FILE}.tmp"
    with temporary.open("wb") as file:
        file.write(save(tensors, {"state": json.dumps(facts)}))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / FILE)


def load_checkpoint(
    folder: Path, parameters: Sequence[Tensor], optimizer: torch.optim.Optimizer
) -> Checkpoint | None:
    """The state, with the optimizer put back (the weights are the caller's to put back).

    None where there is no checkpoint.
    """
    if not (folder / FILE).is_file():
        return None
    tensors: dict[str, dict[str, Tensor]] = {"now": {}, "best": {}, "optimizer": {}}
    with safe_open(folder / FILE, framework="pt") as file:
        facts = json.loads(file.metadata()["state"])
        for name in file.keys():  # noqa: SIM118
            group, key = name.split("/", 1)
            tensors[group][key] = file.get_tensor(name)
    for key, value in tensors["optimizer"].items():
        index, name = key.split("/")
        parameter = parameters[int(index)]
        optimizer.state[parameter][name] = value if name == "step" else value.to(parameter.device)
    facts["points"] = tuple(Point(*point) for point in facts["points"])
    return Checkpoint(best=tensors["best"], now=tensors["now"], **facts)
