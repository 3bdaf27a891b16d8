"""Weights of published checkpoints: safetensors in one file or several, never a pickle."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from fmstudio.encoders.architectures import CheckpointNetwork, model_class
from fmstudio.errors import InputError

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
_SHARD = re.compile(r"model-\d{5}-of-(\d{5})\.safetensors")
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack")


def weight_files(names: Sequence[str]) -> tuple[str, ...]:
    """Of the names of a checkpoint's files, those that hold its weights, their index included.

    Raises InputError if there are none, only pickles, or shards are missing.
    """
    if SINGLE in names:
        return (SINGLE,)
    shards = {name: match[1] for name in names if (match := _SHARD.fullmatch(name))}
    if INDEX in names and shards:
        total = int(next(iter(shards.values())))
        if len(shards) != total:
            raise InputError(
                f"Of the {total} files of weights {len(shards)} are there.",
                hint="Download the checkpoint again.",
            )
        return (INDEX, *sorted(shards))
    pickled = [name for name in names if name.endswith(_PICKLED)]
    if pickled:
        raise InputError(
            f"The checkpoint's weights come only as {pickled[0]}, which can hold code.",
            hint="Use a version with model.safetensors: look for one among its revisions, or "
            "convert it on a machine of your own with save_pretrained.",
        )
    raise InputError(
        f"The checkpoint has no weights: {SINGLE} is not there.",
        hint="Download it with its weights.",
    )


def check_headers(folder: Path, files: Sequence[str]) -> None:
    """Raises InputError if a file of weights is not what its header says."""
    from safetensors import SafetensorError, safe_open

    held: dict[str, str] = {}
    for name in files:
        if name == INDEX:
            continue
        try:
            with safe_open(folder / name, framework="np") as opened:
                held |= dict.fromkeys(opened.keys(), name)
        except (SafetensorError, OSError) as wrong:
            raise InputError(
                f"{name} is not a whole safetensors file: {str(wrong)[:120]}",
                hint="Download it again.",
            ) from wrong
    if INDEX in files:
        listed = _listed(folder)
        wrong_place = [key for key, name in listed.items() if held.get(key) != name]
        if wrong_place:
            raise InputError(
                f"{INDEX} says that {listed[wrong_place[0]]} holds '{wrong_place[0]}', which it "
                "does not.",
                hint="Download the checkpoint again.",
            )


def _listed(folder: Path) -> dict[str, str]:
    """{weight: file} of the index. Raises InputError."""
    try:
        listed = json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"]
        return {str(key): str(name) for key, name in listed.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as wrong:
        raise InputError(
            f"{INDEX} does not list weights.", hint="Download the checkpoint again."
        ) from wrong


def load_weights(network: CheckpointNetwork, folder: Path) -> None:
    """Puts the checkpoint's weights, in float32, into a network that its family made.

    The network may have been made on torch's "meta" device, which costs nothing. transformers
    itself translates names from its older versions and leaves out heads. Raises InputError if a
    weight that the network reads is missing or has another shape.
    """
    import torch
    from safetensors.torch import load_file

    architecture = network.architecture
    files = weight_files([path.name for path in folder.iterdir()])
    check_headers(folder, files)
    held = {}
    for name in files:
        if name != INDEX:
            # Copies: what safetensors gives lies in the mapped file, at odd addresses, where sums
            # may come out with another last bit.
            held |= {key: value.clone() for key, value in load_file(folder / name).items()}
    training = network.training
    network.model, told = model_class(architecture).from_pretrained(
        None,
        config=network.model.config,
        state_dict=held,
        dtype=torch.float32,
        key_mapping=dict(architecture.renames) or None,
        output_loading_info=True,
        ignore_mismatched_sizes=True,
        **architecture.arguments,
    )
    network.settle()
    network.train(training)
    missing = [key for key in told["missing_keys"] if not re.fullmatch(architecture.unread, key)]
    if missing:
        raise InputError(
            f"The checkpoint's weights lack {len(missing)} that its architecture has, such as "
            f"'{min(missing)}'.",
            hint="Weights and config.json do not belong together: download the checkpoint again.",
        )
    if told["mismatched_keys"]:
        name, there, wanted = min(told["mismatched_keys"], key=str)[:3]
        raise InputError(
            f"The weight '{name}' is {tuple(there)}, and config.json asks for {tuple(wanted)}.",
            hint="Weights and config.json do not belong together: download the checkpoint again.",
        )
