"""Cases whose truth follows from a chance, for tests of what judges chances."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, softmax

from fmstudio.evaluation.conformal import fit_conformal
from fmstudio.evaluation.evaluation import judgement
from fmstudio.evaluation.labelled_predictions import HeldOut, LabelledPredictions, Question
from fmstudio.types import TaskSpec

BINARY = TaskSpec("binary", ("ill",), ("no", "yes"), "yes")
CLASSES = TaskSpec("multiclass", ("kind",), ("a", "b", "c"))
LABELS = TaskSpec("multilabel", ("x", "y"), ("x", "y"))
NUMBER = TaskSpec("regression", ("days",), ("days",))


def question(truth, chance, patients=None) -> Question:
    """A question about one case of each patient, or of the patients given."""
    n = len(truth)
    own = np.arange(n) if patients is None else np.array(patients)
    return Question("yes", np.array(truth, bool), np.array(chance, float), own, np.arange(n))


def drawn(seed: int, n: int, steep: float = 1.0, shift: float = 0.0) -> Question:
    """Chances that are right where `steep` is 1 and `shift` 0; too extreme where it is above 1."""
    random = np.random.default_rng(seed)
    score = random.normal(-0.8, 1.5, n)
    return question(random.random(n) < expit(score), expit(steep * score + shift))


def answered(given: Question, groups=None, modalities: int = 2) -> LabelledPredictions:
    """The same as answered cases."""
    n = len(given)
    return LabelledPredictions(
        tuple(f"c{i}" for i in range(n)),
        given.patients,
        given.truth.astype(float),
        given.chance,
        np.ones((n, modalities), bool),
        groups or {},
    )


def held_out(test: Question, validation: Question | None = None, groups=None) -> HeldOut:
    """The same as what the registry keeps."""
    before = None if validation is None else answered(validation)
    return HeldOut(BINARY, ("a", "b"), answered(test, groups), before)


def labelled(task, seed, n=80):
    """Labelled predictions of one case a patient, for a task of any other kind, with two sexes."""
    random = np.random.default_rng(seed)
    score = random.normal(size=(n, len(task.labels)))
    if task.kind == "multilabel":
        outputs = expit(score)
        targets = (random.random(score.shape) < outputs).astype(float)
        targets[::5, 0] = np.nan
    elif task.kind == "multiclass":
        outputs = softmax(score, axis=1)
        targets = np.array([random.choice(3, p=p) for p in outputs], float)
    else:
        outputs = score[:, 0]
        targets = outputs + random.normal(size=n)
    groups = {"sex": tuple(random.choice(["F", "M"], n).tolist())}
    return LabelledPredictions(
        tuple(f"c{i}" for i in range(n)),
        np.arange(n),
        targets,
        outputs,
        np.ones((n, 2), bool),
        groups,
    )


def judged(task, seed=0):
    """The evaluation of such predictions."""
    test, validation = labelled(task, seed), labelled(task, seed + 1, 60)
    held = HeldOut(task, ("m", "n"), test, validation)
    return judgement("adapter-1", held, fit_conformal(task, validation.outputs, validation.targets))
