"""Names of features, channels and modalities as vectors, so that a new name is no new model.

A name is cut into words and character trigrams, each hashed into a bucket; its vector is the mean
of the buckets' learned vectors (fastText: Bojanowski et al. 2017). "heart_rate", "Heart Rate" and
"HeartRate" share most buckets.
"""

from __future__ import annotations

import re
import zlib
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn

BUCKETS = 4096
PIECES = 24  # buckets a name; longer names keep their first pieces


@lru_cache(maxsize=20_000)
def _buckets(name: str) -> tuple[int, ...]:
    words = re.findall(r"[^\W\d_]+|\d+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name))
    pieces: list[str] = []
    for word in (word.lower() for word in words):
        bounded = f"<{word}>"
        pieces.append(bounded)
        pieces.extend(bounded[i : i + 3] for i in range(len(bounded) - 2) if len(word) > 3)
    # crc32 is stable across processes and versions, which Python's own hash is not.
    found = [zlib.crc32(piece.encode()) % (BUCKETS - 1) + 1 for piece in pieces or [name]]
    return tuple(found[:PIECES])


def name_ids(names: list[str]) -> np.ndarray:
    """Bucket numbers (len(names), PIECES) int32 from 1; 0 fills up."""
    ids = np.zeros((len(names), PIECES), np.int32)
    for row, name in enumerate(names):
        found = _buckets(name)
        ids[row, : len(found)] = found
    return ids


class NameEmbedding(nn.Module):
    """Bucket numbers (…, PIECES) to vectors (…, width)."""

    def __init__(self, width: int, inner: int = 96) -> None:
        super().__init__()
        self.table = nn.Embedding(BUCKETS, inner, padding_idx=0)
        self.project = nn.Linear(inner, width)

    def forward(self, ids: Tensor) -> Tensor:
        """ids (…, PIECES) to (…, width)."""
        ids = ids.long()
        total = self.table(ids).sum(-2)
        # Divided by the root, so that a name of many pieces is as long a vector as one of few.
        pieces = (ids > 0).sum(-1, keepdim=True).clamp(min=1)
        return self.project(total / torch.sqrt(pieces.to(total.dtype)))
