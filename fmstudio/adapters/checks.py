"""What the files of a bundle may say: bytes of a foreign file in, plain values or BundleError out.

Nothing here is handed to torch, peft or transformers before it passed. PEFT's own reader would
follow some keys of `adapter_config.json` to import modules by name, and would load NaN weights or
an adapter without its head in silence.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from fmstudio.checkpoints.store import checkpoint_key
from fmstudio.contracts import KINDS
from fmstudio.errors import BundleError

DEEPEST = 24  # levels of JSON
HIGHEST_RANK = 128
HIGHEST_ALPHA = 1024

PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+ -]{0,99}")
HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9._-]{1,95})?")
MODULE_NAME = re.compile(r"[A-Za-z0-9_.]{1,200}")
# A pattern of module names: `\d+` anywhere, at most one further repetition, and nothing repeated
# around a group, so that no pattern takes long to match.
MODULE_PATTERN = re.compile(r"[A-Za-z0-9_.\\|()^$?:*+\[\]-]{1,500}")
# A checkpoint's encoder inside a shared model (kind and start of its SHA-256), and its bridge.
ENCODER_KEY = re.compile(r"[a-z]{1,20}_[0-9a-f]{12}")
BRIDGE = re.compile(rf"bridges\.(?P<key>{ENCODER_KEY.pattern})")
# Keys that transformers or peft take as leave to run code from elsewhere.
CODE_KEYS = frozenset(
    tuple(
        (
            "auto_map auto_mapping trust_remote_code parent_library base_model_class "
            "custom_pipelines tokenizer_kwargs megatron_config quantization_config "
            "_attn_implementation_internal _attn_implementation attn_implementation"
        ).split()
    )
)


def parse_json(name: str, content: bytes) -> Any:
    """The value of a JSON file: UTF-8, no key twice, no NaN or infinity, at most 24 levels.

    Raises BundleError, naming the file.
    """

    def refuse(what: str) -> NoReturn:
        raise BundleError(f"'{name}' {what}.")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) != len(pairs):
            refuse("names a key twice")
        return values

    def finite(text: str) -> float:
        number = float(text)
        if not math.isfinite(number):
            refuse(f"holds {text[:20]}, which is no finite number")
        return number

    try:
        value = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=once,
            parse_float=finite,
            parse_constant=finite,
        )
    except RecursionError:
        refuse("is nested too deeply")
    except ValueError as fault:
        raise BundleError(f"'{name}' is not valid JSON: {fault}.") from fault
    if _depth(value) > DEEPEST:
        refuse("is nested too deeply")
    return value


def refuse_code_keys(name: str, value: Any) -> None:
    """Raise BundleError if a key anywhere in `value` could make a library load foreign code."""
    inside = value.values() if isinstance(value, dict) else value
    for inner in inside if isinstance(value, dict | list) else ():
        if isinstance(inner, dict | list):
            refuse_code_keys(name, inner)
    for key in value if isinstance(value, dict) else ():
        if key in CODE_KEYS and value[key] is not None:
            raise BundleError(
                f"'{name}' sets '{key}', which could run foreign code.",
                hint="Do not use this file; ask its sender what it is for.",
            )


def _depth(value: Any) -> int:
    deepest, todo = 0, [(value, 1)]
    while todo:
        item, level = todo.pop()
        deepest = max(deepest, level)
        if isinstance(item, dict | list) and level <= DEEPEST:
            inner = item.values() if isinstance(item, dict) else item
            todo += [(each, level + 1) for each in inner]
    return deepest


def _number(low: float, high: float) -> Callable[[Any], bool]:
    return lambda v: isinstance(v, int | float) and not isinstance(v, bool) and low <= v <= high


def _is(*values: Any) -> Callable[[Any], bool]:
    return lambda v: any(type(v) is type(value) and v == value for value in values)


def _targets(value: Any) -> bool:
    """Names of modules, or one pattern that is quick to match."""
    if isinstance(value, list):
        return 0 < len(value) <= 500 and all(
            isinstance(v, str) and MODULE_NAME.fullmatch(v) for v in value
        )
    if not isinstance(value, str) or not MODULE_PATTERN.fullmatch(value):
        return False
    rest = re.sub(r"\(\?:", "(", value).replace(r"\d+", "").replace(r"\.", "")
    if len(re.findall(r"[*+?]", rest)) > 1 or re.search(r"\)[*+?]", rest):
        return False
    try:
        re.compile(value)
    except re.error:
        return False
    return True


def _saved(value: Any) -> bool:
    # PEFT itself adds "classifier" and "score" to the list for SEQ_CLS.
    known = {"task_head", "classifier", "score"}
    return isinstance(value, list) and all(
        isinstance(v, str) and (v in known or BRIDGE.fullmatch(v)) for v in value
    )


ADAPTER_KEYS: Mapping[str, Callable[[Any], bool]] = {
    "peft_type": _is("LORA"),
    "task_type": _is("SEQ_CLS"),
    "r": lambda v: type(v) is int and 1 <= v <= HIGHEST_RANK,
    "lora_alpha": _number(1e-6, HIGHEST_ALPHA),
    "lora_dropout": _number(0, 0.99),
    "target_modules": _targets,
    "modules_to_save": _saved,
    "bias": _is("none"),
    "inference_mode": _is(True, False),
    "base_model_name_or_path": lambda v: (
        v is None or (isinstance(v, str) and PLAIN_NAME.fullmatch(v) is not None)
    ),
    "peft_version": lambda v: isinstance(v, str) and re.fullmatch(r"[\w.+]{1,40}", v) is not None,
    # Written by PEFT whatever the adapter; only these values do nothing.
    "init_lora_weights": _is(True, False),
    "megatron_core": _is("megatron.core"),
    "qalora_group_size": _is(16),
}
ADAPTER_NEEDS = ("peft_type", "task_type", "r", "lora_alpha", "target_modules", "modules_to_save")


def check_adapter_config(name: str, content: bytes) -> dict[str, Any]:
    """PEFT's settings of a plain LoRA adapter with its head; every other key must be empty.

    Raises BundleError, naming the key and value.
    """
    config = parse_json(name, content)
    if not isinstance(config, dict):
        raise BundleError(f"'{name}' is not a JSON object.")
    for key in ADAPTER_NEEDS:
        if key not in config:
            raise BundleError(f"'{name}' lacks '{key}'.")
    for key, value in config.items():
        known = ADAPTER_KEYS.get(key)
        empty = value is None or value is False or value in ([], {}, "")
        if not (known(value) if known else empty):
            raise BundleError(
                f"'{name}' sets '{key[:60]}' to {json.dumps(value)[:80]}, which a bundle may not.",
                hint="Only plain LoRA adapters made by the studio can be read.",
            )
    if "task_head" not in config["modules_to_save"]:
        raise BundleError(
            f"'{name}' does not name 'task_head' in 'modules_to_save': the adapter has no head.",
            hint="Export it again from the studio that made it.",
        )
    return config


# What the shared model's config holds, beside defaults that transformers writes into any config.
MODEL_KEYS = frozenset(
    tuple(
        (
            "model_type base base_sha256 width heads depth outputs readings whole sketches columns "
            "trees encoders routes modalities transformers_version return_dict "
            "chunk_size_feed_forward id2label label2id dtype"
        ).split()
    )
)
MODEL_SIZES: Mapping[str, int] = {"width": 8192, "heads": 256, "depth": 256, "outputs": 100_000}
# How many numbers each modality has of these, and how large their product may be.
MODEL_COUNTS: Mapping[str, tuple[int, int]] = {
    "sketches": (1, 100_000),
    "columns": (1, 100_000),
    "trees": (2, 10_000_000),
}


def _counts(value: Any, numbers: int, highest: int) -> bool:
    """{modality: a positive number, or a list of so many}."""
    if not isinstance(value, dict) or len(value) > 64:
        return False
    each = [own if isinstance(own, list) else [own] for own in value.values()]
    return all(
        len(own) == numbers
        and all(type(one) is int and 0 < one <= highest for one in own)
        and math.prod(own) <= highest
        for own in each
    )


def check_model_config(name: str, content: bytes) -> dict[str, Any]:
    """The shared model's config: its own model type, sane sizes, nothing that leads elsewhere.

    Raises BundleError, naming the key.
    """
    config = parse_json(name, content)
    if not isinstance(config, dict) or config.get("model_type") != "fmstudio":
        raise BundleError(f"'{name}' is not the config of a shared model.")
    refuse_code_keys(name, config)
    for key, value in config.items():
        if key not in MODEL_KEYS and value:
            raise BundleError(f"'{name}' sets '{key[:60]}', which a bundle may not.")
    for key, highest in MODEL_SIZES.items():
        if type(config.get(key)) is not int or not 1 <= config[key] <= highest:
            raise BundleError(
                f"'{name}' has {key} {config.get(key)!r:.40}; 1 to {highest} is possible."
            )
    for key in ("encoders", "routes"):
        if not isinstance(config.get(key), dict) or not 1 <= len(config[key]) <= 64:
            raise BundleError(f"'{name}' names no {key}, or too many.")
    for key, (numbers, highest) in MODEL_COUNTS.items():
        if not _counts(config.get(key) or {}, numbers, highest):
            raise BundleError(f"'{name}' has {key} of a number that is not possible.")
    for key, encoder in config["encoders"].items():
        if isinstance(encoder, dict) and "checkpoint" in encoder:
            _check_checkpoint(name, key, encoder["checkpoint"])
    return config


CHECKPOINT_KEYS: Mapping[str, Callable[[Any], bool]] = {
    "name": lambda v: isinstance(v, str) and PLAIN_NAME.fullmatch(v) is not None,
    "sha256": lambda v: isinstance(v, str) and re.fullmatch(r"[0-9a-f]{64}", v) is not None,
    "id": lambda v: v is None or (isinstance(v, str) and HUB_ID.fullmatch(v) is not None),
    "revision": lambda v: v is None or (isinstance(v, str) and PLAIN_NAME.fullmatch(v) is not None),
    "kind": lambda v: v in KINDS,
}


def _check_checkpoint(name: str, key: str, checkpoint: Any) -> None:
    """What an encoder's entry says of its checkpoint: these keys, plain values, nothing else."""
    if not isinstance(checkpoint, dict) or set(checkpoint) != set(CHECKPOINT_KEYS):
        raise BundleError(f"'{name}' does not describe the checkpoint of '{key[:60]}'.")
    for field, fits in CHECKPOINT_KEYS.items():
        if not fits(checkpoint[field]):
            raise BundleError(
                f"'{name}' gives the checkpoint of '{key[:60]}' the {field} "
                f"{json.dumps(checkpoint[field])[:80]}."
            )
    if key != checkpoint_key(checkpoint):
        raise BundleError(f"'{name}' names the encoder '{key[:60]}' after another checkpoint.")


def checkpoints_of(model: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a checked config says of each checkpoint: name, sha256, id, revision, kind."""
    return [
        one["checkpoint"]
        for _, one in sorted(model["encoders"].items())
        if isinstance(one, dict) and "checkpoint" in one
    ]


def check_bridges(adapter: Mapping[str, Any], model: Mapping[str, Any]) -> frozenset[str]:
    """The keys of the checkpoints of a model, if the adapter saves the bridge of each and no other.

    Raises BundleError.
    """
    keys = {checkpoint_key(one) for one in checkpoints_of(model)}
    saved = {match["key"] for v in adapter["modules_to_save"] if (match := BRIDGE.fullmatch(v))}
    if saved != keys:
        raise BundleError(
            f"The adapter saves the bridges of {', '.join(sorted(saved)) or 'no checkpoint'}, and "
            f"'config.json' has {', '.join(sorted(keys)) or 'no checkpoint'}.",
            hint="Export it again from the studio that made it.",
        )
    return frozenset(keys)
