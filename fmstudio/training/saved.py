"""States of a run on disk: the last two, each written whole or not at all and checked when read.

A state is a safetensors file whose metadata hold its facts and a SHA-256 over the whole file, taken
with zeros in the place of the hash. Two files take turns, so that the state before the newest one
stays until the next is safe: what damages one file costs a run the work between two states.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from fmstudio.files import unfinished, write_whole

log = logging.getLogger(__name__)

FILES = ("checkpoint-0.safetensors", "checkpoint-1.safetensors")
UNSEALED = "0" * 64
ANEW = "Started anew: the saved states are damaged."


@dataclass(frozen=True)
class Saved:
    """One state: tensors by name, and `facts` as JSON. `step` counts up from state to state."""

    step: int
    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]


class States:
    """The saved states of one loop in its folder.

    `remark` is a sentence on where the loop goes on from, empty where it begins.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.remark = folder, ""
        self._next = 0  # which of FILES the next state goes to: never that of the newest one

    def newest(self) -> Saved | None:
        """The newest state that is whole; None where there is none, so that work begins anew."""
        whole: dict[int, Saved] = {}
        damaged: list[Path] = []
        for place, name in enumerate(FILES):
            path = self.folder / name
            for left in unfinished(path):  # by a process that was killed while it wrote
                left.unlink(missing_ok=True)
            if not path.is_file():
                continue
            try:
                whole[place] = _read(path)
            except (OSError, ValueError, KeyError, TypeError, SafetensorError) as fault:
                log.warning("%s/%s is damaged: %s", self.folder.name, name, fault)
                damaged.append(path)
        if not whole:
            self.remark = ANEW if damaged else ""
            return None
        place = max(whole, key=lambda each: whole[each].step)
        self._next = 1 - place
        newer = [path for path in damaged if _time(path) >= _time(self.folder / FILES[place])]
        why = ", because the newer state is damaged" if newer else ""
        self.remark = f"Resumed from step {whole[place].step}{why}."
        log.info("%s: %s", self.folder.name, self.remark)
        return whole[place]

    def write(self, step: int, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Save the state after `step` steps; the newest one before it stays as it is."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.folder / FILES[self._next], _sealed(step, tensors, facts))
        self._next = 1 - self._next


def _sealed(step: int, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> bytes:
    told = {"state": json.dumps({"step": step, "facts": facts}), "sha256": UNSEALED}
    content = save({name: value.contiguous() for name, value in tensors.items()}, told)
    return content.replace(_field(UNSEALED), _field(hashlib.sha256(content).hexdigest()), 1)


def _read(path: Path) -> Saved:
    """Raises ValueError for a file that is not as it was written, and whatever its parts raise."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    told = json.loads(content[8 : 8 + length])["__metadata__"]
    unsealed = content.replace(_field(told["sha256"]), _field(UNSEALED), 1)
    if hashlib.sha256(unsealed).hexdigest() != told["sha256"]:
        raise ValueError("its SHA-256 is not that of its content")
    state = json.loads(told["state"])
    return Saved(state["step"], load(content), state["facts"])


def _time(path: Path) -> int:
    return path.stat().st_mtime_ns


def _field(digest: str) -> bytes:
    return f'"sha256":"{digest}"'.encode()
