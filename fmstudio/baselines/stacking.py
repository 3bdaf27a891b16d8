"""The probe: a reading of the frozen model's features, and the start of the task head.

Linear for what the encoders make; of a table or series, boosted trees read its columns beside that.

Fine-tuning that starts from the probe's head keeps the features that pretraining made (linear
probing, then fine-tuning: Kumar et al. 2022, arXiv 2202.10054).

Shape letters: n cases, M modalities, F features, C columns, K outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from fmstudio.baselines.head import FEWEST_TO_FIT, Groups, Head
from fmstudio.baselines.linear import equal_trust, fit_linear
from fmstudio.baselines.losses import loss
from fmstudio.baselines.sample_weights import SampleWeights
from fmstudio.baselines.tree_arrays import ByTrees
from fmstudio.baselines.trees import GrownTrees, grow_trees
from fmstudio.types import TaskSpec

PULL = 2.0  # how many cases' worth each modality's weight is drawn to one half: few cannot tell


@threadpool_limits.wrap(limits=1)  # hundreds of small fits: threads would only wait for each other
def fit_probe(
    task: TaskSpec,
    train: tuple[np.ndarray, np.ndarray, np.ndarray],
    patients: Sequence[str],
    sample_weights: SampleWeights,
    groups: Groups | None = None,
    grown: Mapping[int, GrownTrees] | None = None,
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
    out_of_fold = np.zeros((len(targets), *offset.shape))
    trees: dict[int, GrownTrees] = {}
    fair = np.ones(len(targets), bool)
    for index, (m, fit) in enumerate(fits):
        rows = np.flatnonzero(present[:, m])
        if len(rows) < FEWEST_TO_FIT:
            continue
        own = [patients[row] for row in rows]
        if isinstance(fit, ByTrees):
            tree = (grown or {}).get(m) or grow_trees(
                task, features[rows, m, fit.columns], targets[rows], own, sample_weights.of(rows)
            )
            trees[index] = tree
            out_of_fold[rows, index] = tree.out_of_fold
            fair[rows] &= tree.known
            continue
        trust = equal_trust(width, fit)
        values = features[rows, m, :width]
        one = fit_linear(task, values, targets[rows], own, sample_weights.of(rows), trust)
        mean[m], scale[m] = one.mean, one.scale
        weight[index], offset[index] = one.weight, one.offset
        out_of_fold[rows, index] = one.out_of_fold
        fair[rows] &= one.known
    weights = sample_weights.of(fair).weights(task, targets[fair])
    share, bias = _stack(task, out_of_fold[fair], targets[fair], weights)
    owner = np.array([m for m, _ in fits])[:, None] == np.arange(modalities)  # (fits, M)
    unlearned = np.zeros((len(targets), modalities, task.outputs))
    for index, tree in trees.items():
        rows = np.flatnonzero(present[:, fits[index][0]])
        unlearned[rows, fits[index][0]] = (tree.out_of_fold - tree.learned) * share[index]
    return Head(
        mean,
        scale,
        np.einsum("im,ifk->mfk", owner, weight * share[:, None]),
        np.einsum("im,ik->mk", owner, offset * share),
        bias,
        {fits[index][0]: tree.trees.scaled(share[index]) for index, tree in trees.items()},
        unlearned,
        np.where(fair[:, None], np.einsum("nik,ik->nk", out_of_fold, share) + bias, np.nan),
    )


def _stack(
    task: TaskSpec, out_of_fold: np.ndarray, targets: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Weight of each modality's logits (M, K) in their sum, and the sum's bias (K)."""
    modalities, outputs = out_of_fold.shape[1:]
    if task.kind == "multilabel":
        binary, pairs = TaskSpec("binary"), []
        for k in range(outputs):
            known = ~np.isnan(targets[:, k])
            own = None if weights is None else weights[known, k]
            pairs.append(_stack(binary, out_of_fold[known, :, k : k + 1], targets[known, k], own))
        return np.concatenate([p[0] for p in pairs], 1), np.concatenate([p[1] for p in pairs])

    if modalities == 1:
        return np.ones((1, outputs)), np.zeros(outputs)

    def lost(numbers: np.ndarray) -> float:
        share = numbers[:modalities]
        logits = np.einsum("nmk,m->nk", out_of_fold, share) + numbers[modalities:]
        pull = PULL / len(targets) * ((share - 0.5) ** 2).sum()
        return loss(task, logits, targets, weights) + pull

    start = np.append(np.full(modalities, 1 / modalities), np.zeros(outputs))
    bounds = [(0.0, 3.0)] * modalities + [(-10.0, 10.0)] * outputs
    found = minimize(lost, start, bounds=bounds, method="L-BFGS-B").x
    share = np.repeat(found[:modalities, None], outputs, 1)
    return share, found[modalities:]
