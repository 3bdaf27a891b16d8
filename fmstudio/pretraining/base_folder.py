"""Writes a pretrained model as a base: weights, config, tokenizer and the card that tells of them.

What is stored are weights and counts: no case, no value of a case.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from fmstudio.contracts import pipelines
from fmstudio.model.bases import base_folder
from fmstudio.model.load import load_base, task_config
from fmstudio.model.shared import SharedModel
from fmstudio.pretraining.state import State
from fmstudio.settings import Settings
from fmstudio.version import __version__

WEIGHTS, CARD, CONFIG, TOKENIZER = (
    "model.safetensors",
    "card.json",
    "config.json",
    "tokenizer.json",
)


def write_weights(
    folder: Path, weights: Mapping[str, Tensor], config: Mapping[str, Any], tokenizer: Path
) -> dict[str, Any]:
    """Weights in half precision, config and tokenizer; {sha256, parameters, size_mb}."""
    folder.mkdir(parents=True, exist_ok=True)
    stored = {
        name: value.detach().half().cpu().contiguous()
        for name, value in weights.items()
        if not name.startswith("task_head.")
    }
    save_file(stored, folder / WEIGHTS)
    shutil.copyfile(tokenizer, folder / TOKENIZER)
    write_json(folder / CONFIG, config)
    content = (folder / WEIGHTS).read_bytes()
    return {
        "sha256": hashlib.sha256(content).hexdigest(),
        "parameters": sum(value.numel() for value in stored.values()),
        "size_mb": round(len(content) / 2**20, 1),
    }


def write_child(
    folder: Path, model: SharedModel, parent: str, settings: Settings
) -> dict[str, Any]:
    """As `write_weights`, for a model whose base is `parent`: what it lacks is the parent's.

    The model's own weights are rounded as they are stored, so that what is judged is what is kept.
    """
    shutil.rmtree(folder, ignore_errors=True)
    source = base_folder(parent, settings)
    config = json.loads((source / CONFIG).read_text(encoding="utf-8"))
    every = [name for name, one in pipelines().items() if one.kind in config["encoders"]]
    weights = load_base(task_config(parent, every, 1, settings), settings).state_dict()
    own = {k: v for k, v in model.state_dict().items() if not k.startswith("task_head.")}
    with torch.no_grad():
        for value in own.values():
            value.copy_(value.half())
    return write_weights(folder, {**weights, **own}, config, source / TOKENIZER)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """As people can read it."""
    text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8")


def ends(state: State) -> dict[str, list[float]]:
    """First and last value of every curve."""
    curves: dict[str, list[float]] = {}
    for point in state.points:
        curves.setdefault(point.name, []).append(point.value)
    return {name: [round(values[0], 4), round(values[-1], 4)] for name, values in curves.items()}


def versions(names: Sequence[str] = ("torch", "safetensors")) -> dict[str, str]:
    """Versions of the studio and of what computed the weights."""
    from importlib.metadata import version

    return {"fmstudio": __version__, **{name: version(name) for name in names}}
