"""What the frozen model makes of prepared cases: the features that the probe reads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from fmstudio.model.batching import collate
from fmstudio.model.shared import FEATURES_PER_TOKEN, SharedModel
from fmstudio.training.inputs import PreparedCases

BATCH = 32


@torch.inference_mode()
def features_of(
    model: SharedModel, cases: PreparedCases, ids: Sequence[str], only: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, M, F) float32 and presence (n, M) of cases, in their order.

    With `only`, the model sees that modality and no other; every case must have it.
    """
    model.eval()
    hidden = set(model.modalities) - {only} if only else set()
    width = FEATURES_PER_TOKEN * model.config.width
    values = np.zeros((len(ids), len(model.modalities), width), np.float32)
    present = np.zeros((len(ids), len(model.modalities)), np.float32)
    for start in range(0, len(ids), BATCH):
        chosen = ids[start : start + BATCH]
        batch = collate([cases.load(case_id, hidden) for case_id in chosen], model.device)
        features = model.features(batch)
        values[start : start + BATCH] = features.values.float().cpu().numpy()
        present[start : start + BATCH] = features.present.float().cpu().numpy()
    return values, present
