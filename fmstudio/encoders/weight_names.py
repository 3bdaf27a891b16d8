"""Names of weights as training tools write them -> as transformers does.

Wrappers around a model (DataParallel, torch.compile, FSDP, peft, Lightning) put their own names
before or between those of its layers; of two tensors that are one, a file may hold either.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from fmstudio.encoders.architectures import library
from fmstudio.errors import InputError

# Names that only wrappers use: peft's before all, DataParallel's first, the others anywhere.
_WRAPPER = re.compile(
    r"^base_model\.model\.|^module\.|"
    r"(?:(?<=^)|(?<=\.))(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\."
)
_HEADS = ("CAUSAL_LM", "MASKED_LM", "PRETRAINING")


def unwrapped(held: Mapping[str, Any]) -> dict[str, Any]:
    """The tensors without what wrappers put into their names.

    Raises InputError for an adapter that was not merged, and for two names that become one.
    """
    apart = [name for name in held if ".lora_" in name or ".base_layer." in name]
    if apart:
        raise InputError(
            f"The weights hold an adapter beside the model, such as '{min(apart)}'.",
            hint="Merge it where it was trained (merge_and_unload of peft), save the model and "
            "add that folder.",
        )
    return _renamed(held, {name: _bare(name) for name in held})


def _bare(name: str) -> str:
    while (shorter := _WRAPPER.sub("", name)) != name:
        name = shorter
    return name


def _renamed(held: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    twice = [name for name, count in Counter(names.values()).items() if count > 1]
    if twice:
        raise InputError(
            f"The weights hold '{min(twice)}' twice, under names of two wrappers.",
            hint="Save the model itself, without what it was wrapped in for training.",
        )
    return {names[name]: value for name, value in held.items()}


def without_holders(held: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The tensors with the first part of most names left out, then without the next, up to three.

    A module of one's own that holds the model puts the name of its attribute there.
    """
    for _ in range(3):
        ((first, count),) = Counter(name.split(".")[0] for name in held).most_common(1)
        names = {name: name.removeprefix(f"{first}.") for name in held}
        # Half of the names or fewer are one of two models, and which is meant is not known.
        if 2 * count <= len(held) or len(set(names.values())) < len(names):
            return
        held = {names[name]: value for name, value in held.items()}
        yield held


def with_tied(held: Mapping[str, Any], model: Any) -> dict[str, Any]:
    """The tensors, those that the config ties to one that is held under their own name too."""
    filled = dict(held)
    if not getattr(model.config, "tie_word_embeddings", False):
        return filled
    for other, own in _ties(model).items():
        short = own.removeprefix(f"{model.base_model_prefix}.")
        if any(name == short or name.endswith(f".{short}") for name in held):
            continue
        for name in [name for name in held if name == other or name.endswith(f".{other}")]:
            filled[name.removesuffix(other) + own] = held[name]
    return filled


def _ties(model: Any) -> dict[str, str]:
    """{name of a head's tensor: name of the model's that it is}, as transformers ties them."""
    known, ties = library().models.auto.modeling_auto, {}
    for head in _HEADS:
        names = getattr(known, f"MODEL_FOR_{head}_MAPPING_NAMES")
        made = getattr(library(), str(names.get(model.config.model_type)), None)
        ties |= getattr(made, "_tied_weights_keys", None) or {}
    return ties
