"""The readings of an encoder: numbers that are known of many inputs, read off its features.

After an encoder has learned, a ridge regression per number is fitted to its frozen features, and
what can be read on inputs that the fit did not see becomes part of the base, in standard units: a
few telling features beside the many that the encoder has anyway.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from fmstudio.model.shared import SharedModel
from fmstudio.pretraining.features import features
from fmstudio.pretraining.objectives.known import LIMIT, group_of
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
    draw = np.random.default_rng(0)
    unseen = draw.random(len(table)) < HELD_OUT
    rows: dict[str, list[tuple[str, np.ndarray, float]]] = defaultdict(list)
    read: dict[str, float] = {}
    for name in sorted(known):
        there = ~np.isnan(known[name])
        if there.sum() < LEAST_KNOWN or known[name][there].std() < 1e-6:
            continue
        fitted, share = _ridge(standard[there], known[name][there], unseen[there])
        if share >= LEAST_READ:
            rows[group_of(name)].append((name, fitted, share))
            read[name] = round(share, 3)
    if not rows:
        return None
    groups = {group: rows[group] for group in sorted(rows)}
    fits = np.stack([fitted for group in groups.values() for _, fitted, _ in group])
    weight = fits[:, :-1] / scale
    bias = fits[:, -1] - weight @ mean
    names = {group: [name for name, _, _ in found] for group, found in groups.items()}
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


def _ridge(table: np.ndarray, values: np.ndarray, unseen: np.ndarray) -> tuple[np.ndarray, float]:
    """Coefficients and intercept (F + 1) of the standardized number, and the share of its variance
    that the same fit reads where it did not look."""
    centre, spread = values[~unseen].mean(), values[~unseen].std() + 1e-9
    target = np.clip((values - centre) / spread, -LIMIT, LIMIT)
    best = max((_share(table, target, unseen, strength), strength) for strength in STRENGTHS)
    fitted = _solve(table, target, best[1])
    size = max(float((table @ fitted[:-1]).std()), 1e-3)
    return fitted / size, best[0]  # readings have unit variance, whatever share is read


def _share(table: np.ndarray, target: np.ndarray, unseen: np.ndarray, strength: float) -> float:
    fitted = _solve(table[~unseen], target[~unseen], strength)
    left = target[unseen] - table[unseen] @ fitted[:-1] - fitted[-1]
    return float(1 - (left**2).mean() / max(target[unseen].var(), 1e-9)) if unseen.any() else 0.0


def _solve(table: np.ndarray, target: np.ndarray, strength: float) -> np.ndarray:
    middle = target.mean()
    gram = table.T @ table + strength * np.eye(table.shape[1])
    coefficients = np.linalg.solve(gram, table.T @ (target - middle))
    return np.append(coefficients, middle - (table.mean(0) @ coefficients))


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
