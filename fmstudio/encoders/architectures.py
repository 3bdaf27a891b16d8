"""Architectures of transformers that the studio knows: from a config.json to a torch module.

A checkpoint's config.json is not trusted: only settings that its architecture declares are kept,
as plain JSON of sane size, and every key that could reach code is refused. The class that is built
comes from our own tables, never from the file.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from fmstudio.contracts import Preparer
from fmstudio.encoders.blocks import Tokens
from fmstudio.errors import InputError
from fmstudio.types import ModalityInput

LAYERS, LARGEST, DEPTH, ITEMS = 256, 2**31, 5, 4096
# Keys of config.json and of processors' files that transformers turns into imports, downloads of
# kernels or other ways of storing weights.
CODE = tuple(
    (
        "auto_map custom_pipelines trust_remote_code quantization_config _attn_implementation "
        "_attn_implementation_internal attn_implementation _experts_implementation "
        "experts_implementation distributed_config"
    ).split()
)
# What libraries raise for settings that cannot be.
UNFIT = (
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RuntimeError,
)
HARMLESS = (None, False, "eager", "sdpa")  # attention as transformers itself computes it
# Older spellings that an architecture's own class turns into today's.
OLDER = (
    "rope_theta",
    "rope_scaling",
    "partial_rotary_factor",
    "global_rope_theta",
    "local_rope_theta",
    "global_attn_every_n_layers",
)
# What every config declares, and an encoder has no use for.
NO_USE = set(
    (
        "transformers_version architectures output_hidden_states return_dict dtype "
        "is_encoder_decoder id2label label2id problem_type _out_features _out_indices use_cache"
    ).split()
)


@dataclass(frozen=True)
class Architecture:
    """What the studio knows of one "model_type".

    `config` and `model` are classes of transformers; `targets` a pattern of the layers that LoRA
    adapts, by their names in the model; `section` the part of config.json that describes it where
    that describes more; `fixed` settings that hold whatever the checkpoint says; `arguments` go to
    the model's constructor; `renames` {pattern: replacement} of weights' names in published files;
    `unread` a pattern of weights that are never read, and may be missing; `further` settings that
    the model reads though its config class does not declare them.
    """

    config: str
    model: str
    targets: str
    section: str = ""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    renames: Mapping[str, str] = field(default_factory=dict)
    unread: str = "(?!)"
    further: tuple[str, ...] = ()


@cache
def library() -> ModuleType:
    """transformers, told to be quiet. Imported when it is first needed, for it takes seconds."""
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return transformers


def model_class(architecture: Architecture) -> Any:
    """The class of the model; parts of models are not at transformers' top level."""
    module, _, name = architecture.model.rpartition(":")
    if not module:
        return getattr(library(), name)
    return getattr(getattr(library().models, module), name)


def refuse_code(given: Mapping[str, Any], file: str) -> None:
    """Raises InputError if any key, however deep, could reach code."""
    waiting: list[Any] = [given]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            found = [k for k in CODE if value.get(k) not in HARMLESS]
            if found:
                raise InputError(
                    f"{file} has the key '{found[0]}', which can reach code or other weights.",
                    hint="The studio never runs code of a checkpoint: use one of transformers' own "
                    "architectures, with plain weights.",
                )
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _plain(key: str, value: Any, depth: int = 0) -> Any:
    """The value itself if it is JSON of sane size. Raises InputError."""
    limit = LAYERS if isinstance(value, int) and ("layer" in key or "depth" in key) else LARGEST
    if isinstance(value, Mapping) and depth < DEPTH and len(value) <= ITEMS:
        return {str(k): _plain(f"{key}.{k}", v, depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple) and depth < DEPTH and len(value) <= ITEMS:
        return [_plain(key, one, depth + 1) for one in value]
    fits = value is None or isinstance(value, bool)
    fits |= isinstance(value, str) and len(value) <= 200
    # False for NaN and infinity; whole numbers may be too large for a float.
    fits |= isinstance(value, int | float) and abs(value) <= limit
    if not fits:
        raise InputError(
            f"config.json has '{key}' = {str(value)[:40]}, which cannot be.",
            hint="Its config is damaged, or not of an encoder: download it again.",
        )
    return value


def allowed(given: Mapping[str, Any], architecture: Architecture) -> dict[str, Any]:
    """Of a config.json, the settings that the architecture declares, without its defaults.

    Raises InputError for what cannot be.
    """
    section = given.get(architecture.section, {}) if architecture.section else given
    if not isinstance(section, Mapping):
        raise InputError(
            f"config.json has no section '{architecture.section}'.",
            hint="The checkpoint's config is damaged: download it again.",
        )
    refuse_code(given, "config.json")
    declared = getattr(library(), architecture.config)
    known = {one.name for one in dataclasses.fields(declared)} - NO_USE
    known |= {*declared.attribute_map, *OLDER, *architecture.further}
    return {key: _plain(key, section[key]) for key in sorted(known & section.keys())}


def settings(architecture: Architecture, kept: Mapping[str, Any]) -> Any:
    """The config object of transformers. Raises InputError if a value is of a wrong type."""
    from huggingface_hub.errors import StrictDataclassError

    declared = getattr(library(), architecture.config)
    try:
        # A copy: transformers changes what it is given.
        return declared(**{**_copied(kept), **architecture.fixed})
    except (*UNFIT, StrictDataclassError) as wrong:
        raise InputError(
            f"config.json does not describe a {architecture.config[:-6]}: {str(wrong)[:200]}",
            hint="Its config is damaged: download it again.",
        ) from wrong


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(one) for key, one in value.items()}
    return [_copied(one) for one in value] if isinstance(value, list) else value


class CheckpointNetwork(nn.Module):
    """A model of transformers whose outputs become tokens. `width` is D."""

    def __init__(self, architecture: Architecture, config: Mapping[str, Any]) -> None:
        super().__init__()
        self.architecture = architecture
        described = settings(architecture, config["model"])
        self.model = model_class(architecture)(described, **architecture.arguments)
        self.width = self.width_of(described)
        self.settle()

    def settle(self) -> None:
        """Makes a model fit for use, once it is built and again when its weights were loaded."""

    def width_of(self, described: Any) -> int:
        """D of the tokens."""
        return int(described.hidden_size)

    def train(self, mode: bool = True) -> CheckpointNetwork:
        """As any module, but batch norms keep the statistics that the checkpoint came with."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
        return self

    def forward(self, arrays: dict[str, Tensor], mask: Tensor) -> Tokens:
        """Prepared arrays, padded to (B, N, …), and their mask (B, N), to tokens."""
        raise NotImplementedError(type(self).__name__)


def _nothing(inputs: Iterable[ModalityInput]) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class CheckpointFamily:
    """A family of published checkpoints (see contracts.CheckpointEncoder).

    `build` makes the network of an architecture and a config; `prepares` the preparer from the
    config, the folder of the processor's files and a fitted state. `sketch` is the size of the
    array SKETCH that its preparer makes, 0 for none.
    """

    name: str
    kind: str
    architectures: Mapping[str, Architecture]
    processors: tuple[tuple[str, ...], ...]
    build: Callable[[Architecture, Mapping[str, Any]], CheckpointNetwork]
    prepares: Callable[[Mapping[str, Any], Path, Mapping[str, Any]], Preparer]
    learn: Callable[[Iterable[ModalityInput]], dict[str, Any]] = _nothing
    embedded: bool = False
    sketch: int = 0

    @property
    def fits(self) -> bool:
        """True if something is learned from training inputs."""
        return self.learn is not _nothing

    @property
    def model_types(self) -> tuple[str, ...]:
        """The "model_type"s that it reads."""
        return tuple(self.architectures)

    def adopt(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """From a config.json: {model_type, model: the settings that are kept, width}."""
        architecture = self.architectures[given["model_type"]]
        config = {"model_type": given["model_type"], "model": allowed(given, architecture)}
        try:
            with torch.device("meta"):
                return config | {"width": self.network(config).width}
        except UNFIT as wrong:
            raise InputError(
                f"config.json does not describe a {given['model_type']}: {str(wrong)[:200]}",
                hint="Its config is damaged: download it again.",
            ) from wrong

    def fit(self, inputs: Iterable[ModalityInput]) -> dict[str, Any]:
        """What the preparer needs to know of the training inputs."""
        return self.learn(inputs)

    def preparer(
        self, config: Mapping[str, Any], folder: Path, state: Mapping[str, Any]
    ) -> Preparer:
        """With the processor or tokenizer in `folder`."""
        return self.prepares(config, folder, state)

    def network(self, config: Mapping[str, Any]) -> CheckpointNetwork:
        """The network of one checkpoint, with random weights until they are loaded."""
        return self.build(self.architectures[config["model_type"]], config)

    def targets(self, config: Mapping[str, Any]) -> str:
        """Our own table of the layers that LoRA adapts, one line an architecture."""
        return rf"model\.{self.architectures[config['model_type']].targets}"
