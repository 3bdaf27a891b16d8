"""Where pretraining stands, as one of its saved states."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fmstudio.records import Point
from fmstudio.training.saved import States


@dataclass(frozen=True)
class State:
    """After `step` steps and so many seconds of work; all points of the curves so far."""

    step: int = 0
    seconds: float = 0.0
    points: tuple[Point, ...] = ()


def save_state(
    states: States,
    state: State,
    learning: nn.Module,
    unknown: nn.ParameterDict,
    optimizer: torch.optim.Optimizer,
) -> None:
    """Saves the state; the one before stays."""
    tensors = {f"learning/{name}": value for name, value in learning.state_dict().items()}
    tensors |= {f"unknown/{name}": value.detach() for name, value in unknown.items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{index}/{name}": value for name, value in moments.items()}
    points = [[p.name, p.step, p.value] for p in state.points]
    states.write(state.step, tensors, {"seconds": state.seconds, "points": points})


def load_state(
    states: States, learning: nn.Module, unknown: nn.ParameterDict, optimizer: torch.optim.Optimizer
) -> State | None:
    """The newest whole state, with weights and optimizer put back. None where there is none."""
    saved = states.newest()
    if saved is None:
        return None
    groups: dict[str, dict[str, Tensor]] = {"learning": {}, "unknown": {}, "optimizer": {}}
    for name, value in saved.tensors.items():
        group, key = name.split("/", 1)
        groups[group][key] = value
    learning.load_state_dict(groups["learning"])
    with torch.no_grad():
        for name, value in groups["unknown"].items():
            unknown[name].copy_(value)
    stored = optimizer.state_dict()
    for key, value in groups["optimizer"].items():
        index, name = key.split("/")
        stored["state"].setdefault(int(index), {})[name] = value
    optimizer.load_state_dict(stored)
    points = tuple(Point(*point) for point in saved.facts["points"])
    return State(saved.step, saved.facts["seconds"], points)
