"""From a base's name and a task to a SharedModel with the base's weights, checked by hash.

Importing this file registers the architecture with transformers' Auto classes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from fmstudio.contracts import pipeline
from fmstudio.errors import BundleError, InputError
from fmstudio.model.bases import RANDOM, base_folder
from fmstudio.model.shared import SharedModel, SharedModelConfig
from fmstudio.settings import Settings, load_settings

RANDOM_SEED = 0


def task_config(
    base: str, modalities: Sequence[str], outputs: int, settings: Settings
) -> SharedModelConfig:
    """The config of a base's model for some modalities and K outputs.

    Raises InputError if the base has no encoder for the kind of a modality.
    """
    stored = json.loads((base_folder(base, settings) / "config.json").read_text(encoding="utf-8"))
    routes = {}
    for modality in modalities:
        kind = pipeline(modality).kind
        if kind not in stored["encoders"]:
            raise InputError(
                f"The base '{base}' cannot read {modality}: it has no encoder for {kind}.",
                hint=f"Choose another base, or leave {modality} out.",
            )
        routes[modality] = kind
    used = {key: stored["encoders"][key] for key in dict.fromkeys(routes.values())}
    return SharedModelConfig(
        width=stored["width"], heads=stored["heads"], depth=stored["depth"],
        encoders=used, routes=routes, outputs=outputs, base=base,
        base_sha256=weights_sha256(base, settings),
    )  # fmt: skip


def weights_sha256(base: str, settings: Settings) -> str:
    """SHA-256 of the base's weights' file; of architecture and seed for the random base."""
    folder = base_folder(base, settings)
    if base == RANDOM:
        recipe = (folder / "config.json").read_bytes() + f"seed {RANDOM_SEED}".encode()
        return hashlib.sha256(recipe).hexdigest()
    with (folder / "model.safetensors").open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_base(
    config: SharedModelConfig | Mapping[str, Any] | str | Path, settings: Settings | None = None
) -> SharedModel:
    """The base's model in float32 with an empty task head, ready for an adapter.

    `config` is the config or the path of a bundle's config.json. Raises BundleError if the base
    on this machine is not the one that the config was made with.
    """
    settings = settings or load_settings()
    if isinstance(config, str | Path):
        config = json.loads(Path(config).read_text(encoding="utf-8"))
    if not isinstance(config, SharedModelConfig):
        config = SharedModelConfig(**config)
    here = weights_sha256(config.base, settings)
    if here != config.base_sha256:
        raise BundleError(
            f"The adapter was made for the base '{config.base}' with weights "
            f"{config.base_sha256[:12]}…, and the one on this machine has {here[:12]}….",
            hint="Use the version of the studio that the adapter was made with.",
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(RANDOM_SEED)
        model = SharedModel(_everything(config, settings))
    if config.base != RANDOM:
        weights = load_file(base_folder(config.base, settings) / "model.safetensors")
        missing = model.load_state_dict({k: v.float() for k, v in weights.items()}, strict=False)
        lacking = [key for key in missing.missing_keys if not key.startswith("task_head.")]
        if lacking or missing.unexpected_keys:
            raise BundleError(
                f"The base '{config.base}' does not hold {', '.join(lacking[:3]) or 'this model'}.",
                hint="Its folder is damaged: install the studio or the base again.",
            )
    return _narrowed(model, config)


def _everything(config: SharedModelConfig, settings: Settings) -> SharedModelConfig:
    """The same config with every encoder of the base, so that random weights come out the same
    whichever modalities are used, and stored weights all find their place.

    Sizes and encoders must be the base's own: a bundle's config may not ask for a larger model.
    """
    stored = json.loads(
        (base_folder(config.base, settings) / "config.json").read_text(encoding="utf-8")
    )
    same = all(stored[name] == getattr(config, name) for name in ("width", "heads", "depth"))
    if not same or any(stored["encoders"].get(k) != v for k, v in config.encoders.items()):
        raise BundleError(
            f"The adapter's config does not describe the base '{config.base}'.",
            hint="The bundle is damaged or was made for another version: ask for it again.",
        )
    return SharedModelConfig(**{**config.to_dict(), "encoders": stored["encoders"]})


def _narrowed(model: SharedModel, config: SharedModelConfig) -> SharedModel:
    """Without the encoders that no modality is routed to."""
    for key in list(model.encoders):
        if key not in config.encoders:
            del model.encoders[key], model.bridges[key]
    model.config = config
    return model.eval()
