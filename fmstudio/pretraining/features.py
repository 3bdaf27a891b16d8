"""Examples in, the frozen encoders' features of them out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch

from fmstudio.model.batching import collate
from fmstudio.model.shared import SharedModel, summary
from fmstudio.pretraining.stream import Example

BATCH = 16


@torch.inference_mode()
def features(model: SharedModel, modality: str, examples: Iterable[Example]) -> np.ndarray:
    """Mean and spread of the encoder's tokens (n, 2 · D) for inputs of one modality, unhidden.

    No more than a batch of examples is held at a time.
    """
    model.eval()
    rows = [np.zeros((0, 2 * model.config.width), np.float32)]
    for part in _batches(examples):
        batch = collate([{modality: one.inputs[modality]} for one in part], model.device)
        tokens = model.tokens(modality, batch.modalities[modality])
        both = torch.cat(summary(tokens.values, tokens.mask), -1)
        rows.append(both.float().cpu().numpy())
    return np.concatenate(rows)


def _batches(examples: Iterable[Example]) -> Iterator[list[Example]]:
    part: list[Example] = []
    for example in examples:
        part.append(example)
        if len(part) == BATCH:
            yield part
            part = []
    if part:
        yield part
