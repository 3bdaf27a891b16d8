"""A cache on disk, by content: what was computed once for an input is not computed again.

A key is the SHA-256 of everything that the content depends on, so nothing ever goes stale.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

from fmstudio.types import to_json


def content_key(*parts: object) -> str:
    """SHA-256 of JSON values."""
    return hashlib.sha256(to_json(parts).encode()).hexdigest()


class Cache:
    """Arrays by key in files below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: str) -> Path:
        """Where the file of a key lies."""
        return self.folder / key[:2] / f"{key}.safetensors"

    def __contains__(self, key: str) -> bool:
        return self.path(key).is_file()

    def read(self, key: str) -> dict[str, np.ndarray]:
        """The arrays of a key that is there."""
        with safe_open(self.path(key), framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118

    def write(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Writes all or nothing: a reader never sees half a file."""
        self.write_bytes(key, save({k: np.ascontiguousarray(v) for k, v in arrays.items()}))

    def read_bytes(self, key: str) -> bytes:
        """The file of a key as it is."""
        return self.path(key).read_bytes()

    def write_bytes(self, key: str, content: bytes) -> None:
        """As `write`, for bytes."""
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = path.with_suffix(f".{uuid.uuid4().hex[:8]}.tmp")
        temporary.write_bytes(content)
        temporary.replace(path)
