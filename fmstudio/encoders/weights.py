"""Weights of published checkpoints: safetensors in one file or several, never a pickle."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from fmstudio.encoders.architectures import CheckpointNetwork, model_class
from fmstudio.encoders.other_forms import of_files
from fmstudio.encoders.weight_names import unwrapped, with_tied, without_holders
from fmstudio.errors import InputError

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
_SHARD = re.compile(r"model-\d{5}-of-(\d{5})\.safetensors")
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack")
# Numbers that mean something only with the scales of a quantised model.
_PACKED = ("int8", "uint8", "uint16", "uint32", "float8_e4m3fn", "float8_e5m2")
_NUMBER = re.compile(r"\.\d+(?=\.)")
_APART = "Weights and config.json do not belong together: download the checkpoint again."


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
    known = of_files(names)
    raise InputError(
        f"The checkpoint has no weights: {SINGLE} is not there"
        f"{f', it is {known[0]}' if known else ''}.",
        hint=known[1] if known else "Download it with its weights.",
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
    weight that the network reads is missing, has another shape or is not a plain number, and if
    the file holds more layers than the network.
    """
    held = with_tied(unwrapped(_held(folder)), network.model)
    _check_amount(network, held)
    found = _loaded(network, held)
    if 2 * len(found.missing) > len(found.model.state_dict()):
        tried = [_loaded(network, renamed) for renamed in without_holders(held)]
        found = min([found, *tried], key=lambda one: len(one.missing))
    found.check()
    training = network.training
    network.model = found.model
    network.settle()
    network.train(training)


def _check_amount(network: CheckpointNetwork, held: Mapping[str, Tensor]) -> None:
    """Before memory is taken: what is missing would be drawn at random in its full size."""
    asked = sum(weight.numel() for weight in network.parameters())
    there = sum(value.numel() for value in held.values())
    if asked > 2 * there:
        raise InputError(
            f"config.json describes a model of {asked:,} weights, and the files hold {there:,}.",
            hint=_APART,
        )


def _held(folder: Path) -> dict[str, Tensor]:
    """All tensors of the weights' files. Raises InputError."""
    from safetensors.torch import load_file

    files = weight_files([path.name for path in folder.iterdir()])
    check_headers(folder, files)
    held: dict[str, Tensor] = {}
    for name in files:
        if name != INDEX:
            # Copies: what safetensors gives lies in the mapped file, at odd addresses, where sums
            # may come out with another last bit.
            held |= {key: value.clone() for key, value in load_file(folder / name).items()}
    packed = [key for key in sorted(held) if str(held[key].dtype).split(".")[-1] in _PACKED]
    if packed:
        raise InputError(
            f"The weight '{packed[0]}' is stored as {held[packed[0]].dtype}: the checkpoint is "
            "quantised.",
            hint="Use the version in float32, float16 or bfloat16 that it was made from.",
        )
    return held


@dataclass(frozen=True)
class _Loaded:
    """A model with weights, and what of them did not fit: names, and (name, there, wanted)."""

    model: Any
    missing: tuple[str, ...]
    further: tuple[str, ...]
    misshapen: tuple[tuple[str, Any, Any], ...]

    def check(self) -> None:
        """Raises InputError for the first fault."""
        if self.missing:
            raise InputError(
                f"The checkpoint's weights lack {len(self.missing)} that its architecture has, "
                f"such as '{min(self.missing)}'.",
                hint=_APART,
            )
        if self.misshapen:
            name, there, wanted = min(self.misshapen, key=str)
            raise InputError(
                f"The weight '{name}' is {tuple(there)}, and config.json asks for {tuple(wanted)}.",
                hint=_APART,
            )
        kinds = {_kind(name) for name in self.model.state_dict()}
        within = f"{self.model.base_model_prefix}."
        deeper = [name for name in self.further if _kind(name.removeprefix(within)) in kinds]
        if deeper:
            raise InputError(
                f"The checkpoint's weights hold layers that config.json does not count, such as "
                f"'{min(deeper)}'.",
                hint=_APART,
            )


def _kind(name: str) -> str:
    """The name of a weight whatever the number of its layer."""
    return _NUMBER.sub(".#", name)


def _loaded(network: CheckpointNetwork, held: Mapping[str, Tensor]) -> _Loaded:
    import torch

    architecture = network.architecture
    model, told = model_class(architecture).from_pretrained(
        None,
        config=network.model.config,
        state_dict=dict(held),
        dtype=torch.float32,
        key_mapping=dict(architecture.renames) or None,
        output_loading_info=True,
        ignore_mismatched_sizes=True,
        **architecture.arguments,
    )
    missing = [key for key in told["missing_keys"] if not re.fullmatch(architecture.unread, key)]
    misshapen = [tuple(one[:3]) for one in told["mismatched_keys"]]
    return _Loaded(model, tuple(missing), tuple(told["unexpected_keys"]), tuple(misshapen))
