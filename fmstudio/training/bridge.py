"""The bridge from a checkpoint's tokens to the trunk, fitted to training patients before training.

A principal component analysis (Hotelling 1933): the directions in which tokens differ most come
first, their mean is taken away through the bias, and the whole is scaled to the size of the tokens
that the trunk was pretrained on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch

from fmstudio.features.inputs import PreparedCases, encode
from fmstudio.model.shared import SharedModel

# Root mean square of a token's numbers: that of the layer norm in which embedded encoders end.
TOKEN_SIZE = 1.0
NOTHING = 1e-9  # share of the largest variance below which a direction is rounding


def fit_bridges(model: SharedModel, cases: PreparedCases, train: Sequence[str]) -> None:
    """Fits the bridge of every checkpoint of `model` to the tokens of training cases."""
    for key in model.checkpoints:
        modalities = [name for name, used in model.config.routes.items() if used == key]
        bridge = model.bridges[key]
        found = principal(_tokens(model, cases, train, modalities), *bridge.weight.shape)
        with torch.no_grad():
            for name, values in zip(("weight", "bias"), found, strict=True):
                own = getattr(bridge, name)
                own.copy_(torch.as_tensor(values, dtype=own.dtype))


def _tokens(
    model: SharedModel, cases: PreparedCases, ids: Sequence[str], modalities: Sequence[str]
) -> Iterable[np.ndarray]:
    """The tokens (T, D) of each input of some modalities, run now if they were not before."""
    for case_id in ids:
        for modality, prepared in cases.load(case_id).items():
            if modality in modalities:
                ran = "tokens" in prepared.arrays
                encoded = prepared if ran else encode(model, modality, prepared)
                yield encoded.arrays["tokens"]


def principal(
    tokens: Iterable[np.ndarray], width: int, given: int
) -> tuple[np.ndarray, np.ndarray]:
    """Weight (width, given) and bias (width) of the components of tokens, each (T, given).

    Rows for which the tokens have no direction left are zero. A direction's sign is such that its
    largest number is positive.
    """
    count, total, products = 0, np.zeros(given), np.zeros((given, given))
    for one in tokens:
        exact = one.astype(np.float64)
        count += len(exact)
        total += exact.sum(0)
        products += exact.T @ exact
    weight = np.zeros((width, given))
    if count == 0:
        return weight, np.zeros(width)
    mean = total / count
    variances, directions = np.linalg.eigh(products / count - np.outer(mean, mean))
    order = np.argsort(-variances)[:width]
    order = order[variances[order] > NOTHING * max(variances.max(), np.finfo(float).tiny)]
    rows = directions[:, order].T
    largest = np.abs(rows).argmax(1)
    rows = rows * np.sign(rows[np.arange(len(rows)), largest])[:, None]
    size = np.sqrt(variances[order].sum() / width)
    if size > 0:
        weight[: len(rows)] = rows * (TOKEN_SIZE / size)
    return weight, -weight @ mean
