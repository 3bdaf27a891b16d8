"""Where pretraining stands, on disk: one file, written whole or not at all."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from fmstudio.records import Point

FILE = "checkpoint.safetensors"


@dataclass(frozen=True)
class State:
    """After `step` steps and so many seconds of work; all points of the curves so far."""

    step: int = 0
    seconds: float = 0.0
    points: tuple[Point, ...] = ()


def save_state(
    folder: Path,
    state: State,
    learning: nn.Module,
    unknown: nn.ParameterDict,
    optimizer: torch.optim.Optimizer,
) -> None:
    """Writes the state; the old file stays until the new one is safe on disk."""
    tensors = {f"learning/{name}": value for name, value in learning.state_dict().items()}
    tensors |= {f"unknown/{name}": value.detach() for name, value in unknown.items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{index}/{name}": value for name, value in moments.items()}
    facts = {
        "step": state.step, "seconds": state.seconds,
        "points": [[p.name, p.step, p.value] for p in state.points],
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f"{FILE}.tmp"
    with temporary.open("wb") as file:
        contiguous = {name: value.contiguous() for name, value in tensors.items()}
        file.write(save(contiguous, {"state": json.dumps(facts)}))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / FILE)


def load_state(
    folder: Path, learning: nn.Module, unknown: nn.ParameterDict, optimizer: torch.optim.Optimizer
) -> State | None:
    """The state, with weights and optimizer put back. None where there is no checkpoint."""
    if not (folder / FILE).is_file():
        return None
    groups: dict[str, dict[str, Tensor]] = {"learning": {}, "unknown": {}, "optimizer": {}}
    with safe_open(folder / FILE, framework="pt") as file:
        facts = json.loads(file.metadata()["state"])
        for name in file.keys():  # noqa: SIM118
            group, key = name.split("/", 1)
            groups[group][key] = file.get_tensor(name)
    learning.load_state_dict(groups["learning"])
    with torch.no_grad():
        for name, value in groups["unknown"].items():
            unknown[name].copy_(value)
    stored = optimizer.state_dict()
    for key, value in groups["optimizer"].items():
        index, name = key.split("/")
        stored["state"].setdefault(int(index), {})[name] = value
    optimizer.load_state_dict(stored)
    points = tuple(Point(*point) for point in facts["points"])
    return State(facts["step"], facts["seconds"], points)
