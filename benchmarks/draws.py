"""Who is held out and whose labels are known: the same for every base and baseline.

Shape letters: n cases.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.cohorts import DATA, Question
from fmstudio.cohort import build_cohort, make_task, propose_roles, read_manifest
from fmstudio.cohort.splits import split_patients
from fmstudio.contracts import pipeline
from fmstudio.types import Cohort, PatientCase

HELD_OUT = 0.4  # of the patients
ALL = "all"
# Bases may be trained on the unlabelled training patients of these (INDEX.md, column "Base?").
# Their held-out patients are those whom no base has seen: the validation and test splits.
SEEN_WITHOUT_LABELS = frozenset(
    (
        "circor_heart_sounds",
        "physionet2012_icu",
        "shanghai_diabetes_cgm",
        "mts_dialog_notes",
        "pneumoniamnist_28",
        "donateacry_negative_control",
    )
)


@dataclass(frozen=True)
class Draw:
    """Rows (of `Few.cases`) of one seed: held out, and to learn from in the order of drawing."""

    seed: int
    test: np.ndarray
    pool: np.ndarray

    def labelled(self, budget: str) -> np.ndarray:
        """The first `budget` rows of the pool; all of them where there are fewer."""
        return self.pool if budget == ALL else self.pool[: int(budget)]


@dataclass(frozen=True)
class Few:
    """One cohort asked with few labels; `seen` are the patients whom a base may have seen."""

    name: str
    cohort: Cohort
    modalities: tuple[str, ...]
    seen: frozenset[str]

    @property
    def cases(self) -> Sequence[PatientCase]:
        """In the manifest's order, those with any of the modalities."""
        return self.cohort.cases

    @property
    def targets(self) -> np.ndarray:
        """(n,) 0/1 or class index."""
        return np.array([case.target for case in self.cases], float)

    @property
    def patients(self) -> list[str]:
        """The patient of each case."""
        return [case.patient_id for case in self.cases]

    def without(self, gone: frozenset[str]) -> Few:
        """The same without some cases, by id."""
        left = tuple(case for case in self.cases if case.case_id not in gone)
        return replace(self, cohort=replace(self.cohort, cases=left))

    def draws(self, seeds: int) -> Iterator[Draw]:
        """For each seed a test set of other patients, stratified, and an order of drawing."""
        strata: dict[str, frozenset[float]] = {}
        for case, target in zip(self.cases, self.targets, strict=True):
            strata[case.patient_id] = strata.get(case.patient_id, frozenset()) | {float(target)}
        for seed in range(seeds):
            if self.name in SEEN_WITHOUT_LABELS:
                held_out = strata.keys() - self.seen
            else:
                parts = split_patients(strata, seed, {"train": 1 - HELD_OUT, "test": HELD_OUT})
                held_out = {patient for patient, part in parts.items() if part == "test"}
            tested = np.array([patient in held_out for patient in self.patients])
            pool = np.flatnonzero(~tested)
            order = _stratified_order(self.targets[pool], np.random.default_rng([seed, 7]))
            yield Draw(seed, np.flatnonzero(tested), pool[order])


def _stratified_order(targets: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """A random order of which every beginning has the classes' shares, and all classes early."""
    place = np.zeros(len(targets))
    for value in np.unique(targets):
        rows = draw.permutation(np.flatnonzero(targets == value))
        place[rows] = (np.arange(len(rows)) + draw.random(len(rows))) / len(rows)
        place[rows[0]] -= 1
    return np.argsort(place, kind="stable")


def open_question(name: str, question: Question, kinds: Sequence[str] = ()) -> Few | None:
    """The cohort as the question has it; with `kinds`, only the modalities of these kinds.

    None where the cohort has none of them.
    """
    manifest = read_manifest(DATA / question.folder / "manifest.csv")
    proposed = propose_roles(manifest, label=list(question.labels), kind=question.task)
    roles = {role.column: role.role for role in proposed}
    asked = roles | dict.fromkeys(question.ignore, "ignore")
    task = make_task(manifest, asked, question.task)
    cohort = build_cohort(manifest, asked, task, name)
    chosen = [m for m in cohort.modalities if not kinds or pipeline(m).kind in kinds]
    if not chosen:
        return None
    cases = tuple(c for c in cohort.cases if any(c.sources.get(m) for m in chosen))
    # Split as pretraining splits it: by the roles that the studio proposes.
    usual = build_cohort(manifest, roles, task, name)
    seen = frozenset(case.patient_id for case in usual.split("train"))
    return Few(name, replace(cohort, cases=cases), tuple(chosen), seen)


def names(questions: Mapping[str, Question]) -> list[str]:
    """The questions that are asked here: the multilabel one repeats another's cases."""
    return [name for name, question in questions.items() if question.task != "multilabel"]
