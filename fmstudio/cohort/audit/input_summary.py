"""One input as the checks see it: small, and enough to tell duplicates, faults and odd ones out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from fmstudio.cohort.audit.perceptual_hashes import marks_of
from fmstudio.cohort.audit.signal_quality import ENOUGH_READINGS, flaws_of, look_of
from fmstudio.sandbox.index_time import LEFT_OUT
from fmstudio.types import ModalityInput, OpenQuestion

VERSION = 5  # goes up when the same input would give another digest
MOST_NUMBERS = 400
MOST_TEXT = 50_000

Reading = tuple[str, float, float, float, int]


@dataclass(frozen=True)
class Digest:
    """What is kept of one modality of one case.

    `length` is seconds of a waveform or series, frames, rows or characters of the others;
    `numbers` are (unit, lowest, highest, last, count) by name of channel or feature; `flaws` see
    looks.py, `marks` see marks.py, `about` see `contracts.Described`. `text` is a text's. `late`
    counts the readings after the moment of prediction, which are left out. `left_open` is what was
    assumed on the way and a person may know better.
    """

    kind: str
    empty: bool
    length: float
    look: np.ndarray
    marks: Mapping[str, np.ndarray]
    flaws: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, Reading] = field(default_factory=dict)
    text: str = ""
    about: Mapping[str, Sequence[str]] = field(default_factory=dict)
    late: int = 0
    left_open: tuple[OpenQuestion, ...] = ()

    @property
    def flat(self) -> tuple[str, ...]:
        """The channels that do not change, where some do."""
        if self.kind != "series" or "part" not in self.flaws:
            return ()
        return tuple(
            n
            for n, (_, low, high, _, count) in self.numbers.items()
            if low == high and count > ENOUGH_READINGS
        )


def digest_of(
    given: ModalityInput,
    about: Mapping[str, Sequence[str]],
    left_open: Sequence[OpenQuestion] = (),
) -> Digest:
    """The digest of an input that was read, with what the headers of its files say."""
    return Digest(
        given.kind,
        given.empty,
        _length(given),
        look_of(given),
        marks_of(given),
        flaws_of(given),
        _numbers(given),
        given.values[:MOST_TEXT] if isinstance(given.values, str) else "",
        {what: tuple(said) for what, said in about.items()},
        int(given.facts.get(LEFT_OUT, 0)),
        tuple(left_open),
    )


def _length(given: ModalityInput) -> float:
    if given.kind == "waveform":
        return len(given.values) / float(given.facts["rate"])
    if given.kind == "series":
        return float(given.facts["seconds"][-1]) if len(given.facts["seconds"]) else 0.0
    return float(len(given.values))


def _numbers(given: ModalityInput) -> dict[str, Reading]:
    """The range of every named number of a series or table."""
    if given.kind == "series":
        columns = [
            (str(name), str(unit), np.asarray(given.values)[given.mask[:, i], i])
            for i, (name, unit) in enumerate(
                zip(given.facts["channels"], given.facts["units"], strict=True)
            )
        ]
    elif given.kind == "table":
        gathered: dict[str, tuple[str, list[float]]] = {}
        facts = (given.facts["names"], given.facts["units"], given.facts["categories"])
        for i, (name, unit, category) in enumerate(zip(*facts, strict=True)):
            if given.mask[i] and category is None and unit != "date":
                gathered.setdefault(str(name), (str(unit), []))[1].append(float(given.values[i]))
        columns = [(name, unit, np.array(known)) for name, (unit, known) in gathered.items()]
    else:
        columns = []
    return {
        name: (unit, float(known.min()), float(known.max()), float(known[-1]), len(known))
        for name, unit, known in columns[:MOST_NUMBERS]
        if len(known)
    }


def to_arrays(digest: Digest) -> dict[str, np.ndarray]:
    """A digest as arrays for the cache."""
    rest = {
        "kind": digest.kind,
        "empty": digest.empty,
        "length": digest.length,
        "flaws": dict(digest.flaws),
        "numbers": digest.numbers,
        "text": digest.text,
        "about": {what: list(said) for what, said in digest.about.items()},
        "late": digest.late,
        "left_open": [asdict(one) for one in digest.left_open],
    }
    content = json.dumps(rest).encode()
    marks = {f"mark {name}": vectors for name, vectors in digest.marks.items()}
    return {"rest": np.frombuffer(content, np.uint8), "look": digest.look, **marks}


def from_arrays(arrays: Mapping[str, np.ndarray]) -> Digest:
    """What `to_arrays` was given."""
    rest: dict[str, Any] = json.loads(arrays["rest"].tobytes())
    numbers = {name: tuple(known) for name, known in rest["numbers"].items()}
    marks = {n.removeprefix("mark "): v for n, v in arrays.items() if n.startswith("mark ")}
    left_open = tuple(
        OpenQuestion(tuple(one["keys"]), one["message"], tuple(one["choices"]), one["needed"])
        for one in rest["left_open"]
    )
    return Digest(
        rest["kind"],
        rest["empty"],
        rest["length"],
        arrays["look"],
        marks,
        rest["flaws"],
        numbers,
        rest["text"],
        rest["about"],
        rest["late"],
        left_open,
    )
