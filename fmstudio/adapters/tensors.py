"""Weights in a bundle: the bytes of a foreign safetensors file in, shapes or BundleError out.

safetensors cannot run code, but a header may be huge, tensors may overlap, and NaN weights or an
adapter without its head load in silence (format: github.com/huggingface/safetensors, "Format").
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from fmstudio.adapters.checks import parse_json
from fmstudio.errors import BundleError

HEADER_LIMIT = 1024 * 1024
MOST_TENSORS = 20_000

# The types that a bundle may hold, as numpy reads them.
FLOATS = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": np.uint16}
INTEGERS = {
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U8": np.uint8,
    "BOOL": np.bool_,
}

TENSOR_NAME = re.compile(
    r"base_model\.model\.(?P<module>[A-Za-z0-9_.]{1,200})\.(?P<part>lora_[AB])\.weight"
    r"|base_model\.model\.task_head(\.[A-Za-z0-9_]{1,60}){1,4}"
    r"|base_model\.model\.bridges\.(?P<bridge>[a-z0-9_]{1,40})\.(?P<own>weight|bias)"
)


def check_adapter_weights(
    name: str, content: bytes, config: Mapping[str, Any], bridges: frozenset[str] = frozenset()
) -> None:
    """LoRA pairs of the stated rank, the task head and these bridges, all finite, nothing else.

    Raises BundleError, naming the tensor.
    """
    shapes = check_tensors(name, content, floats_only=True)
    if not any(tensor.startswith("base_model.model.task_head.") for tensor in shapes):
        raise BundleError(
            f"'{name}' lacks the task head.", hint="Export it again from the studio that made it."
        )
    parts: dict[str, set[str]] = {}
    found_bridges: dict[str, set[str]] = {key: set() for key in bridges}
    for tensor, shape in shapes.items():
        match = TENSOR_NAME.fullmatch(tensor)
        if not match or (match["bridge"] and match["bridge"] not in bridges):
            raise BundleError(f"'{name}' holds the unexpected tensor '{tensor[:80]}'.")
        if match["bridge"]:
            found_bridges[match["bridge"]].add(match["own"])
        if match["part"]:
            parts.setdefault(match["module"], set()).add(match["part"])
            rank = shape[0 if match["part"] == "lora_A" else 1] if len(shape) == 2 else None
            if rank != config["r"]:
                raise BundleError(
                    f"'{tensor}' in '{name}' has shape {list(shape)}, not rank {config['r']}."
                )
    for module, found in parts.items():
        if len(found) < 2:
            raise BundleError(f"'{name}' has only half of the adapter of '{module}'.")
    for key, found in found_bridges.items():
        if len(found) < 2:
            raise BundleError(f"'{name}' lacks the bridge of the checkpoint '{key}'.")


def check_tensors(
    name: str, content: bytes, floats_only: bool = False
) -> dict[str, tuple[int, ...]]:
    """Shapes by name of a safetensors file without gaps, overlaps, NaN or infinity.

    The header's length is held against the file's before it is parsed. Raises BundleError.
    """
    header, data = _header(name, content)
    types: dict[str, Any] = FLOATS if floats_only else FLOATS | INTEGERS
    shapes: dict[str, tuple[int, ...]] = {}
    spans: list[tuple[int, int]] = []
    for tensor, entry in header.items():
        said = f"tensor '{tensor[:80]}' in '{name}'"
        shape, start, stop = _entry(said, entry, types)
        size = np.dtype(types[entry["dtype"]]).itemsize * math.prod(shape)
        if stop > len(data):
            raise BundleError(f"The {said} ends {stop - len(data)} bytes beyond the file.")
        if stop - start != size:
            raise BundleError(f"The {said} has {stop - start} bytes where {size} are due.")
        _check_finite(said, entry["dtype"], data[start:stop])
        shapes[tensor] = shape
        spans.append((start, stop))
    position = 0
    for start, stop in sorted(spans):
        if start != position:
            raise BundleError(f"The tensors in '{name}' overlap or leave gaps.")
        position = stop
    if position != len(data):
        raise BundleError(f"'{name}' holds {len(data) - position} bytes that belong to no tensor.")
    return shapes


def _header(name: str, content: bytes) -> tuple[dict[str, Any], memoryview]:
    length = int.from_bytes(content[:8], "little")
    if len(content) < 10 or length > HEADER_LIMIT or 8 + length > len(content):
        raise BundleError(
            f"'{name}' is not a safetensors file: its header of {length} bytes does not fit.",
            hint="Weights are only read as safetensors, never as pickle.",
        )
    header = parse_json(f"{name} (header)", content[8 : 8 + length])
    if not isinstance(header, dict) or len(header) > MOST_TENSORS:
        raise BundleError(
            f"The header of '{name}' is not a list of at most {MOST_TENSORS} tensors."
        )
    told = header.pop("__metadata__", {})
    if not isinstance(told, dict) or not all(isinstance(v, str) for v in told.values()):
        raise BundleError(f"The metadata of '{name}' are not plain texts.")
    return header, memoryview(content)[8 + length :]


def metadata(name: str, content: bytes) -> dict[str, str]:
    """The metadata of a safetensors file that passed `check_tensors`."""
    length = int.from_bytes(content[:8], "little")
    found: dict[str, str] = parse_json(name, content[8 : 8 + length]).get("__metadata__", {})
    return found


def content_sha256(name: str, content: bytes) -> str:
    """Of the tensors of a safetensors file by name, type, shape and place; not of its metadata."""
    header, data = _header(name, content)
    text = json.dumps(header, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode() + b"\n" + data).hexdigest()


def with_metadata(name: str, content: bytes, added: Mapping[str, str]) -> bytes:
    """The same file with more metadata, tensors untouched. Raises BundleError."""
    header, data = _header(name, content)
    told = {"__metadata__": dict(sorted({**metadata(name, content), **added}.items())), **header}
    text = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (
        -len(text) % 8
    )  # the data begin at a multiple of 8 bytes, as the library has it
    return len(text).to_bytes(8, "little") + text + data


def _entry(said: str, entry: Any, types: Mapping[str, Any]) -> tuple[tuple[int, ...], int, int]:
    """Shape and place of one tensor of the header."""

    def whole(values: Any) -> bool:
        return isinstance(values, list) and all(type(v) is int and 0 <= v < 2**40 for v in values)

    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise BundleError(f"The {said} is not described as safetensors are.")
    if not isinstance(entry["dtype"], str) or entry["dtype"] not in types:
        raise BundleError(f"The {said} is of the type {str(entry['dtype'])[:20]}.")
    if not whole(entry["shape"]) or len(entry["shape"]) > 8 or not whole(entry["data_offsets"]):
        raise BundleError(f"The {said} has an impossible shape or place.")
    if len(entry["data_offsets"]) != 2 or entry["data_offsets"][0] > entry["data_offsets"][1]:
        raise BundleError(f"The {said} has an impossible shape or place.")
    return tuple(entry["shape"]), *entry["data_offsets"]


def _check_finite(said: str, dtype: str, data: memoryview) -> None:
    if dtype not in FLOATS:
        return
    values = np.frombuffer(data, FLOATS[dtype])
    # bfloat16 has no numpy type: all eight exponent bits set means infinite or NaN.
    wrong = (values & 0x7F80) == 0x7F80 if dtype == "BF16" else ~np.isfinite(values)
    if wrong.any():
        raise BundleError(
            f"The {said} holds {int(wrong.sum())} values that are not finite numbers.",
            hint="Training diverged or the file was changed: do not use this adapter.",
        )
