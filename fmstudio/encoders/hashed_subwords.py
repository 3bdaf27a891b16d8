"""Which subwords a text has, as a row of numbers short enough for a linear fit to a few patients.

Rare words decide many a cohort, and the mean of a language model's states drowns them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

SKETCHED = 4  # places of the sketch that a subword adds to


def sketch_of(ids: Sequence[int], size: int) -> np.ndarray:
    """The sketch (size,) of one text's subwords (N,), each that comes c times counting log(1 + c)
    (Salton & Buckley 1988)."""
    found, counts = np.unique(np.array(ids, np.int64), return_counts=True)
    share = torch.from_numpy(np.log1p(counts).astype(np.float32))
    return sketch(torch.from_numpy(found)[None], share[None], size)[0].numpy()


def sketch(ids: Tensor, share: Tensor, size: int) -> Tensor:
    """Which ids (B, N) there are, by their share (B, N): (B, size), of mean square 1.

    Every id adds to SKETCHED places, with signs, that a hash of it names: inner products of such
    sketches are those of the counts but for noise (feature hashing: Weinberger et al. 2009, arXiv
    0902.2206; several places: Kane & Nelson 2014, arXiv 1012.1577).
    """
    total = share.new_zeros(len(ids), size)
    for turn in range(SKETCHED):
        hashed = _mixed(ids * SKETCHED + turn)
        sign = (hashed & 1) * 2 - 1
        total = total.scatter_add(1, (hashed >> 1) % size, share * sign)
    return functional.normalize(total, dim=-1) * size**0.5


def _mixed(numbers: Tensor) -> Tensor:
    """A hash of 32 bits of each number (the finalizer of MurmurHash3: Appleby 2011)."""
    bits = 0xFFFFFFFF
    found = numbers & bits
    found = ((found ^ (found >> 16)) * 0x85EBCA6B) & bits
    found = ((found ^ (found >> 13)) * 0xC2B2AE35) & bits
    return found ^ (found >> 16)
