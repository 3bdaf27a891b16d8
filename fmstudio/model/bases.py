"""The bases that an adapter can be made for, and where their files are. No torch here.

A base is a folder with config.json (the shared model without routes and head), model.safetensors,
tokenizer.json and card.json. "embedded" ships with the project; "random" is its architecture with
untrained weights, for comparison; others lie in the home folder under bases/.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fmstudio.errors import NotFound
from fmstudio.settings import Settings

EMBEDDED, RANDOM = "embedded", "random"
_SHIPPED = Path(__file__).resolve().parents[2] / "assets" / "base"


@dataclass(frozen=True)
class BaseInfo:
    """What people read about a base. `sha256` is that of its weights' file; "" for random."""

    name: str
    title: str
    sha256: str
    parameters: int
    size_mb: float
    licence: str
    description: str
    kinds: tuple[str, ...]
    card: Mapping[str, Any]


def base_folder(name: str, settings: Settings) -> Path:
    """The folder of a base.

    Raises NotFound if there is none of that name.
    """
    if name in (EMBEDDED, RANDOM):
        return _SHIPPED
    folder = settings.home / "bases" / name
    if Path(name).name != name or not (folder / "card.json").is_file():
        known = ", ".join(info.name for info in list_bases(settings))
        raise NotFound(f"There is no base '{name}'.", hint=f"Use one of: {known}.")
    return folder


def _info(folder: Path) -> BaseInfo:
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    kinds = tuple(json.loads((folder / "config.json").read_text(encoding="utf-8"))["encoders"])
    return BaseInfo(
        card["name"], card["title"], card["sha256"], card["parameters"], card["size_mb"],
        card["licence"], card["description"], kinds, card,
    )  # fmt: skip


def list_bases(settings: Settings) -> list[BaseInfo]:
    """The embedded base, the random one, and those in the home folder by name."""
    embedded = _info(_SHIPPED)
    untrained = BaseInfo(
        RANDOM, "Untrained weights", "", embedded.parameters, 0.0, embedded.licence,
        "The embedded architecture with random weights: what a base must beat to be worth having.",
        embedded.kinds, {},
    )  # fmt: skip
    added = sorted((settings.home / "bases").glob("*/card.json"))
    return [embedded, untrained, *(_info(card.parent) for card in added)]


def base_info(name: str, settings: Settings) -> BaseInfo:
    """One base.

    Raises NotFound if there is none of that name.
    """
    base_folder(name, settings)
    return next(info for info in list_bases(settings) if info.name == name)
