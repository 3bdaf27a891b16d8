"""What a base is measured against: models that know no base, on the same patients and labels."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from threadpoolctl import threadpool_limits

from benchmarks import handcrafted
from benchmarks.draws import Draw, Few
from fmstudio.baselines.boosting import table_baseline
from fmstudio.baselines.sample_weights import SampleWeights
from fmstudio.contracts import pipeline
from fmstudio.types import ModalityInput

BOOSTING, LOGISTIC, FOREST = (
    "gradient boosting on table",
    "handcrafted, logistic regression",
    "handcrafted, gradient boosting",
)
STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0)

Inputs = Mapping[str, Mapping[str, ModalityInput]]  # {modality: {case id: input}}


class Handcrafted:
    """Statistics of every input of a cohort, computed once; matrices of them for each draw."""

    def __init__(self, few: Few, inputs: Inputs) -> None:
        self.few = few
        ids = [case.case_id for case in few.cases]
        self.statistics, self.thumbnails, self.texts = {}, {}, {}
        for modality in few.modalities:
            kind, own = pipeline(modality).kind, inputs[modality]
            if kind == "text":
                self.texts[modality] = [str(own[i].values) if i in own else "" for i in ids]
                continue
            compute = handcrafted.STATISTICS[kind]
            self.statistics[modality] = [compute(own[i]) if i in own else None for i in ids]
            if kind == "frames":
                self.thumbnails[modality] = [
                    handcrafted.thumbnail(own[i]) if i in own else None for i in ids
                ]

    def matrices(self, draw: Draw) -> tuple[np.ndarray, np.ndarray]:
        """For logistic regression (n, p), each block of the same total variance, no gaps; and for
        trees (n, q) with NaN where something is missing."""
        linear, trees = [], []
        for found in self.statistics.values():
            table = handcrafted.matrix(found, draw.pool)
            trees.append(table)
            linear.append(np.nan_to_num(table))
        for pictures in self.thumbnails.values():
            parts = handcrafted.thumbnails(pictures, draw.pool)
            trees.append(parts)
            linear.append(parts)
        for texts in self.texts.values():
            counts, parts = handcrafted.words(texts, draw.pool)
            trees.append(parts)
            linear.append(counts)
        even = [_even(block, draw.pool) for block in linear if block.shape[1]]
        return np.concatenate(even, 1), np.concatenate(trees, 1)


def _even(block: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """Centred, and with a total variance of 1, so that no kind of data drowns another."""
    centred = block - block[fitted].mean(0)
    return centred / np.sqrt(max(centred[fitted].var(0).sum(), 1e-12))


@threadpool_limits.wrap(limits=1)
def logistic(
    table: np.ndarray, targets: np.ndarray, patients: Sequence[str], new: np.ndarray, outputs: int
) -> np.ndarray:
    """Outputs of logistic regression with L2, its strength chosen by cross-validation."""
    left, singular, right = np.linalg.svd(table, full_matrices=False)
    kept = singular > singular[0] * 1e-6
    rotated, turned = left[:, kept] * singular[kept], new @ right[kept].T
    folds = GroupKFold(min(5, len(set(patients))), shuffle=True, random_state=0)
    pairs = list(folds.split(rotated, groups=list(patients)))

    def lost(strength: float) -> float:
        found = np.full((len(targets), outputs), np.nan)
        for inner, outer in pairs:
            found[outer] = _fitted(
                rotated[inner], targets[inner], strength, rotated[outer], outputs
            )
        said = found[np.arange(len(targets)), targets.astype(int)]
        return -float(np.log(np.clip(said, 1e-6, 1)).mean())

    best = min(STRENGTHS, key=lost)
    return _fitted(rotated, targets, best, turned, outputs)


def _fitted(
    table: np.ndarray, targets: np.ndarray, strength: float, new: np.ndarray, outputs: int
) -> np.ndarray:
    """Probabilities (n, outputs); 0 for classes that no training case has."""
    found = np.zeros((len(new), outputs))
    classes = np.unique(targets).astype(int)
    if len(classes) < 2:
        found[:, classes] = 1.0
        return found
    fit = LogisticRegression(C=strength, class_weight="balanced", max_iter=200)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit.fit(table, targets.astype(int))
    found[:, classes] = fit.predict_proba(new)
    return found


def boosted(
    table: np.ndarray, targets: np.ndarray, new: np.ndarray, outputs: int, seed: int
) -> np.ndarray:
    """Probabilities (n, outputs) of gradient boosting, as calm as `table_baseline` is for few."""
    least = int(np.clip(len(targets) // 10, 2, 20))
    there = ~np.isnan(table).all(0)
    table, new = table[:, there], new[:, there]
    fit = HistGradientBoostingClassifier(
        early_stopping=False,
        learning_rate=0.05,
        max_leaf_nodes=8,
        l2_regularization=5.0,
        max_features=0.3,
        min_samples_leaf=least,
        max_iter=60 if outputs > 2 else 100,
        class_weight="balanced",
        random_state=seed,
    ).fit(table, targets.astype(int))
    found = np.zeros((len(new), outputs))
    found[:, fit.classes_] = fit.predict_proba(new)
    return found


def on_table(few: Few, inputs: Inputs, draw: Draw, rows: np.ndarray) -> np.ndarray | None:
    """Outputs of gradient boosting on the table columns; None where there is no table."""
    tables = [name for name in few.modalities if pipeline(name).kind == "table"]
    if not tables:
        return None
    own = inputs[tables[0]]
    train, test = ([own.get(few.cases[row].case_id) for row in part] for part in (rows, draw.test))
    task, targets = few.cohort.task, few.targets[rows]
    weights = SampleWeights(balance=True).weights(task, targets)
    return table_baseline(task, train, targets, test, weights, seed=draw.seed)
