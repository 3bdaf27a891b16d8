"""What a run is worth: the ladder of models on the same patients, single modalities, fusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fmstudio.baselines.head import Groups, Head
from fmstudio.baselines.losses import prior_shift
from fmstudio.baselines.sample_weights import SampleWeights, sample_weights_of
from fmstudio.baselines.stacking import fit_probe
from fmstudio.errors import RunFailed
from fmstudio.evaluation.calibration import probabilities
from fmstudio.evaluation.cross_fit import cross_fit, patient_folds
from fmstudio.evaluation.fusion import Shown
from fmstudio.evaluation.metrics import evaluate, headline, score
from fmstudio.features.outputs import features_of
from fmstudio.model.feature_layout import feature_groups
from fmstudio.model.shared import SharedModel
from fmstudio.run_config import BOOSTING as BOOSTING
from fmstudio.run_config import LORA as LORA
from fmstudio.run_config import PROBE as PROBE
from fmstudio.run_config import RunConfig
from fmstudio.training.training_data import SPLITS, TrainingData
from fmstudio.types import Interval, TaskSpec

ALONE = "probe on this modality alone"
SAME = 1e-4  # logits that differ by less are the same answer
FEWEST_ALONE = 10  # training cases of a modality, before it has a probe of its own


@dataclass(frozen=True)
class Candidate:
    """One model of the ladder: outputs by split, in the user's units, what it took, and its logits
    (n, K) of the validation patients, in standard units for regression.

    `out_of_fold` are such logits of the training cases, from fits that did not see their patient;
    NaN where there are none, None for a model that has no such fits.
    """

    name: str
    outputs: Mapping[str, np.ndarray]
    seconds: float
    logits: np.ndarray
    out_of_fold: np.ndarray | None = None

    def validation(self, task: TaskSpec, data: TrainingData) -> float:
        """The headline figure on validation patients, by which models are chosen."""
        return score(task, data.true("validation"), self.outputs["validation"])


def candidate(
    name: str,
    task: TaskSpec,
    data: TrainingData,
    logits: Mapping[str, np.ndarray],
    seconds: float,
) -> Candidate:
    """A candidate from logits (n, K) by split, before calibration."""
    outputs = {
        split: probabilities(task, values) * _spread(task, data) + _centre(task, data)
        for split, values in logits.items()
    }
    return Candidate(name, outputs, seconds, logits["validation"])


def _spread(task: TaskSpec, data: TrainingData) -> float:
    return data.spread if task.kind == "regression" else 1.0


def _centre(task: TaskSpec, data: TrainingData) -> float:
    return data.centre if task.kind == "regression" else 0.0


def check_learned(task: TaskSpec, logits: np.ndarray, targets: np.ndarray, balance: bool) -> None:
    """Raises RunFailed for a model that gives all training patients the same answer.

    `logits` (n, K) are those before the shift back to the true shares: with even classes, one that
    has learned nothing but which class is common shows it.
    """
    same = bool((np.ptp(logits, axis=0) < SAME).all())
    classes = len(np.unique(targets[~np.isnan(targets)]))
    if task.kind in ("binary", "multiclass") and balance and classes > 1 and not same:
        answers = logits[:, 0] > 0 if task.kind == "binary" else logits.argmax(1)
        same = len(np.unique(answers)) < 2
    if same:
        raise RunFailed(
            f"The model gives all {len(logits)} training patients the same answer: it found "
            "nothing in the inputs that goes with the outcome.",
            hint="See whether the labels belong to these patients, whether files were read (see "
            "the cohort report), and whether each class has at least some ten patients; then "
            "try other modalities.",
        )


def groups_of(model: SharedModel) -> Groups:
    """What the probe reads of each modality, in the model's order."""
    return [feature_groups(model.config, modality) for modality in model.modalities]


def single_probes(
    task: TaskSpec, model: SharedModel, data: TrainingData, sample_weights: SampleWeights
) -> list[Shown]:
    """For each modality a probe that sees nothing else, on the cases that have it.

    `sample_weights` is that of the training cases.
    """
    found = []
    for modality in model.modalities:
        sets, rows = {}, {}
        for split in SPLITS:
            has = [modality in data.prepared.keys[i] for i in data.ids(split)]
            rows[split] = np.flatnonzero(has)
            ids = [data.ids(split)[row] for row in rows[split]]
            alone = features_of(model, data.prepared, ids, only=modality)
            sets[split] = (*alone, data.targets[split][rows[split]])
        enough = (
            min(len(rows[split]) for split in SPLITS) >= 2 and len(rows["train"]) >= FEWEST_ALONE
        )
        if not enough or not _varied(task, sets["train"][2]):
            continue
        patients = [data.patients("train")[row] for row in rows["train"]]
        groups = [feature_groups(model.config, modality)]
        head = fit_probe(task, sets["train"], patients, sample_weights.of(rows["train"]), groups)
        shift = prior_shift(task, sets["train"][2]) if sample_weights.balance else 0.0
        outputs = read(task, data, head, sets["test"], shift)
        found.append(Shown((modality,), rows["test"], outputs, ALONE))
    return found


def _varied(task: TaskSpec, targets: np.ndarray) -> bool:
    return task.kind == "multilabel" or len(np.unique(targets)) > 1


def read(
    task: TaskSpec, data: TrainingData, head: Head, part: Sequence[np.ndarray], shift: Any
) -> np.ndarray:
    """Outputs in the user's units of a head on values (n, M, F + C) and presence (n, M)."""
    outputs = probabilities(task, head.logits(part[0], part[1]) + shift)
    return outputs * _spread(task, data) + _centre(task, data)


def cross_validation_json(
    task: TaskSpec,
    data: TrainingData,
    features: Mapping[str, tuple[np.ndarray, np.ndarray]],
    config: RunConfig,
    groups: Groups,
) -> dict[str, Any]:
    """The probe over all patients: each answered by a fit that did not see the patient.

    `features` are values (n, M, F + C) and presence (n, M) by split; `groups` as for `fit_probe`.
    """
    values, present = (np.concatenate([features[s][part] for s in SPLITS]) for part in (0, 1))
    targets = np.concatenate([data.targets[s] for s in SPLITS])
    patients = [patient for s in SPLITS for patient in data.patients(s)]
    sample_weights = sample_weights_of(config, [case for s in SPLITS for case in data.cases[s]])

    def answer(inner: np.ndarray, outer: np.ndarray) -> np.ndarray:
        train = values[inner], present[inner], targets[inner]
        own = [patients[row] for row in inner]
        head = fit_probe(task, train, own, sample_weights.of(inner), groups)
        shift = prior_shift(task, targets[inner]) if config.balance else 0.0
        answered = read(task, data, head, (values[outer], present[outer]), shift)
        return answered.reshape(len(outer), -1)

    folds = patient_folds(patients, config.folds)
    outputs = cross_fit(folds, answer)
    answers = outputs[:, 0] if task.kind in ("binary", "regression") else outputs
    true = targets * data.spread + data.centre
    figure = evaluate(task, true, answers, patients)[headline(task)]
    return {
        "model": "probe",
        "folds": len(folds),
        "n": len(patients),
        headline(task): figure.as_dict(),
    }


def ladder_json(
    task: TaskSpec, data: TrainingData, candidates: Sequence[Candidate]
) -> list[dict[str, Any]]:
    """Each model's headline figure on the test patients, with what chose it and what it took."""
    name = headline(task)
    return [
        {
            "name": each.name,
            name: _figure(task, data, each.outputs["test"]).as_dict(),
            "validation": _number(each.validation(task, data)),
            "seconds": round(each.seconds, 3),
        }
        for each in candidates
    ]


def _figure(task: TaskSpec, data: TrainingData, outputs: np.ndarray) -> Interval:
    return evaluate(task, data.true("test"), outputs, data.patients("test"))[headline(task)]


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
