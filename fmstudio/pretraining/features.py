"""Examples in, the frozen encoders' features of them out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch

from fmstudio.encoders.batching import collate
from fmstudio.model.feature_layout import overview_size
from fmstudio.model.shared import SharedModel
from fmstudio.pretraining.stream import Example

BATCH = 16


@torch.inference_mode()
def features(model: SharedModel, modality: str, examples: Iterable[Example]) -> np.ndarray:
    """Of inputs of one modality, unhidden: the encoder's tokens of the whole, and mean and spread
    of the others (n, (W + 2) · D).

    No more than a batch of examples is held at a time.
    """
    model.eval()
    key = model.config.routes[modality]
    rows = [np.zeros((0, overview_size(model.config, key)), np.float32)]
    for part in _batches(examples):
        batch = collate([{modality: one.inputs[modality]} for one in part], model.device)
        tokens = model.tokens(modality, batch.modalities[modality])
        rows.append(torch.cat(model.overview(key, tokens), -1).float().cpu().numpy())
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
