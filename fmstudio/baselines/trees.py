"""Boosted trees on the columns of a modality, with answers from trees that did not see the patient.

Shape letters: n cases, M modalities, F features, C columns, K outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fmstudio.baselines.boosting import fit_boosting
from fmstudio.baselines.head import FEWEST_TO_FIT, Groups, Head
from fmstudio.baselines.losses import classes_known
from fmstudio.baselines.sample_weights import SampleWeights
from fmstudio.baselines.tree_arrays import ByTrees, Trees
from fmstudio.evaluation.cross_fit import cross_fit, patient_folds
from fmstudio.types import TaskSpec


@dataclass(frozen=True)
class GrownTrees:
    """Trees grown on all cases, and the logits (n, K) that they gave these; the other two as in a
    linear fit."""

    trees: Trees
    learned: np.ndarray
    out_of_fold: np.ndarray
    known: np.ndarray


def fit_trees(
    task: TaskSpec,
    train: tuple[np.ndarray, np.ndarray, np.ndarray],
    patients: Sequence[str],
    sample_weights: SampleWeights,
    groups: Groups,
) -> tuple[Head, Mapping[int, GrownTrees]] | None:
    """Boosted trees alone: a head that looks at a table's columns and at nothing else, and the
    trees as they were grown; None where no modality has columns, or hardly a case has it. `train`,
    `patients`, `sample_weights` and `groups` as for `fit_probe`."""
    features, present, targets = train
    read = [
        (m, fit.columns) for m, own in enumerate(groups) for fit in own if isinstance(fit, ByTrees)
    ]
    if not read:
        return None
    m, columns = read[0]
    rows = np.flatnonzero(present[:, m])
    if len(rows) < FEWEST_TO_FIT:
        return None
    own = [patients[row] for row in rows]
    values = features[rows, m, columns]
    grown = grow_trees(task, values, targets[rows], own, sample_weights.of(rows))
    modalities, width, outputs = len(groups), columns.start, task.outputs
    out_of_fold = np.zeros((len(targets), outputs))
    out_of_fold[rows] = np.where(grown.known[:, None], grown.out_of_fold, np.nan)
    head = Head(
        np.zeros((modalities, width)),
        np.ones((modalities, width)),
        np.zeros((modalities, width, outputs)),
        np.zeros((modalities, outputs)),
        np.zeros(outputs),
        {m: grown.trees},
        out_of_fold=out_of_fold,
    )
    return head, {m: grown}


def grow_trees(
    task: TaskSpec,
    columns: np.ndarray,
    targets: np.ndarray,
    patients: Sequence[str],
    sample_weights: SampleWeights,
) -> GrownTrees:
    """Boosted trees on columns (n, C), and what those say that did not see a case's patient."""
    trees = fit_boosting(task, columns, targets, sample_weights.weights(task, targets))
    folds = patient_folds(patients)

    def answer(inner: np.ndarray, outer: np.ndarray) -> np.ndarray:
        weights = sample_weights.of(inner).weights(task, targets[inner])
        return fit_boosting(task, columns[inner], targets[inner], weights).logits(columns[outer])

    out_of_fold = cross_fit(folds, answer) if folds else np.zeros((len(targets), task.outputs))
    known = classes_known(task, targets, folds)
    return GrownTrees(trees, trees.logits(columns), out_of_fold, known)
