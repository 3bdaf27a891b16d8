"""The probe: a reading of the frozen model's features, and the start of the task head.

Linear for what the encoders make; of a table or series, boosted trees read its columns beside that.

Fine-tuning that starts from the probe's head keeps the features that pretraining made (linear
probing, then fine-tuning: Kumar et al. 2022, arXiv 2202.10054).

Shape letters: n cases, M modalities, F features, C columns, K outputs.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GroupKFold
from threadpoolctl import threadpool_limits

from fmstudio.baselines.boosting import fit_boosting
from fmstudio.baselines.losses import loss, prior_shift
from fmstudio.baselines.sample_weights import SampleWeights
from fmstudio.model.shared import ByTrees
from fmstudio.model.trees import Trees
from fmstudio.types import TaskSpec

FOLDS = 5
FEWEST = 2  # cases that have a modality, before anything is fitted to it
PULL = 2.0  # how many cases' worth each modality's weight is drawn to one half: few cannot tell
STRENGTHS = (0.003, 0.03, 0.3, 3.0, 30.0)


Groups = Sequence[Sequence[Sequence[slice] | ByTrees]]


@dataclass(frozen=True)
class Head:
    """A task head's numbers: mean, scale (M, F); weight (M, F, K); offset (M, K); bias (K).

    `trees`, by modality, read the columns behind its F features. They know the cases they were
    grown on better than others: `unlearned` (n, M, K) is what to add to the parts of those cases
    to have what trees say that did not see their patient. `judged`
    (n, K) are the logits that those cases get from fits that did not see their patient, NaN where
    none knew their class. Both are empty for a head that was not fitted here.
    """

    mean: np.ndarray
    scale: np.ndarray
    weight: np.ndarray
    offset: np.ndarray
    bias: np.ndarray
    trees: Mapping[int, Trees] = field(default_factory=dict)
    unlearned: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0)))
    judged: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))

    def parts(self, features: np.ndarray, present: np.ndarray) -> np.ndarray:
        """Each modality's part of the logits: (n, M, F + C) and (n, M) to (n, M, K)."""
        width = self.mean.shape[1]
        modalities = [
            ((features[:, m, :width] - self.mean[m]) / self.scale[m]) @ self.weight[m]
            + self.offset[m]
            for m in range(features.shape[1])
        ]
        parts = np.stack(modalities, 1)
        for m, trees in self.trees.items():
            parts[:, m] += trees.logits(features[:, m, width:])
        return parts * present[..., None]

    def logits(self, features: np.ndarray, present: np.ndarray) -> np.ndarray:
        """(n, M, F + C) and (n, M) to (n, K)."""
        return self.parts(features, present).sum(1) + self.bias


@threadpool_limits.wrap(limits=1)  # hundreds of small fits: threads would only wait for each other
def fit_probe(
    task: TaskSpec,
    train: tuple[np.ndarray, np.ndarray, np.ndarray],
    patients: Sequence[str],
    sample_weights: SampleWeights,
    groups: Groups | None = None,
    grown: Mapping[int, Grown] | None = None,
) -> Head:
    """Fits of each modality, and one weight for each in their sum (stacking).

    `train` is features (n, M, F + C), present (n, M) and targets; `patients` (n) says whose each
    case is. Regression targets are expected in standard units. The strength of L2 of each linear
    fit is chosen by cross-validation over patients, and the sum is fitted to the cross-validated
    logits with weights of at least 0 (Breiman 1996, "Stacked regressions"): one fit of all features
    at once drowns what a modality knows in the noise of the others. `groups` are what each modality
    is read by: for each of its fits, groups of features that are trusted alike however many they
    are, or columns for trees; without it, one fit of all. Other features get no weight, are
    standardized and left to fine-tuning. `sample_weights` are those of these cases; each fit to
    some of them weighs its own. Where classes weigh the same, the head's bias is that of balanced
    classes (see `prior_shift`). The strength of L2 is chosen on cases as they come. `grown` are
    trees that were grown on these cases before, by modality.
    """
    features, present, targets = train
    modalities = features.shape[1]
    whole: Groups = [[[slice(0, features.shape[2])]]] * modalities
    fits = [(m, fit) for m, own in enumerate(groups or whole) for fit in own]
    width = min(
        [fit.columns.start for _, fit in fits if isinstance(fit, ByTrees)],
        default=features.shape[2],
    )
    mean, scale = np.zeros((modalities, width)), np.ones((modalities, width))
    weight = np.zeros((len(fits), width, task.outputs))
    offset = np.zeros((len(fits), task.outputs))
    judged = np.zeros((len(targets), *offset.shape))
    trees: dict[int, Grown] = {}
    fair = np.ones(len(targets), bool)
    for index, (m, fit) in enumerate(fits):
        rows = np.flatnonzero(present[:, m])
        if len(rows) < FEWEST:
            continue
        own = [patients[row] for row in rows]
        if isinstance(fit, ByTrees):
            tree = (grown or {}).get(m) or _grow(
                task, features[rows, m, fit.columns], targets[rows], own, sample_weights.of(rows)
            )
            trees[index] = tree
            judged[rows, index] = tree.judged
            fair[rows] &= tree.known
            continue
        trust = _trust(width, fit)
        values = features[rows, m, :width]
        one = _fit_one(task, values, targets[rows], own, sample_weights.of(rows), trust)
        mean[m], scale[m] = one.mean, one.scale
        weight[index], offset[index] = one.weight, one.offset
        judged[rows, index] = one.judged
        fair[rows] &= one.known
    weights = sample_weights.of(fair).weights(task, targets[fair])
    share, bias = _stack(task, judged[fair], targets[fair], weights)
    owner = np.array([m for m, _ in fits])[:, None] == np.arange(modalities)  # (fits, M)
    unlearned = np.zeros((len(targets), modalities, task.outputs))
    for index, tree in trees.items():
        rows = np.flatnonzero(present[:, fits[index][0]])
        unlearned[rows, fits[index][0]] = (tree.judged - tree.learned) * share[index]
    return Head(
        mean,
        scale,
        np.einsum("im,ifk->mfk", owner, weight * share[:, None]),
        np.einsum("im,ik->mk", owner, offset * share),
        bias,
        {fits[index][0]: tree.trees.scaled(share[index]) for index, tree in trees.items()},
        unlearned,
        np.where(fair[:, None], np.einsum("nik,ik->nk", judged, share) + bias, np.nan),
    )


def fit_trees(
    task: TaskSpec,
    train: tuple[np.ndarray, np.ndarray, np.ndarray],
    patients: Sequence[str],
    sample_weights: SampleWeights,
    groups: Groups,
) -> tuple[Head, Mapping[int, Grown]] | None:
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
    if len(rows) < FEWEST:
        return None
    own = [patients[row] for row in rows]
    grown = _grow(task, features[rows, m, columns], targets[rows], own, sample_weights.of(rows))
    modalities, width, outputs = len(groups), columns.start, task.outputs
    judged = np.zeros((len(targets), outputs))
    judged[rows] = np.where(grown.known[:, None], grown.judged, np.nan)
    head = Head(
        np.zeros((modalities, width)),
        np.ones((modalities, width)),
        np.zeros((modalities, width, outputs)),
        np.zeros((modalities, outputs)),
        np.zeros(outputs),
        {m: grown.trees},
        judged=judged,
    )
    return head, {m: grown}


@dataclass(frozen=True)
class Grown:
    """Trees grown on all cases, and the logits (n, K) that they gave these; the other two as in a
    linear fit."""

    trees: Trees
    learned: np.ndarray
    judged: np.ndarray
    known: np.ndarray


def _grow(
    task: TaskSpec,
    columns: np.ndarray,
    targets: np.ndarray,
    patients: Sequence[str],
    sample_weights: SampleWeights,
) -> Grown:
    """Boosted trees on columns (n, C), and what those say that did not see a case's patient."""
    trees = fit_boosting(task, columns, targets, sample_weights.weights(task, targets))
    judged, known = np.zeros((len(targets), task.outputs)), np.ones(len(targets), bool)
    if len(set(patients)) > 1:
        folds = GroupKFold(min(FOLDS, len(set(patients))), shuffle=True, random_state=0)
        for inner, outer in folds.split(columns, groups=list(patients)):
            if task.kind == "multiclass":
                known[outer] = np.isin(targets[outer], targets[inner])
            weights = sample_weights.of(inner).weights(task, targets[inner])
            part = fit_boosting(task, columns[inner], targets[inner], weights)
            judged[outer] = part.logits(columns[outer])
    return Grown(trees, trees.logits(columns), judged, known)


def _trust(width: int, groups: Sequence[slice]) -> np.ndarray:
    """By how much each standardized feature (F) is multiplied before L2 weighs it.

    Groups then have the same variance in all, so that a few telling features are not drowned by
    many: the sum of the groups' kernels (Lanckriet et al. 2004), each as large as the others.
    """
    trust = np.zeros(width)
    for group in groups:
        trust[group] = 1 / np.sqrt((group.stop - group.start) * len(groups))
    return trust


@dataclass(frozen=True)
class _Fit:
    """One linear fit: mean and scale (F), weight (F, K), offset (K); the logits (n, K) that each
    case got from a fit without its patient, and whether that one knew the case's class (n)."""

    mean: np.ndarray
    scale: np.ndarray
    weight: np.ndarray
    offset: np.ndarray
    judged: np.ndarray
    known: np.ndarray


def _fit_one(
    task: TaskSpec,
    values: np.ndarray,
    targets: np.ndarray,
    patients: Sequence[str],
    sample_weights: SampleWeights,
    trust: np.ndarray,
) -> _Fit:
    """A fit of the features that are trusted, its strength chosen by cross-validation."""
    mean, scale = values.mean(0), values.std(0)
    scale = np.where(scale > 1e-5, scale, 1.0)
    # L2 does not see rotations, so a fit in the coordinates of the singular vectors is the same
    # fit (Hastie & Tibshirani 2004, "Efficient quadratic regularization"), and much faster when
    # features outnumber cases.
    seen = trust > 0
    table = ((values - mean) / scale * trust)[:, seen]
    left, singular, right = np.linalg.svd(table.astype(np.float64), full_matrices=False)
    kept = singular > singular[0] * 1e-4
    rotated = left[:, kept] * singular[kept]
    judged, known = _cross_validated(task, rotated, targets, patients, sample_weights)
    # With several classes the shift, fitted to a handful of cases each, favours the fit that says
    # nothing but which class is common.
    shifted = sample_weights.balance and task.kind != "multiclass"
    shift = prior_shift(task, targets) if shifted else 0.0
    lost = [loss(task, (logits + shift)[known], targets[known]) for logits in judged]
    best = int(np.argmin(lost))
    coefficients, bias = _fit(task, rotated, targets, STRENGTHS[best], sample_weights)
    weight = np.zeros((values.shape[1], task.outputs))
    weight[seen] = right[kept].T @ coefficients * trust[seen, None]
    return _Fit(mean, scale, weight, bias, judged[best], known)


def _cross_validated(
    task: TaskSpec,
    table: np.ndarray,
    targets: np.ndarray,
    patients: Sequence[str],
    sample_weights: SampleWeights,
) -> tuple[np.ndarray, np.ndarray]:
    """For each strength the logits (n, K) from fits that did not see the patient, and which cases
    (n) can be judged by them: those of classes that the fit knew."""
    judged = np.zeros((len(STRENGTHS), len(targets), task.outputs))
    known = np.ones(len(targets), bool)
    groups = len(set(patients))
    if groups < 2:
        return judged, known
    folds = GroupKFold(min(FOLDS, groups), shuffle=True, random_state=0)
    for inner, outer in folds.split(table, groups=list(patients)):
        if task.kind == "multiclass":
            known[outer] = np.isin(targets[outer], targets[inner])
        for index, strength in enumerate(STRENGTHS):
            own = sample_weights.of(inner)
            coefficients, bias = _fit(task, table[inner], targets[inner], strength, own)
            judged[index, outer] = table[outer] @ coefficients + bias
    return judged, known


def _stack(
    task: TaskSpec, judged: np.ndarray, targets: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Weight of each modality's logits (M, K) in their sum, and the sum's bias (K)."""
    modalities, outputs = judged.shape[1:]
    if task.kind == "multilabel":
        binary, pairs = TaskSpec("binary"), []
        for k in range(outputs):
            known = ~np.isnan(targets[:, k])
            own = None if weights is None else weights[known, k]
            pairs.append(_stack(binary, judged[known, :, k : k + 1], targets[known, k], own))
        return np.concatenate([p[0] for p in pairs], 1), np.concatenate([p[1] for p in pairs])

    if modalities == 1:
        return np.ones((1, outputs)), np.zeros(outputs)

    def lost(numbers: np.ndarray) -> float:
        share = numbers[:modalities]
        logits = np.einsum("nmk,m->nk", judged, share) + numbers[modalities:]
        pull = PULL / len(targets) * ((share - 0.5) ** 2).sum()
        return loss(task, logits, targets, weights) + pull

    start = np.append(np.full(modalities, 1 / modalities), np.zeros(outputs))
    bounds = [(0.0, 3.0)] * modalities + [(-10.0, 10.0)] * outputs
    found = minimize(lost, start, bounds=bounds, method="L-BFGS-B").x
    share = np.repeat(found[:modalities, None], outputs, 1)
    return share, found[modalities:]


def _fit(
    task: TaskSpec,
    table: np.ndarray,
    targets: np.ndarray,
    strength: float,
    sample_weights: SampleWeights,
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (rank, K) and bias (K) of one fit."""
    weights = sample_weights.weights(task, targets)
    if task.kind == "regression":
        ridge = Ridge(alpha=1 / strength).fit(table, targets, sample_weight=weights)
        return ridge.coef_[:, None], np.array([ridge.intercept_])
    if task.kind in ("binary", "multiclass"):
        classes = targets.astype(int)
        return _logistic(table, classes, strength, weights, sample_weights.balance, task.outputs)
    fits = []
    for k, column in enumerate(targets.T):
        known = ~np.isnan(column)
        answers, own = column[known].astype(int), None if weights is None else weights[known, k]
        fits.append(_logistic(table[known], answers, strength, own, sample_weights.balance, 1))
    return np.concatenate([f[0] for f in fits], 1), np.concatenate([f[1] for f in fits])


def _logistic(
    table: np.ndarray,
    targets: np.ndarray,
    strength: float,
    weights: np.ndarray | None,
    balance: bool,
    outputs: int,
) -> tuple[np.ndarray, np.ndarray]:
    classes = np.unique(targets)
    coefficients, bias = np.zeros((table.shape[1], outputs)), np.zeros(outputs)
    if len(classes) < 2:
        # A label that no training patient varies in: nothing to learn, its share stays.
        share = np.clip(targets.mean() if len(targets) else 0.5, 1e-3, 1 - 1e-3)
        return coefficients, bias + (0.0 if balance else np.log(share / (1 - share)))
    fit = LogisticRegression(C=strength, max_iter=100)
    with warnings.catch_warnings():
        # A fit that is not quite at its end is still compared on validation like the others.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit.fit(table, targets, sample_weight=weights)
    if outputs == 1:
        return fit.coef_.T, fit.intercept_
    if len(classes) == 2:
        halves = np.stack([-fit.coef_[0], fit.coef_[0]], 1) / 2
        coefficients[:, classes] = halves
        bias[classes] = np.array([-1, 1]) * fit.intercept_[0] / 2
        return coefficients, bias
    coefficients[:, classes] = fit.coef_.T
    bias[:] = fit.intercept_.min() - 10  # a class without a training patient is next to impossible
    bias[classes] = fit.intercept_
    return coefficients, bias
