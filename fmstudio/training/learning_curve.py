"""The label budget: the probe fitted again to fewer patients, to see what more of them would bring.

Shape letters: n cases, M modalities, F features, C columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fmstudio.baselines.head import Groups, Head
from fmstudio.baselines.losses import prior_shift
from fmstudio.baselines.sample_weights import SampleWeights
from fmstudio.baselines.stacking import fit_probe
from fmstudio.evaluation.learning import Refit, learning_curve
from fmstudio.training.candidates import read
from fmstudio.training.curve_sizes import FEWEST_IN_FIT, ORDERS, SHARES
from fmstudio.training.training_data import TrainingData
from fmstudio.types import TaskSpec

Features = Mapping[str, tuple[np.ndarray, np.ndarray]]


def refits_on_fewer(
    task: TaskSpec,
    data: TrainingData,
    features: Features,
    head: Head,
    sample_weights: SampleWeights,
    groups: Groups,
) -> dict[str, Any]:
    """The learning curve of the probe on test patients, see `learning_curve`.

    `features` are values (n, M, F + C) and presence (n, M) by split; `head` is the probe of all
    training cases, `sample_weights` theirs, `groups` as for `fit_probe`.
    """
    targets, patients = data.targets["train"], np.array(data.patients("train"))
    test = features["test"]

    def answers(fitted: Head, own: np.ndarray) -> np.ndarray:
        shift = prior_shift(task, own) if sample_weights.balance else np.zeros(1)
        outputs = read(task, data, fitted, test, shift)
        return outputs.reshape(len(outputs)) if task.kind in ("binary", "regression") else outputs

    refits = []
    for share in SHARES:
        parts = [_rows(patients, share, seed) for seed in range(ORDERS)]
        if min(map(len, parts)) < FEWEST_IN_FIT:
            continue
        outputs = []
        for rows in parts:
            train = features["train"][0][rows], features["train"][1][rows], targets[rows]
            fitted = fit_probe(task, train, list(patients[rows]), sample_weights.of(rows), groups)
            outputs.append(answers(fitted, targets[rows]))
        counted = np.mean([_positives(task, targets[rows]) for rows in parts])
        refits.append(Refit(float(np.mean([*map(len, parts)])), float(counted), outputs))
    whole = Refit(float(len(targets)), _positives(task, targets), [answers(head, targets)])
    found = learning_curve(task, data.true("test"), data.patients("test"), [*refits, whole])
    return found | {"model": "probe"}


def _rows(patients: np.ndarray, share: float, seed: int) -> np.ndarray:
    """The cases of the first `share` of the patients in a random order."""
    everyone = np.unique(patients)
    order = np.random.default_rng(seed).permutation(everyone)
    return np.flatnonzero(np.isin(patients, order[: round(share * len(everyone))]))


def _positives(task: TaskSpec, targets: np.ndarray) -> float:
    """How many cases a label has, on average over labels or classes; all for a number."""
    if task.kind in ("binary", "multilabel"):
        return float(np.mean(np.nansum(targets.reshape(len(targets), -1), axis=0)))
    return len(targets) / max(1, task.outputs)
