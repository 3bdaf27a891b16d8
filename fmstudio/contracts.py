"""What a pipeline and an encoder must offer, and how the studio finds them.

One file per modality in `pipelines/` ends `PIPELINE = …`; one file per encoder family in
`fmstudio/encoders/` ends `ENCODER = …`. There is no list to edit.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from fmstudio.errors import NotFound
from fmstudio.types import (
    ModalityInput,
    OpenQuestion,
    Prepared,
    Preview,
    Quantity,
    Question,
    Source,
)

KINDS = ("frames", "waveform", "series", "table", "text")


@runtime_checkable
class Pipeline(Protocol):
    """From the files that a hospital has to clean numbers or text, and a picture for people.

    `name` is the permanent key of the modality, `label` what people read, `kind` one of KINDS,
    `suffixes` the lower-case file endings it reads (".dcm"), `order` its place on a page,
    `version` goes up when the same file would give other numbers.
    `inline` is True if a table cell may hold the value itself rather than a path. `hints` are words
    that name such data, beside those of name and label: a column with one of them in its name is
    proposed for this modality ("xray" for radiology).
    """

    name: str
    label: str
    kind: str
    suffixes: tuple[str, ...]
    order: int
    version: int
    inline: bool
    hints: tuple[str, ...]

    def read(self, sources: Sequence[Source]) -> ModalityInput:
        """Read all the sources of one case. Raises UnreadableFile, naming the file."""
        ...

    def preview(self, sources: Sequence[Source]) -> Preview:
        """A picture of the same sources for a person to judge. Raises UnreadableFile."""
        ...


@runtime_checkable
class Accompanied(Protocol):
    """A pipeline some of whose files are read together with others that they name."""

    def parts(self, path: Path) -> tuple[Path, ...]:
        """All files that are read for `path`, itself included or not; () if it is alone."""
        ...


@runtime_checkable
class Sampled(Protocol):
    """A pipeline that writes whole files of its formats itself, for tests and for the fuzz."""

    def samples(self, folder: Path) -> Sequence[Path]:
        """Write at least one file of each format into `folder`; their paths."""
        ...


@runtime_checkable
class Recognising(Protocol):
    """A pipeline that knows its files by their first bytes, whatever they are called."""

    def recognises(self, path: Path) -> bool:
        """True if the beginning of a file is that of one it reads. Raises OSError."""
        ...


@runtime_checkable
class Measured(Protocol):
    """A pipeline that knows what its named numbers measure."""

    def quantity(self, name: str, unit: str = "") -> tuple[Quantity, str] | None:
        """The quantity of a feature or channel, and the unit it is named in, "" for none."""
        ...

    def unit(self, quantity: Quantity, said: str) -> str:
        """Which of the quantity's units a text names ("63 y" says "y"), "" for none of them."""
        ...

    def called(self, name: str) -> tuple[str, str]:
        """What people call a feature or channel, without its unit, and the unit, "" for none."""
        ...


@runtime_checkable
class Described(Protocol):
    """A pipeline whose files say more of themselves than their content."""

    def about(self, sources: Sequence[Source]) -> Mapping[str, Sequence[str]]:
        """Of the files' headers: `identifiers`, the names of fields that tell of the patient or the
        place; `direct`, those of them that name or number a person; `made_by`, what made each file;
        `modality`, what each says that it is; `burned_in`, where pictures hold lines of text, as
        "top left bottom right file" in shares of the picture.

        Raises UnreadableFile, naming the file.
        """
        ...

    def stripped(self, source: Source) -> bytes | None:
        """The file without what tells who the patient is, or None if its header tells nothing.

        Raises UnreadableFile, naming the file.
        """
        ...


@runtime_checkable
class Asking(Pipeline, Protocol):
    """A pipeline whose files may leave open what a person knows of all of a cohort's files."""

    questions: tuple[Question, ...]

    def open_questions(self, sources: Sequence[Source]) -> tuple[OpenQuestion, ...]:
        """What these sources leave open, given the answers that they carry.

        Raises UnreadableFile for a fault that no answer would resolve.
        """
        ...

    def checked_answer(self, key: str, answer: str) -> str:
        """An answer as it is kept. Raises InputError if it cannot be one."""
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


def in_words(names: Sequence[str], last: str = "and") -> str:
    """Modalities as pages call them, in a sentence: "EHR table and doctor's notes"."""
    words = [_inside(pipeline(name).label) for name in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def _inside(label: str) -> str:
    """A label in the middle of a sentence: an abbreviation keeps its capitals."""
    return label if label.split()[0].isupper() else label[:1].lower() + label[1:]


def files_of(name: str, sources: Sequence[Source]) -> list[Path]:
    """Every file that is read for `sources` of one modality, those that they name included."""
    found: dict[Path, None] = {}
    for path in (source.path for source in sources if source.path is not None):
        found[path] = None
        reader = pipeline(name)
        if isinstance(reader, Accompanied):
            found |= dict.fromkeys(reader.parts(path))
    return list(found)


@runtime_checkable
class Preparer(Protocol):
    """Turns one input into what the encoder's network takes; deterministic, on the CPU.

    `key` changes whenever the same input would be prepared in another way.
    """

    key: str

    def prepare(self, given: ModalityInput) -> Prepared:
        """Raises InputError if the input does not fit what was seen in training."""
        ...


@runtime_checkable
class Encoder(Protocol):
    """A family of encoders for one kind of data.

    `config` is JSON: everything needed to build the network of one checkpoint. `fits` is True if
    `fit` learns anything. `embedded` is True for the one family of its kind that the embedded base
    is made of (an EmbeddedEncoder), False for one that reads published checkpoints (a
    CheckpointEncoder).
    """

    name: str
    kind: str
    fits: bool
    embedded: bool

    def fit(self, inputs: Iterable[ModalityInput]) -> dict[str, Any]:
        """What must be learned from training inputs before any is prepared, as JSON; may be {}."""
        ...

    def preparer(
        self, config: Mapping[str, Any], folder: Path, state: Mapping[str, Any]
    ) -> Preparer:
        """For the checkpoint in `folder` (tokenizer and processor files) and a fitted state."""
        ...

    def network(self, config: Mapping[str, Any]) -> Any:
        """A torch module: (arrays {name: (B, N, …)}, mask (B, N)) -> Tokens (B, T, D).

        Its `width` is D.
        """
        ...

    def targets(self, config: Mapping[str, Any]) -> str:
        """A pattern of the layers that LoRA adapts, by their names within the network."""
        ...


@runtime_checkable
class EmbeddedEncoder(Encoder, Protocol):
    """A family whose weights lie in the embedded base."""

    def default(self) -> dict[str, Any]:
        """The config of the embedded base."""
        ...


@runtime_checkable
class CheckpointEncoder(Encoder, Protocol):
    """A family that reads published checkpoints.

    `model_types` are the values of "model_type" in a checkpoint's config.json that it reads.
    `processors` are the sets of files of which one must be there to prepare inputs, best first.
    `sketch` is the size of the array SKETCH beside the items, 0 where there is none.
    """

    model_types: tuple[str, ...]
    processors: tuple[tuple[str, ...], ...]
    sketch: int

    def adopt(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The config for `network` from a checkpoint's config.json; only allowed keys are kept.

        Raises InputError if a value cannot be one of this architecture.
        """
        ...


def embedded_encoders() -> Mapping[str, EmbeddedEncoder]:
    """The families of the embedded base, one a kind, by kind."""
    found = discover("fmstudio.encoders", "ENCODER").values()
    families = (family for family in found if isinstance(family, EmbeddedEncoder))
    return {family.kind: family for family in families if family.embedded}
