"""Where unlabelled cases come from: the cases of a cohort, or cases drawn by a generator.

Each input is read and prepared once and then lies in the cache, so a corpus may be larger than
memory.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fmstudio.contracts import Preparer
from fmstudio.errors import InputError
from fmstudio.features.cache import Cache, content_key
from fmstudio.features.inputs import Preparation, source_key
from fmstudio.pretraining.descriptors import measure
from fmstudio.pretraining.stream import Example
from fmstudio.types import BESIDE, ModalityInput, PatientCase, Prepared

KNOWN = "known"
Beside = Callable[[ModalityInput, str], Mapping[str, float]]


@dataclass
class StoredSource:
    """Cases whose inputs lie in the cache: {modality: key} each, and their ids."""

    name: str
    weight: float
    cache: Cache
    cases: Sequence[Mapping[str, str]]
    ids: Sequence[str]

    def __len__(self) -> int:
        return len(self.cases)

    def example(self, number: int) -> Example:
        """Case `number`, from the cache."""
        read = {name: self.cache.read(key) for name, key in self.cases[number].items()}
        return _example(read)


@dataclass
class DrawnSource:
    """Cases drawn by number: `draw(number)` gives inputs and what is known of them, by modality.

    A case is drawn and prepared when it is first asked for, and read from the cache from then on.
    `key` says what the drawing depends on.
    """

    name: str
    weight: float
    cache: Cache
    size: int
    key: str
    draw: Callable[[int], Mapping[str, tuple[ModalityInput, Mapping[str, float]]]]
    preparers: Mapping[str, Preparer]

    def __len__(self) -> int:
        return self.size

    def example(self, number: int) -> Example:
        """Case `number`; the same each time."""
        made_by = {name: preparer.key for name, preparer in self.preparers.items()}
        key = content_key("drawn", self.name, self.key, number, made_by)
        if key not in self.cache:
            self.cache.write(key, self._made(number))
        found: dict[str, dict[str, np.ndarray]] = {}
        for path, array in self.cache.read(key).items():
            modality, name = path.split("/")
            found.setdefault(modality, {})[name] = array
        return _example(found)

    def _made(self, number: int) -> dict[str, np.ndarray]:
        """The arrays of a case, or of the next one where its preparers know no name of this one."""
        arrays: dict[str, np.ndarray] = {}
        while not arrays:
            for modality, (given, known) in self.draw(number).items():
                if modality not in self.preparers:
                    continue
                with contextlib.suppress(InputError):  # of channels that no fitted case had
                    prepared = self.preparers[modality].prepare(given)
                    packed = pack(prepared, {**measure(given, prepared), **known})
                    arrays |= {f"{modality}/{name}": array for name, array in packed.items()}
            number += self.size
        return arrays


def store_cases(
    name: str,
    weight: float,
    cases: Sequence[PatientCase],
    preparers: Mapping[str, Preparer],
    preparation: Preparation,
    beside: Beside = lambda given, case_id: {},
    beside_key: str = "",
) -> StoredSource:
    """Reads and prepares the cases' inputs of every modality that has a preparer.

    What cannot be read is left out and told in `preparation.unreadable`. `beside` gives what else
    is known of an input of a case; where it is not of the input alone, `beside_key` says of what.
    """
    keys: dict[str, dict[str, str]] = {}
    for done, (modality, preparer) in enumerate(preparers.items()):
        for number, (case, given) in enumerate(preparation.inputs(modality, cases, keep=True)):
            preparation.report((done + number / len(cases)) / len(preparers))
            source = source_key(modality, case.sources[modality])
            made_by = [preparer.key, beside_key, case.case_id] if beside_key else preparer.key
            key = content_key("example", source, made_by)
            if key not in preparation.cache:
                prepared = preparer.prepare(given)
                if not prepared.length:
                    continue
                known = {**measure(given, prepared), **beside(given, case.case_id)}
                preparation.cache.write(key, pack(prepared, known))
            keys.setdefault(case.case_id, {})[modality] = key
    return StoredSource(name, weight, preparation.cache, list(keys.values()), list(keys))


def pack(prepared: Prepared, known: Mapping[str, float]) -> dict[str, np.ndarray]:
    """A prepared input and what is known of it as arrays; large ones in half precision."""
    arrays = {
        name: array.astype(np.float16) if _large(array) else array
        for name, array in prepared.arrays.items()
        if name not in BESIDE
    }
    text = json.dumps({name: float(value) for name, value in known.items()}).encode()
    return arrays | {KNOWN: np.frombuffer(text, np.uint8).copy()}


def _large(array: np.ndarray) -> bool:
    return array.dtype == np.float32 and array.ndim > 1 and array.shape[-1] > 8


def _example(read: Mapping[str, Mapping[str, np.ndarray]]) -> Example:
    inputs, known = {}, {}
    for modality, arrays in read.items():
        known[modality] = json.loads(arrays[KNOWN].tobytes())
        inputs[modality] = Prepared(
            {
                name: array.astype(np.float32) if array.dtype == np.float16 else array
                for name, array in arrays.items()
                if name != KNOWN
            }
        )
    return Example(inputs, known)
