"""A few inputs of a cohort read, to tell what all of them will cost. Free of torch.

How many items an encoder looks at and how many tokens it gives is said here once more, in numbers
of what was read, so that nothing has to be prepared.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from fmstudio.errors import StudioError
from fmstudio.sandbox import Reader
from fmstudio.types import ModalityInput, PatientCase

LOOKED_AT = 4  # inputs of a modality; the first of all only warms the reading process up


@dataclass(frozen=True)
class Size:
    """What one input of a modality is like on average: seconds to read it, items that its embedded
    encoder looks at, tokens for the trunk."""

    seconds: float
    items: float
    tokens: float


# Inputs about as large as most, for a cohort that cannot be looked into.
TYPICAL: Mapping[str, Size] = {
    "frames": Size(0.040, 256, 16),
    "waveform": Size(0.010, 64, 14),
    "series": Size(0.015, 32, 32),
    "table": Size(0.002, 12, 12),
    "text": Size(0.003, 128, 18),
}


def sizes(reader: Reader, cases: Sequence[PatientCase]) -> dict[str, Size]:
    """The size of a modality's inputs, from a few spread evenly over the cases."""
    found = {}
    for modality in sorted({name for case in cases for name in case.sources}):
        having = [case for case in cases if case.sources.get(modality)]
        places = np.linspace(0, len(having) - 1, min(LOOKED_AT, len(having))).round()
        read = []
        for place in places.astype(int):
            sources = having[place].sources[modality]
            started = time.perf_counter()
            try:
                given = reader.read(modality, sources)
            except StudioError:  # the report has said so; the run leaves it out
                continue
            if not given.empty:
                read.append((time.perf_counter() - started, *_counted(given)))
        if read:
            seconds, items, tokens = zip(*read, strict=True)
            found[modality] = Size(fmean(seconds[1:] or seconds), fmean(items), fmean(tokens))
    return found


def _counted(given: ModalityInput) -> tuple[float, float]:
    """Items and tokens of an input."""
    values, mask = given.values, np.asarray(given.mask)
    if given.kind == "frames":
        frames = min(int(mask.sum()), 8)
        return 64.0 * frames, 16.0 if frames == 1 else 4.0 * -(-frames // -(-frames // 4))
    if given.kind == "waveform":
        patches = max(1.0, len(values) / float(given.facts["rate"]) / 0.256)
        return patches, patches / -(-patches // 16)
    if given.kind == "series":
        channels = max(1, int(mask.any(axis=0).sum()))
        items = min(channels, 48) * float(np.clip(32 // channels, 1, 16))
        return items, items
    if given.kind == "table":
        return float(mask.sum()), float(mask.sum())
    subwords = min(512.0, max(1.0, len(str(values)) / 4.3))
    return subwords, 3 + min(16.0, subwords)
