"""Groups that a base finds among cases by itself: features in, groups, a map and typical cases out.

k-means on the leading directions of the features, as the groups of DeepCluster (Caron et al. 2018,
arXiv 1807.05520, section 3). No torch here.

Shape letters: n cases, F features, K groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.metrics import adjusted_rand_score, silhouette_score

DIRECTIONS = 32
MOST_GROUPS = 8
SEEDS = 5  # of which the groups are compared, to see whether they come again
STARTS = 4
PERPLEXITY = 30.0
NEAREST = 6
SILHOUETTE_CASES = 1000


@dataclass(frozen=True)
class Groups:
    """`labels` (n) from 0, `places` (n, 2) on the map, `nearest` K lists of rows, the nearest to
    the centre first.

    `silhouette` in [-1, 1] says how far apart the groups are (Rousseeuw 1987), `stability` how
    alike the groups of several seeds are: the mean adjusted Rand index of their pairs, 1 for the
    same (Hubert & Arabie 1985).
    """

    labels: np.ndarray
    places: np.ndarray
    nearest: tuple[tuple[int, ...], ...]
    silhouette: float
    stability: float

    def as_dict(self, ids: Sequence[str]) -> dict[str, Any]:
        """As JSON, with the cases' ids."""
        points = [
            {
                "case": ids[row],
                "group": int(self.labels[row]),
                "x": round(float(self.places[row, 0]), 3),
                "y": round(float(self.places[row, 1]), 3),
            }
            for row in range(len(ids))
        ]
        groups = [
            {
                "group": index,
                "cases": int((self.labels == index).sum()),
                "nearest": [ids[row] for row in rows],
            }
            for index, rows in enumerate(self.nearest)
        ]
        return {
            "count": len(groups),
            "cases": len(ids),
            "silhouette": round(self.silhouette, 3),
            "stability": round(self.stability, 3),
            "groups": groups,
            "points": points,
        }


def find_groups(features: np.ndarray, seed: int = 0) -> Groups | None:
    """Groups of features (n, F), their number that of the highest silhouette; None below 8 cases
    or where all cases are alike."""
    if len(features) < 8:
        return None
    table = leading(features, seed)
    if not table.shape[1]:
        return None
    most = min(MOST_GROUPS, len(table) // 4)
    found = {count: fitted(table, count, seed) for count in range(2, most + 1)}
    scores = {count: _silhouette(table, fit.labels_, seed) for count, fit in found.items()}
    best = max(scores, key=scores.__getitem__)
    fit = found[best]
    others = [fitted(table, best, seed + number, starts=1).labels_ for number in range(1, SEEDS)]
    alike = [adjusted_rand_score(a, b) for a, b in combinations([fit.labels_, *others], 2)]
    return Groups(
        fit.labels_, _map(table, seed), _nearest(table, fit), scores[best], float(np.mean(alike))
    )


def leading(features: np.ndarray, seed: int) -> np.ndarray:
    """The leading directions (n, at most 32) of standardized features (n, F)."""
    spread = features.std(0)
    standard = (features - features.mean(0))[:, spread > 1e-5] / spread[spread > 1e-5]
    if not standard.shape[1]:
        return standard
    count = min(DIRECTIONS, len(standard) - 1, standard.shape[1])
    directions = PCA(count, svd_solver="full", random_state=seed)
    return np.asarray(directions.fit_transform(standard.astype(np.float64)))


def fitted(table: np.ndarray, count: int, seed: int, starts: int = STARTS) -> KMeans:
    """k-means with `count` groups of a table (n, F)."""
    return KMeans(count, n_init=starts, random_state=seed).fit(table)


def _silhouette(table: np.ndarray, labels: np.ndarray, seed: int) -> float:
    if len(np.unique(labels)) < 2:
        return -1.0
    size = min(SILHOUETTE_CASES, len(table))
    return float(silhouette_score(table, labels, sample_size=size, random_state=seed))


def _map(table: np.ndarray, seed: int) -> np.ndarray:
    """(n, 2) by t-SNE (van der Maaten & Hinton 2008), started from the first two directions."""
    if table.shape[1] < 3:
        return np.pad(table, ((0, 0), (0, 2 - min(2, table.shape[1]))))[:, :2]
    perplexity = min(PERPLEXITY, (len(table) - 1) / 3)
    drawn = TSNE(2, perplexity=perplexity, init="pca", random_state=seed, n_jobs=1)
    return np.asarray(drawn.fit_transform(table))


def _nearest(table: np.ndarray, fit: KMeans) -> tuple[tuple[int, ...], ...]:
    found = []
    for index, centre in enumerate(fit.cluster_centers_):
        rows = np.flatnonzero(fit.labels_ == index)
        near = rows[np.argsort(((table[rows] - centre) ** 2).sum(1), kind="stable")]
        found.append(tuple(int(row) for row in near[:NEAREST]))
    return tuple(found)
