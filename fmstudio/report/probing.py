"""What a probe on the frozen base's features says of cases that it did not see.

A label is in doubt where the balanced odds against it are 9 to 1: each class counts the same, so
that a rare label is not doubted for being rare. Cross-validated over patients, calibrated by one
slope and offset (Platt 1999). The idea of asking held-out predictions is that of confident learning
(Northcutt et al. 2021, JAIR 70).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from fmstudio.model.bases import EMBEDDED
from fmstudio.model.load import load_base, task_config
from fmstudio.preparation.inputs import Preparation
from fmstudio.preparation.outputs import features_of
from fmstudio.report.evidence import Doubt
from fmstudio.report.separation import FEWEST, auroc, half_width
from fmstudio.sandbox import Reader
from fmstudio.settings import Settings
from fmstudio.training.judge import groups_of
from fmstudio.training.probe import fit_probe
from fmstudio.types import Cohort, PatientCase, TaskSpec, target_array

FOLDS = 5
AGAINST = 0.1
KNOWS = 0.6  # lower end of the probe's AUROC, from which on its word counts
FAR = 4.0  # robust standard deviations of a regression's residuals


def doubts(
    cohort: Cohort,
    reader: Reader,
    settings: Settings,
    report: Callable[[float], None] = lambda share: None,
) -> list[Doubt]:
    """Cases whose label the probe contradicts strongly; [] where the probe knows too little.

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
    logits, targets = _crossed(task, values, present, cases, groups_of(model))
    if task.kind == "regression":
        return list(_far_off(task, cases, logits[:, 0], targets))
    if task.kind == "multiclass":
        return list(_other_class(task, cases, logits, targets))
    columns = targets.reshape(len(targets), -1)
    return [
        doubt
        for k, column in enumerate(columns.T)
        for doubt in _other_answer(task, cases, logits[:, k], column, k)
    ]


def _crossed(
    task: TaskSpec, values: np.ndarray, present: np.ndarray, cases: Sequence[PatientCase],
    groups: Sequence[Sequence[slice]],
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Logits (n, K) of probes that did not see the patient, and the targets in their units."""
    targets = target_array(cases)
    if task.kind == "regression":
        targets = (targets - targets.mean()) / max(float(targets.std()), 1e-9)
    patients = [case.patient_id for case in cases]
    logits = np.zeros((len(cases), task.outputs))
    folds = GroupKFold(FOLDS, shuffle=True, random_state=0)
    for inner, outer in folds.split(values, groups=patients):
        train = values[inner], present[inner], targets[inner]
        head = fit_probe(task, train, [patients[row] for row in inner], True, groups)
        logits[outer] = head.logits(values[outer], present[outer])
    return logits, targets


def _other_answer(
    task: TaskSpec, cases: Sequence[PatientCase], logits: np.ndarray, answers: np.ndarray, k: int
) -> Iterator[Doubt]:
    """Of one yes or no."""
    known = np.isfinite(answers)
    yes, no = int((answers == 1).sum()), int((answers == 0).sum())
    if min(yes, no) < FEWEST:
        return
    reached = auroc(logits[known], answers[known])
    if reached - half_width(reached, yes, no) < KNOWS:
        return
    platt = LogisticRegression(C=1e3, class_weight="balanced")
    platt.fit(logits[known, None], answers[known])
    chance = expit(platt.decision_function(logits[:, None]))
    names = task.labels if task.kind == "binary" else ("0", "1")
    column = task.columns[0] if task.kind == "binary" else task.labels[k]
    for case, p, answer in zip(cases, chance, answers, strict=True):
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
