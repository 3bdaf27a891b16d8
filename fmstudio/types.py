"""The nouns of the studio: plain data, numpy and the standard library only.

Shape letters: L items of one input, C channels, H height, W width.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Source:
    """One thing that a case gives for a modality: a file, or a value typed into a table cell.

    `name` is the column it came from: the name of the view, lead, site or feature.
    Exactly one of `path` and `text` is set. Of a file that carries a clock, what lies more than
    `until` seconds after its beginning is not read. `answers` are (key, answer) of what a person
    said where files of its modality leave something open (see `Question`).
    """

    name: str
    path: Path | None = None
    text: str | None = None
    until: float | None = None
    answers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Question:
    """Something that files of a modality may leave open and a person knows: asked once a cohort.

    `key` is its permanent name ("log_rate", an option --log-rate), `label` the question, `form`
    what an answer looks like ("HZ"), `help` a sentence on it.
    """

    key: str
    label: str
    form: str
    help: str

    @property
    def option(self) -> str:
        """Its option on the command line."""
        return "--" + self.key.replace("_", "-")


@dataclass(frozen=True)
class OpenQuestion:
    """What one input leaves open: `message` says what is missing or was assumed.

    An answer to any of `keys` settles it; `choices` are likely answers to the first of them.
    `needed` is False where the input is read as it is, on an assumption.
    """

    keys: tuple[str, ...]
    message: str
    choices: tuple[str, ...] = ()
    needed: bool = True


@dataclass(frozen=True)
class ModalityInput:
    """What a pipeline makes of one modality of one case: the standard form of its kind.

    `values` and `mask` by kind (see `contracts.KINDS`); a mask is True where something is there:
        frames    (L, C, H, W) float32 in [0, 1], C is 1 or 3     mask (L,)
        waveform  (samples,) float32 in [-1, 1]                   mask (samples,)
        series    (L, channels) float32, physical units           mask (L, channels)
        table     (L,) float32, one row per named feature         mask (L,)
        text      str                                             mask (1,)
    Values are finite; where the mask is False they are 0 and mean nothing.

    `facts` are JSON values that travel with the data:
        frames    names: list[str] per frame; seconds_per_frame: float | None;
                  spacing_mm: [row, col] | None
        waveform  rate: float (Hz); segments: [{name, start, stop}] in samples, one per recording
        series    channels: list[str]; units: list[str];
                  seconds: list[float], length L, from 0, ascending
        table     names: list[str]; units: list[str]; categories: list[str | None], the category of
                  each row, None where the row is numeric; seconds: list[float | None]
        text      language: str | None
        any kind  flaws: list[str], what is wrong with part of it, in few words (may be absent)
    `remarks` are sentences on what was changed or left out on the way, fit to show to a person.
    """

    kind: str
    values: np.ndarray | str
    mask: np.ndarray
    facts: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """True if nothing is there, so that the modality counts as missing."""
        return not bool(np.any(self.mask)) or (isinstance(self.values, str) and not self.values)


COLUMNS, SKETCH = "columns", "sketch"
BESIDE = (COLUMNS, SKETCH)  # the arrays of a Prepared that do not count items


@dataclass(frozen=True)
class Prepared:
    """One input as its encoder's network takes it: arrays whose axis 0 counts the same N items.

    Beside them a table or series has the array COLUMNS (1, C): itself as one row of fixed columns;
    a text that a checkpoint reads has SKETCH (1, S): which subwords it has.
    """

    arrays: Mapping[str, np.ndarray]
    remarks: tuple[str, ...] = ()

    @property
    def length(self) -> int:
        """N, the number of items."""
        return len(next(array for name, array in self.arrays.items() if name not in BESIDE))


@dataclass(frozen=True)
class Preview:
    """A picture of an input that a person can judge, made by its pipeline.

    `images` are (H, W) or (H, W, 3) uint8 with one caption each; `table` is a header and rows;
    `text` is plain text; `media` is a file that every browser plays (MP4, WAV), or None.
    `windows` are named pictures of the same film in other window presets.
    """

    images: tuple[tuple[np.ndarray, str], ...] = ()
    windows: Mapping[str, np.ndarray] = field(default_factory=dict)
    table: tuple[tuple[str, ...], ...] = ()
    text: str = ""
    media: bytes | None = None
    media_type: str = ""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Quantity:
    """A measurement whose units and limits are known.

    `usual` and `possible` are (lowest, highest) in the first of `units`; a value in another unit
    is the value in the first one times its factor plus its offset.
    """

    name: str
    usual: tuple[float, float]
    possible: tuple[float, float]
    units: Mapping[str, tuple[float, float]]

    def within(self, limits: tuple[float, float], unit: str) -> tuple[float, float]:
        """Limits given in the first unit, in another one."""
        factor, offset = self.units[unit]
        return limits[0] * factor + offset, limits[1] * factor + offset

    def fitting(self, values: np.ndarray, unit: str) -> int:
        """How many of the values are usual in a unit."""
        low, high = self.within(self.usual, unit)
        return int(((values >= low) & (values <= high)).sum())

    def unit_of(self, values: np.ndarray, named: str = "") -> str:
        """The unit that is named, unless most values are unusual in it, else where most fit."""
        best = max(self.units, key=lambda unit: self.fitting(values, unit))
        fits = self.fitting(values, named) if named in self.units else 0
        if named in self.units and (fits >= len(values) / 2 or not self.fitting(values, best)):
            return named
        return best

    def conversion(self, unit: str, into: str) -> tuple[float, float]:
        """(factor, offset) that turn a value in one unit into another one."""
        (factor, offset), (wanted, shift) = self.units[unit], self.units[into]
        return wanted / factor, shift - offset * wanted / factor


TASK_KINDS = ("binary", "multiclass", "multilabel", "regression")


@dataclass(frozen=True)
class TaskSpec:
    """What is to be predicted.

    `labels` are the names of the outputs: for binary [negative, positive], for multiclass the
    classes, for multilabel one per label column, for regression the one target column.
    `columns` are the manifest's label columns. `moment` is that of the prediction, in hours after
    the beginning of a case; None where everything may be used. `positive_name` and `negative_name`
    are what the two labels of a binary task mean in words, "" where nobody said.
    """

    kind: str
    columns: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    positive: str | None = None
    description: str = ""
    moment: float | None = None
    positive_name: str = ""
    negative_name: str = ""

    @property
    def outputs(self) -> int:
        """Number of numbers that the task head gives."""
        return 1 if self.kind in ("binary", "regression") else len(self.labels)

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        stored = asdict(self) | {"columns": list(self.columns), "labels": list(self.labels)}
        optional = ("moment", "positive_name", "negative_name")
        return {k: v for k, v in stored.items() if k not in optional or v not in (None, "")}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> TaskSpec:
        """The task that `as_dict` wrote."""
        columns, labels = tuple(stored["columns"]), tuple(stored["labels"])
        return cls(**{**stored, "columns": columns, "labels": labels})


@dataclass(frozen=True)
class PatientCase:
    """One case: its sources by modality and, where known, its target.

    `target`: binary 0/1; multiclass class index; multilabel (K,) floats with NaN where unknown;
    regression a number. None where there is no label.
    """

    case_id: str
    patient_id: str
    sources: Mapping[str, tuple[Source, ...]]
    target: float | tuple[float, ...] | None = None
    split: str | None = None
    groups: Mapping[str, str] = field(default_factory=dict)
    row: int = 0


@dataclass(frozen=True)
class Cohort:
    """Cases with a label, in the manifest's order, each in one of train, validation, test.

    `set_aside` are the rows left out because they have no label or no input. `fingerprint` is the
    SHA-256 of the manifest's content and of the files it points to. `remarks` are sentences on how
    the manifest was read and split where that is not plain. `answers` are what a person said of
    files that leave something open, by the key of the `Question`; its sources carry them.
    """

    name: str
    cases: tuple[PatientCase, ...]
    task: TaskSpec
    modalities: tuple[str, ...]
    fingerprint: str
    set_aside: tuple[int, ...] = ()
    remarks: tuple[str, ...] = ()
    answers: Mapping[str, str] = field(default_factory=dict)

    def split(self, name: str) -> tuple[PatientCase, ...]:
        """The cases of one split, in the manifest's order."""
        return tuple(case for case in self.cases if case.split == name)


def target_array(cases: Sequence[PatientCase]) -> np.ndarray:
    """Targets of labelled cases: (n,) float64, or (n, K) with NaN where unknown for multilabel."""
    return np.array([case.target for case in cases], np.float64)


def to_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: the same text for the same value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % interval. NaN where it cannot be computed.

    `prevalence` goes with a figure that reaches it by guessing, `by_chance` with an error: below
    it lie 95 of 100 errors of chances that are right.
    """

    value: float
    low: float
    high: float
    prevalence: float | None = None
    by_chance: float | None = None

    @property
    def bounded(self) -> bool:
        """True if both ends can be computed."""
        return bool(np.isfinite(self.low) and np.isfinite(self.high))

    def as_dict(self) -> dict[str, float | None]:
        """As JSON: {value, low, high}, null for NaN; with what else is told."""
        told = {"value": self.value, "low": self.low, "high": self.high}
        more = {"prevalence": self.prevalence, "by_chance": self.by_chance}
        told |= {name: value for name, value in more.items() if value is not None}
        return {key: float(n) if np.isfinite(n) else None for key, n in told.items()}


@dataclass(frozen=True)
class Prediction:
    """The answer to one case. `as_dict` is the JSON of `predict --json`.

    `unvalidated` is True where no held-out patients speak for an answer from what was used.
    """

    adapter: str
    case_id: str
    task: str
    prediction: str | list[str] | None
    probabilities: Mapping[str, float]
    contributions: Mapping[str, float]
    baseline: float
    used: tuple[str, ...]
    missing: tuple[str, ...]
    remarks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    conformal_set: tuple[str, ...] = ()
    coverage: float | None = None
    guard: Mapping[str, Any] = field(default_factory=dict)
    value: float | None = None
    interval: tuple[float, float] | None = None
    seconds: float = 0.0
    unvalidated: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The prediction as JSON, by the contract; regression gives value and interval."""
        shared = {
            "adapter": self.adapter,
            "case_id": self.case_id,
            "task": self.task,
            "contributions": dict(self.contributions),
            "baseline": self.baseline,
            "used": list(self.used),
            "missing": list(self.missing),
            "remarks": list(self.remarks),
            "warnings": list(self.warnings),
            "guard": dict(self.guard),
            "unvalidated": self.unvalidated,
            "seconds": self.seconds,
        }
        if self.task == "regression":
            return shared | {"value": self.value, "interval": self.interval}
        return shared | {
            "prediction": self.prediction,
            "probabilities": dict(self.probabilities),
            "conformal_set": list(self.conformal_set),
            "coverage": self.coverage,
        }
