"""The readings of an encoder: numbers that are known of many inputs, read off its features.

After an encoder has learned, a ridge regression per number is fitted to its frozen features, and
what can be read on inputs that the fit did not see becomes part of the base, in standard units: a
few telling features beside the many that the encoder has anyway.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from fmstudio.model.shared import SharedModel
from fmstudio.pretraining.features import features
from fmstudio.pretraining.objectives.auxiliary_regression import LIMIT, group_of
from fmstudio.pretraining.sources import StoredSource
from fmstudio.pretraining.stream import Example

LEAST_KNOWN = 60  # examples in which a number must be known to be read at all
LEAST_READ = 0.05  # share of a number's variance that must be read on unseen inputs
HELD_OUT = 0.25
STRENGTHS = (3.0, 30.0, 300.0)  # of L2, against features of unit variance
MOST_CARRIED = 2000  # inputs of a modality on which readings are carried over


@dataclass(frozen=True)
class Readings:
    """Weight (n, F), bias (n), the names by group in the rows' order, and for each name the share
    of its variance that is read on unseen inputs."""

    weight: np.ndarray
    bias: np.ndarray
    names: dict[str, list[str]]
    read: dict[str, float]

    def install(self, model: SharedModel, key: str) -> None:
        """As a layer of the model, and in its config."""
        layer = nn.Linear(self.weight.shape[1], len(self.weight))
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(self.weight))
            layer.bias.copy_(torch.from_numpy(self.bias))
        model.readings[key] = layer
        model.config.encoders[key]["readings"] = {g: len(n) for g, n in self.names.items()}


def fit_readings(model: SharedModel, key: str, examples: Sequence[Example]) -> Readings | None:
    """What can be read off the features of one encoder; None if nothing can.

    Numbers that belong to a cohort's own channels or columns ("name: number") are left out: they
    mean nothing elsewhere.
    """
    table, known = _known(model, key, examples)
    mean, scale = table.mean(0), table.std(0) + 1e-6
    standard = (table - mean) / scale
    unseen = np.random.default_rng(0).random(len(table)) < HELD_OUT
    rows: dict[str, list[tuple[str, np.ndarray]]] = defaultdict(list)
    read: dict[str, float] = {}
    for there, names in _known_together(known):
        values = np.stack([known[name][there] for name in names], 1)
        fitted, shares = _ridge(standard[there], values, unseen[there])
        for name, one, share in zip(names, fitted.T, shares, strict=True):
            if share >= LEAST_READ:
                rows[group_of(name)].append((name, one))
                read[name] = round(float(share), 3)
    if not rows:
        return None
    groups = {group: sorted(rows[group], key=lambda row: row[0]) for group in sorted(rows)}
    fits = np.stack([fitted for group in groups.values() for _, fitted in group])
    weight = fits[:, :-1] / scale
    bias = fits[:, -1] - weight @ mean
    names = {group: [name for name, _ in found] for group, found in groups.items()}
    return Readings(weight.astype(np.float32), bias.astype(np.float32), names, read)


def _known(
    model: SharedModel, key: str, examples: Sequence[Example]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Features (n, F) of an encoder's inputs, and each number over them (n), NaN if unknown."""
    tables, facts = [], []
    for modality in (m for m in model.modalities if model.config.routes[m] == key):
        having = [e for e in examples if modality in e.inputs]
        if having:
            tables.append(features(model, modality, having))
            facts += [e.known.get(modality, {}) for e in having]
    names = sorted({name for fact in facts for name in fact if ": " not in name})
    known = {n: np.array([fact.get(n, np.nan) for fact in facts], np.float64) for n in names}
    return np.concatenate(tables).astype(np.float64), known


def _known_together(known: Mapping[str, np.ndarray]) -> Iterator[tuple[np.ndarray, list[str]]]:
    """Rows (n) and the names of the numbers that are known in just these, enough of them."""
    together: dict[bytes, list[str]] = defaultdict(list)
    for name, values in known.items():
        there = ~np.isnan(values)
        if there.sum() >= LEAST_KNOWN and values[there].std() > 1e-6:
            together[there.tobytes()].append(name)
    for pattern, names in together.items():
        yield np.frombuffer(pattern, bool), names


def _ridge(table: np.ndarray, values: np.ndarray, unseen: np.ndarray) -> tuple[np.ndarray, ...]:
    """Coefficients and intercepts (F + 1, k) of k standardized numbers, and the share of each one's
    variance (k) that the same fit reads where it did not look."""
    centre, spread = values[~unseen].mean(0), values[~unseen].std(0) + 1e-9
    target = np.clip((values - centre) / spread, -LIMIT, LIMIT)
    tried = _solve(table[~unseen], target[~unseen])
    shares = np.stack([_share(table[unseen], target[unseen], one) for one in tried])  # (S, k)
    best = shares.argmax(0)
    fitted = np.choose(best, _solve(table, target))
    size = np.maximum((table @ fitted[:-1]).std(0), 1e-3)
    return fitted / size, shares.max(0)  # readings have unit variance, whatever share is read


def _share(table: np.ndarray, target: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    if not len(table):
        return np.zeros(target.shape[1])
    left = target - table @ fitted[:-1] - fitted[-1]
    return 1 - (left**2).mean(0) / np.maximum(target.var(0), 1e-9)


def _solve(table: np.ndarray, target: np.ndarray) -> list[np.ndarray]:
    """Coefficients and intercepts (F + 1, k) for each of the strengths."""
    middle = target.mean(0)
    size, turn = np.linalg.eigh(table.T @ table)
    along = turn.T @ (table.T @ (target - middle))
    found = []
    for strength in STRENGTHS:
        coefficients = turn @ (along / (size + strength)[:, None])
        found.append(np.vstack([coefficients, middle - table.mean(0) @ coefficients]))
    return found


def carry_over(parent: SharedModel, model: SharedModel, key: str, source: StoredSource) -> None:
    """Makes the readings of an encoder that has learned further say what its parent's said.

    Least squares on the cases that it learned from, held to the parent's weights by as much as few
    cases cannot tell: what is read keeps its name and meaning in the new base.
    """
    old, new = (
        np.concatenate(
            [
                features(one, name, (source.example(row) for row in rows))
                for name, rows in _having(model, key, source).items()
            ]
        ).astype(np.float64)
        for one in (parent, model)
    )
    layer = model.readings[key]
    weight, bias = (p.detach().cpu().numpy().astype(np.float64) for p in layer.parameters())
    scale = new.std(0) + 1e-6
    centred = (new - new.mean(0)) / scale
    left = old @ weight.T - new @ weight.T
    gram = centred.T @ centred + STRENGTHS[1] * np.eye(len(scale))
    change = np.linalg.solve(gram, centred.T @ (left - left.mean(0))).T / scale
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight + change))
        layer.bias.copy_(torch.from_numpy(bias + left.mean(0) - change @ new.mean(0)))


def _having(model: SharedModel, key: str, source: StoredSource) -> dict[str, list[int]]:
    """By modality of an encoder, the rows of the cases that have it."""
    own = [name for name in model.modalities if model.config.routes[name] == key]
    rows = {n: [row for row, case in enumerate(source.cases) if n in case] for n in own}
    return {name: found[:: -(-len(found) // MOST_CARRIED)] for name, found in rows.items() if found}
