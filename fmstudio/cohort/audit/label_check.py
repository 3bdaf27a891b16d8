"""What models that did not see a case say of its label.

Two are asked, cross-validated over patients: the probe on the frozen base's features, and gradient
boosting on the table. For yes or no their logits are weighed by a logistic fit (stacking, which
calibrates too: Platt 1999). A label is in doubt where the balanced odds against it are 9 to 1: each
class counts the same, so that a rare label is not doubted for being rare. The idea of asking
held-out predictions is that of confident learning (Northcutt et al. 2021, JAIR 70).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from scipy.special import expit, logit, softmax
from sklearn.linear_model import LogisticRegression

from fmstudio.baselines.boosting import table_baseline
from fmstudio.baselines.head import Groups, Head
from fmstudio.baselines.sample_weights import SampleWeights
from fmstudio.baselines.stacking import fit_probe
from fmstudio.cohort.audit.discrimination import FEWEST_UNITS, auroc, half_width
from fmstudio.cohort.audit.evidence import Doubt
from fmstudio.contracts import pipelines
from fmstudio.evaluation.cross_fit import FOLDS, cross_fit, patient_folds
from fmstudio.features.inputs import Preparation
from fmstudio.features.outputs import features_of
from fmstudio.model.bases import EMBEDDED
from fmstudio.model.load import load_base, task_config
from fmstudio.sandbox import Reader
from fmstudio.settings import Settings
from fmstudio.training.candidates import groups_of
from fmstudio.types import Cohort, ModalityInput, PatientCase, TaskSpec, target_array

AGAINST = 0.1
KNOWS = 0.6  # lower end of the probe's AUROC, from which on its word counts
FAR = 4.0  # robust standard deviations of a regression's residuals


def doubts(
    cohort: Cohort,
    reader: Reader,
    settings: Settings,
    report: Callable[[float], None] = lambda share: None,
) -> list[Doubt]:
    """Cases whose label the models contradict strongly; [] where they know too little.

    What the encoders make of the files is cached, and fine-tuning on the same base finds it.
    """
    task = cohort.task
    model = load_base(task_config(EMBEDDED, cohort.modalities, task.outputs, settings), settings)
    preparation = Preparation(reader, settings, report)
    processors = preparation.fit(model, cohort.split("train"))
    prepared = preparation.run(model, processors, cohort.cases, frozen=True)
    cases = [case for case in cohort.cases if prepared.keys[case.case_id]]
    if len({case.patient_id for case in cases}) < 2 * FOLDS:
        return []
    values, present = features_of(model, prepared, [case.case_id for case in cases])
    tables = _tables(preparation, cases)
    said, targets = _crossed(task, values, present, tables, cases, groups_of(model))
    if task.kind == "regression":
        return list(_far_off(task, cases, said.mean(0)[:, 0], targets))
    if task.kind == "multiclass":
        return list(_other_class(task, cases, said.mean(0), targets))
    columns = targets.reshape(len(targets), -1)
    return [
        doubt
        for k, column in enumerate(columns.T)
        for doubt in _other_answer(task, cases, said[:, :, k].T, column, k)
    ]


def _tables(
    preparation: Preparation, cases: Sequence[PatientCase]
) -> list[ModalityInput | None] | None:
    """The table of each case, None for one that has none; None if nobody has one."""
    found: dict[str, ModalityInput] = {}
    for name, pipeline in pipelines().items():
        if pipeline.kind == "table":
            found |= {c.case_id: given for c, given in preparation.inputs(name, cases, keep=False)}
    return [found.get(case.case_id) for case in cases] if found else None


def _crossed(
    task: TaskSpec,
    values: np.ndarray,
    present: np.ndarray,
    tables: Sequence[ModalityInput | None] | None,
    cases: Sequence[PatientCase],
    groups: Groups,
) -> tuple[np.ndarray, np.ndarray]:
    """Logits (models, n, K) of models that did not see the patient, and targets in their units."""
    targets = target_array(cases)
    if task.kind == "regression":
        targets = (targets - targets.mean()) / max(float(targets.std()), 1e-9)
    patients = [case.patient_id for case in cases]
    folds, even = patient_folds(patients), SampleWeights(balance=True)

    def by_probe(inner: np.ndarray, outer: np.ndarray) -> np.ndarray:
        train = values[inner], present[inner], targets[inner]
        head: Head = fit_probe(task, train, [patients[row] for row in inner], even, groups)
        return head.logits(values[outer], present[outer])

    said = [cross_fit(folds, by_probe)]
    if tables is not None:

        def by_boosting(inner: np.ndarray, outer: np.ndarray) -> np.ndarray:
            own, others = ([tables[row] for row in rows] for rows in (inner, outer))
            weights = even.weights(task, targets[inner])
            answers = table_baseline(task, own, targets[inner], others, weights)
            return np.asarray(_as_logits(task, answers).reshape(len(outer), -1))

        said.append(cross_fit(folds, by_boosting))
    return np.stack(said), targets


def _as_logits(task: TaskSpec, answers: np.ndarray) -> np.ndarray:
    if task.kind == "regression":
        return answers
    chances = np.clip(answers, 1e-4, 1 - 1e-4)
    return np.asarray(np.log(chances) if task.kind == "multiclass" else logit(chances))


def _other_answer(
    task: TaskSpec, cases: Sequence[PatientCase], said: np.ndarray, answers: np.ndarray, k: int
) -> Iterator[Doubt]:
    """Of one yes or no; `said` are logits (n, models)."""
    known = np.isfinite(answers)
    yes, no = int((answers == 1).sum()), int((answers == 0).sum())
    if min(yes, no) < FEWEST_UNITS:
        return
    stacked = LogisticRegression(class_weight="balanced").fit(said[known], answers[known])
    odds = stacked.decision_function(said)
    reached = auroc(odds[known], answers[known])
    if reached - half_width(reached, yes, no) < KNOWS:
        return
    names = task.labels if task.kind == "binary" else ("0", "1")
    column = task.columns[0] if task.kind == "binary" else task.labels[k]
    for case, p, answer in zip(cases, expit(odds), answers, strict=True):
        given = p if answer == 1 else 1 - p
        if np.isfinite(answer) and given < AGAINST:
            own, other = names[int(answer)], names[1 - int(answer)]
            yield Doubt(case.row, column, float(given), own, other)


def _other_class(
    task: TaskSpec, cases: Sequence[PatientCase], logits: np.ndarray, targets: np.ndarray
) -> Iterator[Doubt]:
    chances = softmax(logits, axis=1)
    classes = targets.astype(int)
    for case, p, own in zip(cases, chances, classes, strict=True):
        likely = int(p.argmax())
        if p[own] < AGAINST * p[likely] and p[likely] > 0.5:
            given = float(p[own])
            yield Doubt(case.row, task.columns[0], given, task.labels[own], task.labels[likely])


def _far_off(
    task: TaskSpec, cases: Sequence[PatientCase], answers: np.ndarray, targets: np.ndarray
) -> Iterator[Doubt]:
    """Numbers far from what the probe expects, where it explains any of them."""
    residuals = targets - answers
    if np.mean(residuals**2) > 0.9 * np.mean(targets**2):
        return
    spread = 1.4826 * max(float(np.median(np.abs(residuals))), 1e-9)
    true = target_array(cases)
    centre, scale = float(true.mean()), float(true.std())
    for case, answer, value, residual in zip(cases, answers, true, residuals, strict=True):
        if abs(residual) > FAR * spread:
            given = float(np.exp(-((residual / spread) ** 2) / 2))
            expected = f"{answer * scale + centre:.4g}"
            yield Doubt(case.row, task.columns[0], given, f"{value:g}", expected)
