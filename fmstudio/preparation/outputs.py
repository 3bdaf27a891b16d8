"""What a model makes of prepared cases: features for the probe, logits for everyone else."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch

from fmstudio.model.batching import collate
from fmstudio.model.shared import (
    Batch,
    SharedModel,
    Started,
    column_count,
    feature_count,
)
from fmstudio.preparation.inputs import PreparedCases

BATCH = 16

# Ids of cases, and what is hidden of each, to the cases after the layers that were run before.
Made = Callable[[Sequence[str], Sequence[set[str]]], Started]


def autocast(device: torch.device) -> contextlib.AbstractContextManager[object]:
    """bf16 on a GPU. Not on a CPU: without hardware for it, it is 20 times slower."""
    if device.type == "cuda":
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return contextlib.nullcontext()


def _batches(
    model: SharedModel, cases: PreparedCases, ids: Sequence[str], only: str | None,
    made: Made | None = None,
) -> Iterator[tuple[slice, Batch | Started]]:  # fmt: skip
    """Batches of prepared cases; with `only`, of that modality and no other."""
    model.eval()
    hidden = set(model.modalities) - {only} if only else set()
    for start in range(0, len(ids), BATCH):
        chosen = ids[start : start + BATCH]
        rows = slice(start, start + len(chosen))
        if made is not None:
            yield rows, made(chosen, [hidden] * len(chosen))
        else:
            loaded = [cases.load(case_id, hidden) for case_id in chosen]
            yield rows, collate(loaded, model.device)


@torch.inference_mode()
def features_of(
    model: SharedModel, cases: PreparedCases, ids: Sequence[str], only: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, M, F + C) float32 and presence (n, M) of cases, in their order; the last C are
    the columns that trees read, NaN where a value is missing.

    With `only`, the model sees that modality and no other, and M is 1; every case must have it.
    """
    kept = [model.modalities.index(only)] if only else list(range(len(model.modalities)))
    width, more = feature_count(model.config), column_count(model.config)
    values = np.zeros((len(ids), len(kept), width + more), np.float32)
    present = np.zeros((len(ids), len(kept)), np.float32)
    for rows, batch in _batches(model, cases, ids, only):
        features = model.features(batch)
        values[rows, :, :width] = features.values[:, kept].float().cpu().numpy()
        values[rows, :, width:] = features.columns[:, kept].cpu().numpy()
        present[rows] = features.present[:, kept].float().cpu().numpy()
    return values, present


@torch.inference_mode()
def logits_of(
    model: SharedModel, cases: PreparedCases, ids: Sequence[str], made: Made | None = None
) -> np.ndarray:
    """Logits (n, K) float64 of cases, in their order; `made` gives them some layers on."""
    logits = np.zeros((len(ids), model.config.outputs))
    for rows, batch in _batches(model, cases, ids, None, made):
        logits[rows] = _logits(model, batch)
    return logits


@torch.inference_mode()
def logits_of_subsets(
    model: SharedModel, cases: PreparedCases, rows: Mapping[tuple[str, ...], Sequence[str]]
) -> dict[tuple[str, ...], np.ndarray]:
    """For each subset of the modalities the logits (n, K) of its cases, given that and no more.

    `rows` names for each subset the ids of cases that have all of it. As `logits_of` for one after
    the other, but each case is read once.
    """
    model.eval()
    place = {subset: {case: row for row, case in enumerate(ids)} for subset, ids in rows.items()}
    found = {subset: np.zeros((len(ids), model.config.outputs)) for subset, ids in rows.items()}
    everyone = list(dict.fromkeys(case for ids in rows.values() for case in ids))
    for start in range(0, len(everyone), BATCH):
        loaded = {case: cases.load(case) for case in everyone[start : start + BATCH]}
        for subset, own in place.items():
            chosen = [case for case in loaded if case in own]
            if chosen:
                given = [{name: loaded[case][name] for name in subset} for case in chosen]
                batch = collate(given, model.device)
                found[subset][[own[case] for case in chosen]] = _logits(model, batch)
    return found


def _logits(model: SharedModel, batch: Batch | Started) -> np.ndarray:
    with autocast(model.device):
        logits: np.ndarray = model(inputs=batch).logits.float().cpu().numpy()
    return logits
