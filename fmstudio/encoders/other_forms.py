"""Models in the form of other tools: what a folder or config.json is, and what to add instead.

The studio reads the form of transformers. Everything else is refused by the name of its tool, so
that a person knows what they hold and where to look.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from typing import Any

from fmstudio.errors import InputError

SAME_MODEL = (
    "Add the same model in the form of transformers: a folder with config.json, model.safetensors "
    "and the processor, or its id on the hub."
)
# (file name, what a folder or repository with it is, what to do); the first that is there counts.
_FILES: Sequence[tuple[str, str, str]] = (
    (
        "adapter_config.json",
        "an adapter of peft without the model that it changes",
        "Add the model that it names as its base. An adapter that this studio made comes as a "
        "bundle: import that.",
    ),
    (
        "model_index.json",
        "a pipeline of diffusers, which draws pictures",
        "The studio reads encoders: choose one for your kind of data.",
    ),
    ("open_clip_*", "a model of open_clip", SAME_MODEL),
    (
        "modules.json",
        "a model of sentence-transformers in the older form",
        "Give the folder below it that holds config.json and model.safetensors (0_Transformer).",
    ),
    ("*.gguf", "a model of llama.cpp (GGUF), whose weights are mostly quantised", SAME_MODEL),
    ("*.onnx", "an ONNX program, which cannot be fine-tuned", SAME_MODEL),
    ("*.mlpackage", "a Core ML program, which cannot be fine-tuned", SAME_MODEL),
    ("*.mlmodel", "a Core ML program, which cannot be fine-tuned", SAME_MODEL),
    ("*.npz", "a model of MLX or numpy", SAME_MODEL),
    ("weights.*safetensors", "a model of MLX", SAME_MODEL),
    ("saved_model.pb", "a model of TensorFlow", SAME_MODEL),
    ("*.nemo", "a model of NeMo", SAME_MODEL),
    ("hyperparams.yaml", "a model of SpeechBrain", SAME_MODEL),
    ("params.json", "a model in the form of its makers' own program", SAME_MODEL),
)
# A word in a name of timm's -> the model_type of the same design; the first that fits counts.
_OF_TIMM = (
    ("dinov3", "dinov3_vit"),
    ("reg4", "dinov2_with_registers"),
    ("dinov2", "dinov2"),
    ("siglip", "siglip"),
    ("clip", "clip"),
    ("deit", "deit"),
    ("swinv2", "swinv2"),
    ("swin", "swin"),
    ("convnextv2", "convnextv2"),
    ("convnext", "convnext"),
    ("vit", "vit"),
)


def of_files(names: Sequence[str]) -> tuple[str, str] | None:
    """(what it is, with the file that shows it; what to do) by the names of files, or None."""
    for pattern, what, hint in _FILES:
        for name in sorted(names):
            if fnmatch(name.rsplit("/", 1)[-1], pattern):
                return f"{what} ({name})", hint
    return None


def refuse_other_form(config: Mapping[str, Any], readable: Sequence[str]) -> None:
    """Raises InputError if a config.json without "model_type" is plainly another tool's."""
    if config.get("model_type") is not None:
        return
    if isinstance(config.get("architecture"), str):
        raise _of_timm(config["architecture"][:80], readable)
    drawn = config.get("_class_name")
    if isinstance(drawn, str) or "_diffusers_version" in config:
        raise InputError(
            f"config.json is of a part of a diffusers pipeline ('{str(drawn)[:60]}').",
            hint="The studio reads encoders: choose one for your kind of data.",
        )
    if "model_cfg" in config:
        raise InputError("config.json is of a model of open_clip.", hint=SAME_MODEL)
    if {"module", "class_name"} <= config.keys():
        raise InputError("config.json is of a model of Keras.", hint=SAME_MODEL)
    if {"n_mels", "n_audio_ctx"} <= config.keys():
        raise InputError(
            "config.json is of Whisper in the form of its makers or of MLX.", hint=SAME_MODEL
        )


def _of_timm(architecture: str, readable: Sequence[str]) -> InputError:
    words = re.split(r"[._]", architecture)
    same = next((kind for word, kind in _OF_TIMM if word in words), "")
    instead = (
        f'the same design there has "model_type": "{same}" in its config.json'
        if same in readable
        else f"of picture models the studio reads {', '.join(k for _, k in _OF_TIMM)}"
    )
    return InputError(
        f"config.json is of timm (architecture '{architecture}'), not of transformers.",
        hint=f"Look for the model in the form of transformers: {instead}.",
    )
