"""What each JSON file of an adapter may hold, as strict schemas: the one reader of them all.

A key that is not known, a value of another type or out of its range, and a number that is not
finite are refused by the name of the field. To add a field, add it here (the card's are in
`schema_card`) with its limits, optional (`| None = None`) if adapters without it stay readable.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from fmstudio.adapters.checks import PLAIN_NAME, parse_json
from fmstudio.errors import BundleError

AGAIN = "Export it again from the studio that made it."
FORMAT = 2  # of folder and bundle; 1 had no seal on the weights and no labelled probes

Text = Annotated[str, StringConstraints(max_length=4000)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Key = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,64}$")]
Plain = Annotated[str, StringConstraints(pattern=rf"^{PLAIN_NAME.pattern}$")]
SHA256 = re.compile(r"[0-9a-f]{64}")
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Number = Annotated[float, Field(ge=-1e15, le=1e15)]
Positive = Annotated[float, Field(gt=0, le=1e15)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, le=10**12)]
Version = Annotated[str, StringConstraints(pattern=r"^[\w.+!-]{1,60}$")]

MOST = 100_000  # of anything that is listed; the size of a file bounds the rest


class Strict(BaseModel):
    """Nothing is converted, nothing unknown is taken, nothing changes."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Base(Strict):
    """The base that an adapter fits; `sha256` is that of its weights."""

    name: Plain
    sha256: Sha256
    files: dict[Plain, Sha256]


class Checkpoint(Strict):
    """A published checkpoint that an adapter needs; `checks` looks at the values."""

    name: Any
    sha256: Any
    id: Any
    revision: Any
    kind: Any


class Manifest(Strict):
    """manifest.json: what seals an adapter."""

    format: Literal[2]
    base: Base
    licence: Text
    checkpoints: list[Checkpoint] = Field(default_factory=list, max_length=64)
    versions: dict[Plain, Version]
    files: dict[Name, Sha256]


class Conformal(Strict):
    """A threshold for each label of a multilabel task, else one; none where nothing may go."""

    method: Literal["split conformal, absolute error", "split conformal, LAC"]
    coverage: Annotated[float, Field(gt=0, lt=1)]
    n: list[Count]
    thresholds: list[Annotated[float, Field(ge=0, le=1e15)] | None]
    notes: list[Text]


class Calibration(Strict):
    """calibration.json: see `readout.Readout`."""

    temperature: Annotated[float, Field(gt=1e-3, lt=1e3)]
    shift: Annotated[float, Field(ge=-100, le=100)]
    centre: Number
    spread: Positive
    typical: list[list[Number]]
    conformal: Conformal
    guard: dict[Key, Annotated[float, Field(ge=0, le=1e15)]]


class Feature(Strict):
    """A feature of a table: a number by its quantiles, or a category by its words."""

    quantiles: Annotated[list[Number], Field(min_length=2, max_length=64)] | None = None
    categories: Annotated[list[Text], Field(min_length=1, max_length=MOST)] | None = None
    unit: Name | None = None


class Channel(Strict):
    """A channel of a series, as it was in training."""

    centre: Number
    spread: Positive
    low: Number | None = None
    high: Number | None = None
    unit: Name | None = None


Column = Annotated[list[Text], Field(min_length=3, max_length=3)]


class State(Strict):
    """What was fitted on training inputs."""

    features: dict[Name, Feature] | None = None
    channels: dict[Name, Channel] | None = None
    columns: Annotated[list[Column], Field(max_length=MOST)] | None = None


class ProcessorFile(Strict):
    """processors/MODALITY.json: see `processor.Processor`."""

    modality: Key
    family: Key
    config: dict[Name, Any]
    state: State
    checkpoint: Checkpoint | None = None


class Given(Strict):
    """One synthetic input; its values lie in probes.safetensors."""

    modality: Key
    kind: Key
    facts: dict[Name, Any]
    remarks: list[Text]
    text: Text | None = None


class Answer(Strict):
    """What the adapter answers to some of the inputs: by label, or for a number its value."""

    inputs: Annotated[list[Count], Field(min_length=1, max_length=64)]
    answer: dict[Text, Number]


class Probes(Strict):
    """probes.json: inputs that are nobody's, and the answers to them."""

    inputs: Annotated[list[Given], Field(min_length=1, max_length=1000)]
    answers: Annotated[list[Answer], Field(min_length=1, max_length=1000)]


class TrainedOn(Strict):
    """trained_on.json: see `trained_on`, which looks at the packed hashes."""

    format: Literal[1]
    salt: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
    cases: Count
    files: str | None
    rows: str | None
    plain_rows: Count


Schema = TypeVar("Schema", bound=Strict)


def read(name: str, content: bytes, schema: type[Schema]) -> Schema:
    """The values of a JSON file. Raises BundleError, naming the file and the field."""
    return checked(name, parse_json(name, content), schema)


def checked(name: str, value: Any, schema: type[Schema]) -> Schema:
    """The same for a value that was parsed before."""
    try:
        return schema.model_validate(value)
    except ValidationError as fault:
        raise BundleError(_told(name, fault), hint=AGAIN) from fault


def _told(name: str, fault: ValidationError) -> str:
    first = fault.errors(include_url=False)[0]
    place = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in first["loc"])[1:81]
    if not place:
        return f"'{name}' is not a JSON object."
    if first["type"] == "missing":
        return f"'{name}' lacks '{place}'."
    if first["type"] == "extra_forbidden":
        return f"'{name}' has the key '{place}', which this version of the studio does not know."
    wanted = first["msg"].removeprefix("Value error, ").replace("Input should", "should")
    return f"'{name}': '{place}' {wanted}, and is {first['input']!r:.60}."
