"""From prepared cases to a batch: the only place where anything is padded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fmstudio.types import BESIDE, Prepared


@dataclass
class ModalityBatch:
    """One modality of a batch: which cases have it, and their arrays padded to (R, N, …).

    `arrays` are what the encoder takes, or {"tokens": (R, T, its width)} where
    it ran before.
    """

    rows: Tensor
    arrays: dict[str, Tensor]
    mask: Tensor


@dataclass
class Batch:
    """B cases: a ModalityBatch for each modality that any of them has."""

    size: int
    modalities: dict[str, ModalityBatch]


def _pad(arrays: Sequence[np.ndarray], length: int) -> Tensor:
    """Arrays (N_i, …) to one tensor (len(arrays), length, …), zeros behind each."""
    padded = np.zeros((len(arrays), length, *arrays[0].shape[1:]), arrays[0].dtype)
    for row, array in enumerate(arrays):
        padded[row, : len(array)] = array
    return torch.from_numpy(padded)


def collate(cases: Sequence[Mapping[str, Prepared]], device: torch.device | str = "cpu") -> Batch:
    """Cases, each {modality: Prepared}, to one Batch. A case may lack any modality."""
    modalities: dict[str, ModalityBatch] = {}
    for modality in dict.fromkeys(name for case in cases for name in case):
        rows = [row for row, case in enumerate(cases) if modality in case]
        given = [cases[row][modality] for row in rows]
        lengths = torch.tensor([one.length for one in given])
        longest = int(lengths.max())
        arrays = {
            name: _pad([one.arrays[name] for one in given], 1 if name in BESIDE else longest).to(
                device
            )
            for name in given[0].arrays
        }
        mask = torch.arange(longest)[None] < lengths[:, None]
        modalities[modality] = ModalityBatch(
            torch.tensor(rows, device=device), arrays, mask.to(device)
        )
    return Batch(len(cases), modalities)
