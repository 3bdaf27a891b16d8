"""Published checkpoints (config.json, safetensors, processor files) as encoders.

Nothing here reaches a hub, runs code that comes with a checkpoint, or opens a pickle. A folder is
checked with `inspect` before anything of it is used; `inspect_config` and `needed` give the same
answers from config.json and a list of file names, before the weights are downloaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fmstudio.contracts import CheckpointEncoder


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


def supported() -> dict[str, tuple[str, str]]:
    """{model_type of a config.json: (family, kind)}."""
    raise NotImplementedError


def family_of(model_type: str) -> CheckpointEncoder:
    """The family that reads a model_type. Raises InputError naming those that can be read."""
    raise NotImplementedError


def inspect_config(config: Mapping[str, Any], kind: str | None = None) -> tuple[str, str]:
    """(family, kind) of a checkpoint by its config.json, before anything else is there.

    Raises InputError for an architecture that is not supported, remote code, keys that reach code,
    a value that cannot be, or an encoder of another kind than `kind`.
    """
    raise NotImplementedError


def needed(config: Mapping[str, Any], names: Sequence[str]) -> tuple[str, ...]:
    """Of the files of a checkpoint, the names of those the studio uses: config, weights, processor.

    Raises InputError for weights that are pickles only, missing shards, and no processor.
    """
    raise NotImplementedError


def inspect(folder: Path, kind: str | None = None) -> Checkpoint:
    """Checks the checkpoint in a folder, weights included, and says what it is.

    Raises InputError, naming the file or value, for all that `inspect_config` and `needed` refuse,
    a file that is not what its name says, and weights that do not fit the architecture.
    """
    raise NotImplementedError


def load_weights(network: Any, folder: Path) -> None:
    """Puts the checkpoint's weights, in float32, into a network that its family made.

    Raises InputError if any weight that the network reads is missing or has another shape.
    """
    raise NotImplementedError
