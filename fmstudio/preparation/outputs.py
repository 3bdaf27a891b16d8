"""What a model makes of prepared cases: features for the probe, logits for everyone else."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence

import numpy as np
import torch

from fmstudio.model.batching import collate
from fmstudio.model.shared import Batch, SharedModel, feature_count
from fmstudio.preparation.inputs import PreparedCases

BATCH = 32


def autocast(device: torch.device) -> contextlib.AbstractContextManager[object]:
    """bf16 on a GPU. Not on a CPU: without hardware for it, it is 20 times slower."""
    if device.type == "cuda":
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return contextlib.nullcontext()


def _batches(
    model: SharedModel, cases: PreparedCases, ids: Sequence[str], only: Collection[str]
) -> Iterator[tuple[slice, Batch]]:
    """Batches of prepared cases; with `only`, of these modalities and no others."""
    model.eval()
    hidden = set(model.modalities) - set(only) if only else set()
    for start in range(0, len(ids), BATCH):
        chosen = [cases.load(case_id, hidden) for case_id in ids[start : start + BATCH]]
        yield slice(start, start + len(chosen)), collate(chosen, model.device)


@torch.inference_mode()
def features_of(
    model: SharedModel, cases: PreparedCases, ids: Sequence[str], only: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, M, F) float32 and presence (n, M) of cases, in their order.

    With `only`, the model sees that modality and no other, and M is 1; every case must have it.
    """
    kept = [model.modalities.index(only)] if only else list(range(len(model.modalities)))
    values = np.zeros((len(ids), len(kept), feature_count(model.config)), np.float32)
    present = np.zeros((len(ids), len(kept)), np.float32)
    for rows, batch in _batches(model, cases, ids, [only] if only else ()):
        features = model.features(batch)
        values[rows] = features.values[:, kept].float().cpu().numpy()
        present[rows] = features.present[:, kept].float().cpu().numpy()
    return values, present


@torch.inference_mode()
def logits_of(
    model: SharedModel, cases: PreparedCases, ids: Sequence[str], only: Collection[str] = ()
) -> np.ndarray:
    """Logits (n, K) float64 of cases, in their order.

    With `only`, the model sees these modalities and no others; every case must have one of them.
    """
    logits = np.zeros((len(ids), model.config.outputs))
    for rows, batch in _batches(model, cases, ids, only):
        with autocast(model.device):
            logits[rows] = model(inputs=batch).logits.float().cpu().numpy()
    return logits
