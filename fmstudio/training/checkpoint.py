"""Where a training run stands after each epoch, as one of its saved states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from fmstudio.records import Point
from fmstudio.training.saved import States


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
    states: States,
    step: int,
    state: Checkpoint,
    parameters: Sequence[Tensor],
    optimizer: torch.optim.Optimizer,
) -> None:
    """Saves the state after `step` steps; the one before stays."""
    tensors = {f"now/{name}": value for name, value in state.now.items()}
    tensors |= {f"best/{name}": value.clone() for name, value in state.best.items()}
    for index, parameter in enumerate(parameters):
        for name, value in optimizer.state[parameter].items():
            tensors[f"optimizer/{index}/{name}"] = value
    facts = {
        "epoch": state.epoch,
        "best_epoch": state.best_epoch,
        "best_loss": state.best_loss,
        "waited": state.waited,
        "seconds": state.seconds,
        "points": [[p.name, p.step, p.value] for p in state.points],
    }
    states.write(step, tensors, facts)


def load_checkpoint(
    states: States, parameters: Sequence[Tensor], optimizer: torch.optim.Optimizer
) -> Checkpoint | None:
    """The newest whole state, with the optimizer put back (the weights are the caller's to put
    back). None where there is none."""
    saved = states.newest()
    if saved is None:
        return None
    tensors: dict[str, dict[str, Tensor]] = {"now": {}, "best": {}, "optimizer": {}}
    for name, value in saved.tensors.items():
        group, key = name.split("/", 1)
        tensors[group][key] = value
    for key, value in tensors["optimizer"].items():
        index, name = key.split("/")
        parameter = parameters[int(index)]
        optimizer.state[parameter][name] = value if name == "step" else value.to(parameter.device)
    facts = {**saved.facts, "points": tuple(Point(*point) for point in saved.facts["points"])}
    return Checkpoint(best=tensors["best"], now=tensors["now"], **facts)
