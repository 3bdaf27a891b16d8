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

from fmstudio.checkpoints.memory import check_free, weights_mb
from fmstudio.checkpoints.store import (
    SMALLER,
    check_kind,
    check_unchanged,
    checkpoint_folder,
    checkpoint_of,
    find_checkpoint,
)
from fmstudio.contracts import discover, pipeline
from fmstudio.encoders.checkpoint import load_weights
from fmstudio.errors import BundleError, InputError
from fmstudio.model.bases import RANDOM, base_files, base_folder, base_info
from fmstudio.model.config import SharedModelConfig
from fmstudio.model.shared import SharedModel
from fmstudio.settings import Settings, load_settings

RANDOM_SEED = 0


def task_config(
    base: str,
    modalities: Sequence[str],
    outputs: int,
    settings: Settings,
    encoders: Mapping[str, str] | None = None,
) -> SharedModelConfig:
    """The config of a base's model for some modalities and K outputs.

    `encoders`: {modality: name or id of a kept checkpoint}; other modalities take the base's own
    encoder for their kind. Raises InputError if there is none, or if a checkpoint is for another
    kind of data; NotFound for a checkpoint that is not kept here.
    """
    stored = json.loads((base_folder(base, settings) / "config.json").read_text(encoding="utf-8"))
    chosen = {
        modality: find_checkpoint(name, settings) for modality, name in (encoders or {}).items()
    }
    routes, used = {}, {}
    for modality in modalities:
        kind = pipeline(modality).kind
        if modality in chosen:
            check_kind(chosen[modality], modality, kind)
            routes[modality] = chosen[modality].key
            used[chosen[modality].key] = chosen[modality].as_encoder()
            continue
        if kind not in stored["encoders"]:
            raise InputError(
                f"The base '{base}' cannot read {modality}: it has no encoder for {kind}.",
                hint=f"Choose another base, or leave {modality} out.",
            )
        routes[modality] = kind
        used[kind] = stored["encoders"][kind]
    return SharedModelConfig(
        width=stored["width"],
        heads=stored["heads"],
        depth=stored["depth"],
        readings=stored.get("readings", 0),
        whole=stored.get("whole", 0),
        encoders=used,
        routes=routes,
        outputs=outputs,
        sketches=_sketches(used, routes),
        base=base,
        base_sha256=_known_weights(base, settings),
    )


def _known_weights(base: str, settings: Settings) -> str:
    """SHA-256 of a base's weights, if they are those that its card was written for.

    Raises BundleError.
    """
    here, known = weights_sha256(base, settings), base_info(base, settings).sha256
    if known not in ("", here):
        raise BundleError(
            f"The weights of the base '{base}' have SHA-256 {here[:12]}…, and its card says "
            f"{known[:12]}…: they were changed or are damaged.",
            hint="Copy the base's folder again from where it is whole.",
        )
    return here


def _sketches(encoders: Mapping[str, Any], routes: Mapping[str, str]) -> dict[str, int]:
    """The sizes of the sketches that checkpoints' families make, by modality."""
    families = discover("fmstudio.encoders", "ENCODER")
    sizes = {
        modality: families[encoders[key]["family"]].sketch
        for modality, key in routes.items()
        if "checkpoint" in encoders[key]
    }
    return {modality: size for modality, size in sizes.items() if size}


def weights_sha256(base: str, settings: Settings) -> str:
    """SHA-256 of the base's weights' file; of architecture and seed for the random base."""
    folder = base_folder(base, settings)
    if base == RANDOM:
        recipe = (folder / "config.json").read_bytes() + f"seed {RANDOM_SEED}".encode()
        return hashlib.sha256(recipe).hexdigest()
    return base_files(base, settings)["model.safetensors"]


def load_base(
    config: SharedModelConfig | Mapping[str, Any] | str | Path, settings: Settings | None = None
) -> SharedModel:
    """The base's model in float32 with an empty task head, ready for an adapter.

    Checkpoints are added with their own weights and an empty bridge. `config` is the config or the
    path of a bundle's config.json. Raises BundleError if the base or a checkpoint on this machine
    is not the one that the config was made with, or was changed.
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
    model = _narrowed(model, config)
    for key, chosen in config.encoders.items():
        if "checkpoint" in chosen:
            _add_checkpoint(model, key, chosen, settings)
    return model.eval()


def _add_checkpoint(
    model: SharedModel, key: str, chosen: Mapping[str, Any], settings: Settings
) -> None:
    """The encoder of a kept checkpoint, built from what its card here says and nothing else."""
    info = checkpoint_of(chosen["checkpoint"], settings)
    if info.key != key or info.family != chosen["family"] or info.config != chosen["config"]:
        raise BundleError(
            f"The adapter's config does not describe the checkpoint '{info.name}'.",
            hint="The bundle is damaged or was made for another version: ask for it again.",
        )
    folder = checkpoint_folder(info.name, settings)
    check_unchanged(info, folder)
    check_free(weights_mb(info.parameters), f"The checkpoint '{info.name}'", SMALLER)
    # On "meta" a network has shapes and no numbers: they come with the weights.
    with torch.device("meta"):
        network = discover("fmstudio.encoders", "ENCODER")[info.family].network(info.config)
    load_weights(network, folder)
    with torch.random.fork_rng(devices=[]):
        model.add_encoder(key, network)


def _everything(config: SharedModelConfig, settings: Settings) -> SharedModelConfig:
    """The same config with every encoder of the base and no other, so that random weights come out
    the same whichever modalities are used, and stored weights all find their place.

    Sizes, sketches and encoders must be those of base and checkpoints: a bundle's config may not
    ask for a larger model.
    """
    stored = json.loads(
        (base_folder(config.base, settings) / "config.json").read_text(encoding="utf-8")
    )
    sizes = {name: stored[name] for name in ("width", "heads", "depth")}
    sizes |= {name: stored.get(name, 0) for name in ("readings", "whole")}
    same = all(size == getattr(config, name) for name, size in sizes.items())
    same &= config.sketches == _sketches(config.encoders, config.routes)
    own = {key: one for key, one in config.encoders.items() if "checkpoint" not in one}
    if not same or any(stored["encoders"].get(key) != one for key, one in own.items()):
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
            if key in model.readings:
                del model.readings[key]
    model.config = config
    return model
