"""The bases that an adapter can be made for, and where their files are. No torch here.

A base is a folder with config.json (the shared model without routes and head), model.safetensors,
tokenizer.json and card.json. "embedded" ships with the project; "random" is its architecture with
untrained weights, for comparison; others lie in the home folder under bases/.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fmstudio.checkpoints.hashes import sha256
from fmstudio.errors import BundleError, NotFound
from fmstudio.settings import Settings

log = logging.getLogger(__name__)

EMBEDDED, RANDOM = "embedded", "random"
FILES = ("config.json", "model.safetensors", "tokenizer.json")  # what a model is built from
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
    """Raises BundleError for a card or config that is damaged."""
    try:
        card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return BaseInfo(
            card["name"],
            card["title"],
            card["sha256"],
            card["parameters"],
            card["size_mb"],
            card["licence"],
            card["description"],
            tuple(config["encoders"]),
            card,
        )
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise BundleError(
            f"The base '{folder.name}' is damaged: its card.json or config.json cannot be read.",
            hint=_again(folder.name),
        ) from fault


def list_bases(settings: Settings) -> list[BaseInfo]:
    """The embedded base, the random one, and those in the home folder by name; without a damaged
    one, which `base_info` names."""
    embedded = _info(_SHIPPED)
    untrained = BaseInfo(
        RANDOM,
        "Untrained weights",
        "",
        embedded.parameters,
        0.0,
        embedded.licence,
        "The embedded architecture with random weights: what a base must beat to be worth having.",
        embedded.kinds,
        {},
    )
    added = []
    for card in sorted((settings.home / "bases").glob("*/card.json")):
        try:
            added.append(_info(card.parent))
        except BundleError as fault:
            log.warning("%s", fault.message)
    return [embedded, untrained, *added]


def base_info(name: str, settings: Settings) -> BaseInfo:
    """One base.

    Raises NotFound if there is none of that name, BundleError if its card is damaged.
    """
    folder = base_folder(name, settings)
    found = next((info for info in list_bases(settings) if info.name == name), None)
    return _info(folder) if found is None else found


def base_files(name: str, settings: Settings) -> dict[str, str]:
    """SHA-256 of the files that a base's model is built from, by name.

    Raises NotFound for an unknown base, BundleError for a file that is not there.
    """
    folder = base_folder(name, settings)
    return {
        file: _sha256_of(name, folder, file)
        for file in FILES
        if not (name == RANDOM and file.endswith(".safetensors"))
    }


def check_base(name: str, files: Mapping[str, str], settings: Settings) -> None:
    """Raises BundleError, naming the file, if a base's files here are not these; NotFound if it is
    not here at all."""
    folder = base_folder(name, settings)
    for file, expected in files.items():
        if _sha256_of(name, folder, file) != expected:
            raise BundleError(
                f"'{file}' of the base '{name}' is not the one that the adapter was made with.",
                hint=_again(name),
            )


def _sha256_of(name: str, folder: Path, file: str) -> str:
    try:
        return sha256(folder / file)
    except OSError as fault:
        raise BundleError(
            f"'{file}' of the base '{name}' cannot be read: {fault.strerror}.", hint=_again(name)
        ) from fault


def _again(name: str) -> str:
    if name in (EMBEDDED, RANDOM, _SHIPPED.name):
        return "Install the studio again: this base comes with it."
    return f"Copy the folder bases/{name} again from where it is whole, or make the base anew."
