"""Published checkpoints (config.json, safetensors, processor files) as encoders.

Nothing here reaches a hub, runs code that comes with a checkpoint, or opens a pickle. A folder is
checked with `inspect` before anything of it is used; `inspect_config` and `needed` give the same
answers from config.json and a list of file names, before the weights are downloaded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fmstudio.contracts import CheckpointEncoder, discover
from fmstudio.encoders.other_forms import of_files, refuse_other_form
from fmstudio.errors import InputError
from fmstudio.types import to_json

CONFIG = "config.json"
_LARGEST_CONFIG = 4 * 2**20  # bytes
_WHOLE = "Give the folder that holds config.json, model.safetensors and the processor."


@dataclass(frozen=True)
class Checkpoint:
    """What `inspect` found.

    `config` is for the family's `network`; `width` its D; `parameters` those that are used;
    `size_bytes` of all `files` ({name: SHA-256}: config, weights, processor); `sha256` one hash
    over the sorted names and hashes of `files`.
    """

    model_type: str
    family: str
    kind: str
    width: int
    parameters: int
    size_bytes: int
    config: Mapping[str, Any]
    files: Mapping[str, str]
    sha256: str


def _families() -> dict[str, CheckpointEncoder]:
    """{model_type: family} of all that can be read."""
    found = discover("fmstudio.encoders", "ENCODER").values()
    families = [family for family in found if isinstance(family, CheckpointEncoder)]
    return {name: family for family in families for name in family.model_types}


def supported() -> dict[str, tuple[str, str]]:
    """{model_type of a config.json: (family, kind)}."""
    return {name: (family.name, family.kind) for name, family in sorted(_families().items())}


def family_of(model_type: object) -> CheckpointEncoder:
    """The family that reads a model_type. Raises InputError naming those that can be read."""
    families = _families()
    if not isinstance(model_type, str) or model_type not in families:
        raise InputError(
            f"The architecture '{str(model_type)[:60]}' is not one that the studio can read.",
            hint=f"It reads: {', '.join(sorted(families))}.",
        )
    return families[model_type]


def inspect_config(config: Mapping[str, Any], kind: str | None = None) -> tuple[str, str]:
    """(family, kind) of a checkpoint by its config.json, before anything else is there.

    Raises InputError for an architecture that is not supported, remote code, keys that reach code,
    a value that cannot be, or an encoder of another kind than `kind`.
    """
    # Remote code first: its model_type is seldom a known one, and the reason is the plainer.
    _refuse_remote_code(config)
    refuse_other_form(config, tuple(supported()))
    family = family_of(config.get("model_type"))
    if kind not in (None, family.kind):
        fitting = [name for name, (_, reads) in supported().items() if reads == kind]
        raise InputError(
            f"A {config['model_type']} reads {family.kind}, not {kind}.",
            hint=f"For {kind} the studio reads: {', '.join(fitting)}."
            if fitting
            else f"There is no published encoder for {kind}: use the embedded one.",
        )
    family.adopt(config)
    return family.name, family.kind


def _refuse_remote_code(config: Mapping[str, Any]) -> None:
    if config.get("auto_map"):
        raise InputError(
            "The checkpoint brings code of its own (auto_map in config.json).",
            hint="The studio never runs code of a checkpoint: use one of transformers' own "
            "architectures.",
        )


def needed(config: Mapping[str, Any], names: Sequence[str]) -> tuple[str, ...]:
    """Of the files of a checkpoint, the names of those the studio uses: config, weights, processor.

    Raises InputError for weights that are pickles only, missing shards, and no processor.
    """
    from fmstudio.encoders.weights import weight_files

    family = family_of(config.get("model_type"))
    weights = weight_files(names)
    complete = [files for files in family.processors if set(files) <= set(names)]
    if not complete:
        choices = " or ".join(" with ".join(files) for files in family.processors)
        raise InputError(
            f"The checkpoint has no processor: {family.processors[0][0]} is not there.",
            hint=f"How to prepare its inputs is not known without {choices}: add it to the folder.",
        )
    return (CONFIG, *weights, *complete[0])


def read_config(folder: Path) -> dict[str, Any]:
    """The config.json of a folder. Raises InputError if there is none, or it is no JSON object."""
    path = folder / CONFIG
    if not path.is_file():
        raise _no_config(folder)
    try:
        if path.stat().st_size > _LARGEST_CONFIG:
            raise ValueError("too large")
        config = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("not an object")
    except (ValueError, RecursionError) as wrong:
        raise InputError(
            f"{CONFIG} is not the JSON object that it should be.",
            hint="Download the checkpoint again.",
        ) from wrong
    return config


def _no_config(folder: Path) -> InputError:
    if folder.is_file():
        return InputError(f"{folder.name} is a file, not the folder of a checkpoint.", hint=_WHOLE)
    below = sorted(folder.glob(f"*/{CONFIG}")) or sorted(folder.glob(f"*/*/{CONFIG}"))
    return no_config(
        f"The folder {folder.name}",
        [path.name for path in folder.iterdir()] if folder.is_dir() else [],
        [path.parent.relative_to(folder).as_posix() for path in below],
    )


def no_config(what: str, names: Sequence[str], below: Sequence[str] = ()) -> InputError:
    """The refusal of a folder or model, called `what`, that has no config.json, by its files.

    `below` are folders in it that have one.
    """
    known = of_files(names)
    if known:
        return InputError(f"{what} has no {CONFIG}: it is {known[0]}.", hint=known[1])
    if below:
        return InputError(
            f"{what} has no {CONFIG}, but its folder {below[0]} has one.", hint="Give that folder."
        )
    return InputError(f"{what} has no {CONFIG}: it is not a checkpoint.", hint=_WHOLE)


def inspect(folder: Path, kind: str | None = None) -> Checkpoint:
    """Checks the checkpoint in a folder, weights included, and says what it is.

    Raises InputError, naming the file or value, for all that `inspect_config` and `needed` refuse,
    a file that is not what its name says, and weights that do not fit the architecture.
    """
    import torch

    from fmstudio.encoders.architectures import UNFIT

    given = read_config(folder)
    name, kind = inspect_config(given, kind)
    files = needed(given, sorted(path.name for path in folder.iterdir() if path.is_file()))
    family = family_of(given["model_type"])
    config = family.adopt(given)
    try:
        family.preparer(config, folder, {})
    except UNFIT as wrong:
        raise InputError(
            f"The checkpoint's processor cannot be made from its files: {str(wrong)[:200]}",
            hint="They are damaged, or not of this checkpoint: download it again.",
        ) from wrong
    with torch.device("meta"):
        network = family.network(config)
    load_weights(network, folder)
    hashes = {file: _sha256(folder / file) for file in sorted(files)}
    return Checkpoint(
        given["model_type"],
        name,
        kind,
        config["width"],
        sum(weight.numel() for weight in network.parameters()),
        sum((folder / file).stat().st_size for file in files),
        config,
        hashes,
        one_hash(hashes),
    )


def one_hash(files: Mapping[str, str]) -> str:
    """One SHA-256 over the sorted names and hashes of a checkpoint's files."""
    return hashlib.sha256(to_json(sorted(files.items())).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_weights(network: Any, folder: Path) -> None:
    """Puts the checkpoint's weights, in float32, into a network that its family made.

    Raises InputError if any weight that the network reads is missing or has another shape.
    """
    from fmstudio.encoders import weights

    weights.load_weights(network, folder)
