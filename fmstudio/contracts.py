"""What a pipeline and an encoder must offer, and how the studio finds them.

One file per modality in `pipelines/` ends `PIPELINE = …`; one file per encoder family in
`fmstudio/encoders/` ends `ENCODER = …`. There is no list to edit.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Protocol, runtime_checkable

from fmstudio.errors import NotFound
from fmstudio.types import ModalityInput, Preview, Source

KINDS = ("frames", "waveform", "series", "table", "text")


@runtime_checkable
class Pipeline(Protocol):
    """From the files that a hospital has to clean numbers or text, and a picture for people.

    `name` is the permanent key of the modality, `label` what people read, `kind` one of KINDS,
    `suffixes` the lower-case file endings it reads (".dcm"), `order` its place on a page,
    `version` goes up when the same file would give other numbers.
    `inline` is True if a table cell may hold the value itself rather than a path.
    """

    name: str
    label: str
    kind: str
    suffixes: tuple[str, ...]
    order: int
    version: int
    inline: bool

    def read(self, sources: Sequence[Source]) -> ModalityInput:
        """Read all the sources of one case. Raises UnreadableFile, naming the file."""
        ...

    def preview(self, sources: Sequence[Source]) -> Preview:
        """A picture of the same sources for a person to judge. Raises UnreadableFile."""
        ...


class Unavailable:
    """A pipeline or encoder whose optional package is not installed."""

    def __init__(self, name: str, needs: str) -> None:
        self.name = name
        self.needs = needs

    def __str__(self) -> str:
        return f"{self.name}: unavailable, needs {self.needs}"


def _collect(package: str, constant: str) -> Mapping[str, Any]:
    """One `constant` per module of `package`, by its `name`; missing packages give Unavailable."""
    found: dict[str, Any] = {}
    own = ("fmstudio", "pipelines")
    for module in sorted(pkgutil.iter_modules(importlib.import_module(package).__path__)):
        try:
            loaded = importlib.import_module(f"{package}.{module.name}")
        except ModuleNotFoundError as missing:
            if missing.name is None or missing.name.split(".")[0] in own:
                raise
            found[module.name] = Unavailable(module.name, missing.name)
            continue
        if hasattr(loaded, constant):
            item = getattr(loaded, constant)
            found[item.name] = item
    return found


@cache
def pipelines() -> Mapping[str, Pipeline]:
    """The available pipelines by modality name, in the order in which pages show them."""
    found = {k: p for k, p in _collect("pipelines", "PIPELINE").items() if isinstance(p, Pipeline)}
    return dict(sorted(found.items(), key=lambda item: (item[1].order, item[0])))


def discover(package: str, constant: str) -> Mapping[str, Any]:
    """Everything that `package` offers, the unavailable included, by name."""
    return _collect(package, constant)


def pipeline(name: str) -> Pipeline:
    """The pipeline of one modality.

    Raises NotFound if there is none.
    """
    if name not in pipelines():
        raise NotFound(
            f"There is no modality '{name}'.", hint=f"Use one of: {', '.join(pipelines())}."
        )
    return pipelines()[name]
