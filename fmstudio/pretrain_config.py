"""The settings of a pretraining run: one frozen dataclass, read by page and command line alike.

Each field's metadata says how to show it: `label`, `help`, and `low`/`high`. No torch here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from fmstudio.errors import InputError
from fmstudio.run_config import check_ranges

USUAL = ("masked", "known", "spread")
RESERVED = ("embedded", "random")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")  # it also names a folder


def _shown(default: Any, label: str, help: str, **limits: Any) -> Any:
    return field(default=default, metadata={"label": label, "help": help, **limits})


@dataclass(frozen=True)
class PretrainConfig:
    """Everything needed to repeat a pretraining run on the same cases.

    `manifest` and `fingerprint` are those of a table of further cases, both "" without one.
    Raises InputError for a value out of its range, naming field and value.
    """

    name: str = _shown("", "Name of the new base", "Lower-case letters, digits, - and _.")
    base: str = _shown("embedded", "Base model", "The base whose weights are learned on from.")
    modalities: tuple[str, ...] = _shown(
        (), "Modalities", "What is learned from. Empty means everything that the cases have."
    )
    objectives: tuple[str, ...] = _shown(
        USUAL, "Objectives", "What the base learns to do without labels."
    )
    epochs: int = _shown(30, "Epochs", "Passes over the cases.", low=1, high=10_000)
    batch_size: int = _shown(32, "Batch size", "Cases per step.", low=2, high=1024)
    learning_rate: float = _shown(
        2e-4,
        "Learning rate",
        "Largest step size; it warms up and then decays.",
        low=1e-6,
        high=1e-1,
    )
    seed: int = _shown(0, "Seed", "Same seed, same data: same result.", low=0, high=2**31 - 1)
    manifest: str = _shown("", "Table of further cases", "Cases beside those of the cohort.")
    fingerprint: str = _shown("", "Fingerprint", "Of the table and the files that it points to.")

    def __post_init__(self) -> None:
        object.__setattr__(self, "modalities", tuple(self.modalities))
        object.__setattr__(self, "objectives", tuple(self.objectives))
        check_ranges(self)
        if not self.objectives:
            raise InputError("No objective is chosen.", hint="Choose at least one to learn from.")
        if not _NAME.fullmatch(self.name) or self.name in RESERVED:
            raise InputError(
                f"'{self.name}' cannot be the name of a base.",
                hint="Use up to 40 lower-case letters, digits, hyphens and underscores.",
            )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PretrainConfig:
        """The config that `as_dict` wrote."""
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        listed = {"modalities": list(self.modalities), "objectives": list(self.objectives)}
        return asdict(self) | listed
