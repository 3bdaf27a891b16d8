"""Unlabelled cases as a stream: sources with weights in, batches fixed by (seed, step) out.

A source gives one case at a time by its number, read from disk or drawn anew, so a corpus may be
larger than memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import torch

from fmstudio.encoders.batching import Batch, collate
from fmstudio.types import Prepared


@dataclass(frozen=True)
class Example:
    """One case to learn from.

    `inputs` are prepared for their encoders. `known` are numbers that are known of what an input
    shows, {modality: {name: number}}: measured from it, or written down beside it. `place` is where
    a mixture has it from: the source's place among its sources, and its number there.
    """

    inputs: Mapping[str, Prepared]
    known: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    place: tuple[int, int] = (0, 0)

    @property
    def items(self) -> int:
        """Items of all inputs together: what a case costs."""
        return sum(one.length for one in self.inputs.values())


class Source(Protocol):
    """Where cases come from. `weight` is its share of the batches, against the other sources'."""

    name: str
    weight: float

    def __len__(self) -> int: ...

    def example(self, number: int) -> Example:
        """Case `number` of the source; the same each time."""
        ...


@dataclass(frozen=True)
class Drawn:
    """A batch to learn from: the model's batch, and the examples it was made of, in its order."""

    batch: Batch
    examples: Sequence[Example]


@dataclass(frozen=True)
class Mixture:
    """Batches from sources by their weights.

    A batch comes from one source, so that its cases are alike in what they have, and holds
    `most_cases` cases or `most_items` items, whichever is reached first, but at least two cases.
    Of an input longer than `longest` items a part is shown, another one each time; `windows` says
    how many items of a modality stay together.
    """

    sources: Sequence[Source]
    seed: int
    most_cases: int = 64
    most_items: int = 2048
    longest: int = 128
    windows: Mapping[str, int] = field(default_factory=dict)

    def draw(self, step: int, device: torch.device | str = "cpu") -> Drawn:
        """The batch of a step: the same whenever it is asked for."""
        random = np.random.default_rng([self.seed, step])
        weights = np.array([source.weight for source in self.sources], float)
        source = int(random.choice(len(weights), p=weights / weights.sum()))
        examples = list(self._some(source, random))
        return Drawn(collate([one.inputs for one in examples], device), examples)

    def _some(self, source: int, random: np.random.Generator) -> Iterable[Example]:
        items, size = 0, len(self.sources[source])
        for count, number in enumerate(random.permutation(size)[: self.most_cases]):
            example = self._cut(self.at((source, int(number))), random)
            items += example.items
            if count >= 2 and items > self.most_items:
                return
            yield example

    def _cut(self, example: Example, random: np.random.Generator) -> Example:
        inputs = {
            modality: cut(prepared, self.longest, self.windows.get(modality, 1), random)
            for modality, prepared in example.inputs.items()
        }
        return replace(example, inputs=inputs)

    def at(self, place: tuple[int, int]) -> Example:
        """The whole example at a place."""
        source, number = place
        return replace(self.sources[source].example(number), place=place)

    def places(self, most: int) -> list[tuple[int, int]]:
        """Places of all examples, or of `most` of them spread evenly over every source."""
        every = [(s, n) for s, source in enumerate(self.sources) for n in range(len(source))]
        chosen = np.linspace(0, len(every) - 1, min(most, len(every))).round().astype(int)
        return [every[i] for i in chosen]

    def sample(self, count: int) -> Iterator[Example]:
        """Examples of all sources by weight, to look at before training: the same each time."""
        random = np.random.default_rng([self.seed, 2**31])
        weights = np.array([source.weight for source in self.sources], float)
        chosen = random.choice(len(weights), count, p=weights / weights.sum())
        for i in chosen:
            yield self.at((int(i), int(random.integers(len(self.sources[i])))))


def cut(prepared: Prepared, longest: int, window: int, random: np.random.Generator) -> Prepared:
    """At most `longest` items in a row, in whole windows; groups counted from 0 again."""
    windows, most = prepared.length // window, max(1, longest // window)
    if windows <= most:
        return prepared
    start = int(random.integers(windows - most + 1)) * window
    arrays = {name: a[start : start + most * window] for name, a in prepared.arrays.items()}
    _, group = np.unique(arrays["group"], return_inverse=True)
    return Prepared(arrays | {"group": group.astype(np.int32)})
