"""What a model makes of prepared cases: features for the probe, logits for everyone else."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor

import numpy as np
import torch

from fmstudio.encoders.batching import Batch, collate
from fmstudio.features.inputs import PreparedCases
from fmstudio.features.threads import side_by_side
from fmstudio.model.feature_layout import FeatureLayout
from fmstudio.model.shared import SharedModel, Started
from fmstudio.types import Prepared

BATCH = 16

# Ids of cases, and what is hidden of each, to the cases after the layers that were run before.
Made = Callable[[Sequence[str], Sequence[set[str]]], Started]


def autocast(device: torch.device) -> contextlib.AbstractContextManager[object]:
    """bf16 on a GPU. Not on a CPU: without hardware for it, it is 20 times slower."""
    if device.type == "cuda":
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return contextlib.nullcontext()


def _batches(
    model: SharedModel,
    cases: PreparedCases,
    ids: Sequence[str],
    only: str | None,
    made: Made | None = None,
) -> Iterator[tuple[slice, Batch | Started]]:
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
    layout = FeatureLayout.of(model.config)
    width = layout.features
    values = np.zeros((len(ids), len(kept), layout.with_columns), np.float32)
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
    the other, but each case is read once, and a head that reads nothing of what the trunk makes of
    the tokens (see `probe`) is asked once: its logits are the sum of the modalities' own parts.
    """
    model.eval()
    place = {subset: {case: row for row, case in enumerate(ids)} for subset, ids in rows.items()}
    found = {subset: np.zeros((len(ids), model.config.outputs)) for subset, ids in rows.items()}
    everyone = list(dict.fromkeys(case for ids in rows.values() for case in ids))
    asked = _through_trunk if _reads_trunk(model) else _from_parts
    with side_by_side(model.device) as pool:
        for start in range(0, len(everyone), BATCH):
            loaded = {case: cases.load(case) for case in everyone[start : start + BATCH]}
            chosen = {
                subset: own
                for subset, ids in place.items()
                if (own := [case for case in loaded if case in ids])
            }
            for subset, logits in asked(model, loaded, chosen, pool):
                found[subset][[place[subset][case] for case in chosen[subset]]] = logits
    return found


Loaded = Mapping[str, Mapping[str, Prepared]]
Chosen = Mapping[tuple[str, ...], Sequence[str]]
Answers = Iterator[tuple[tuple[str, ...], np.ndarray]]


def _reads_trunk(model: SharedModel) -> bool:
    """Whether the head reads the last features of any modality, those that the trunk makes."""
    return bool(model.task_head.weight[:, -model.config.width :].any())


def _through_trunk(model: SharedModel, loaded: Loaded, chosen: Chosen, pool: Executor) -> Answers:
    """The model asked anew for every subset, several of them at a time."""

    @torch.inference_mode()  # holds for one thread, so anew in each
    def ask(subset: tuple[str, ...]) -> np.ndarray:
        given = [{name: loaded[case][name] for name in subset} for case in chosen[subset]]
        return _logits(model, collate(given, model.device))

    return zip(chosen, pool.map(ask, chosen), strict=True)


def _from_parts(model: SharedModel, loaded: Loaded, chosen: Chosen, pool: Executor) -> Answers:
    """The parts of the modalities in a subset, added up."""
    head, place = model.task_head, {case: row for row, case in enumerate(loaded)}
    with autocast(model.device):
        batch = collate(list(loaded.values()), model.device)
        parts = head.parts(model.features(batch)).float()
    for subset, own in chosen.items():
        inside = torch.tensor([name in subset for name in model.modalities], device=parts.device)
        logits = (parts * inside[:, None]).sum(1) + head.bias
        yield subset, logits[[place[case] for case in own]].cpu().numpy()


def _logits(model: SharedModel, batch: Batch | Started) -> np.ndarray:
    with autocast(model.device):
        logits: np.ndarray = model(inputs=batch).logits.float().cpu().numpy()
    return logits
