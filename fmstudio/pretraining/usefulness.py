"""How useful a base's features are for a labelled cohort: a probe beside the loss.

Loss alone does not tell: a base can get ever better at its pretext and ever worse for patients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fmstudio.baselines.losses import prior_shift
from fmstudio.baselines.sample_weights import SampleWeights
from fmstudio.baselines.stacking import fit_probe
from fmstudio.evaluation.calibration import probabilities
from fmstudio.evaluation.cross_fit import cross_fit, patient_folds
from fmstudio.evaluation.metrics import headline, score
from fmstudio.model.shared import SharedModel
from fmstudio.pretraining.features import features
from fmstudio.pretraining.sources import StoredSource
from fmstudio.types import TaskSpec

FOLDS = 3  # fewer than elsewhere: this is repeated at every look at the base
MOST_CASES = 300  # of a cohort that are looked at: enough for a curve, and quick


@dataclass(frozen=True)
class Usefulness:
    """A watch: the cross-validated headline figure of a probe on one modality of a cohort.

    `targets` and `patients` are of the cases of `source`, in its order; targets of a regression in
    standard units.
    """

    name: str
    modality: str
    task: TaskSpec
    source: StoredSource
    targets: np.ndarray
    patients: Sequence[str]

    def __call__(self, model: SharedModel) -> Mapping[str, float]:
        """{"probe: NAME": figure}; empty where the cohort is too small for it."""
        having = [row for row, case in enumerate(self.source.cases) if self.modality in case]
        rows = having[:: -(-len(having) // MOST_CASES) or 1]  # evenly: tables are often sorted
        groups = [self.patients[row] for row in rows]
        if len(set(groups)) < 2 * FOLDS:
            return {}
        examples = (self.source.example(row) for row in rows)
        values = features(model, self.modality, examples)[:, None]
        targets, present = self.targets[rows], np.ones((len(rows), 1))

        def answer(inner: np.ndarray, outer: np.ndarray) -> np.ndarray:
            own = [groups[row] for row in inner]
            train = values[inner], present[inner], targets[inner]
            head = fit_probe(self.task, train, own, SampleWeights(balance=True))
            shift = prior_shift(self.task, targets[inner])
            return head.logits(values[outer], present[outer]) + shift

        logits = cross_fit(patient_folds(groups, FOLDS), answer)
        figure = score(self.task, targets, probabilities(self.task, logits))
        name = f"probe {headline(self.task)}: {self.name}"
        return {name: figure} if np.isfinite(figure) else {}
