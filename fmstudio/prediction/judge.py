"""An adapter judged on labelled cases: all figures, each modality alone, and what fusion adds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fmstudio.errors import InputError
from fmstudio.evaluation.metrics import evaluate, gain, headline, verdict
from fmstudio.prediction.predictor import Predictor
from fmstudio.preparation.inputs import Preparation, PreparedCases
from fmstudio.preparation.outputs import logits_of
from fmstudio.training.config import RunConfig
from fmstudio.types import Cohort, Interval, PatientCase, target_array


@dataclass(frozen=True)
class _Cases:
    """Prepared, labelled cases and the adapter that answers them."""

    predictor: Predictor
    prepared: PreparedCases
    cases: list[PatientCase]
    targets: np.ndarray

    def rows(self, modality: str) -> list[int]:
        """The cases that have a modality."""
        return [r for r, c in enumerate(self.cases) if modality in self.prepared.keys[c.case_id]]

    def outputs(self, rows: list[int], only: str | None = None) -> np.ndarray:
        """Calibrated outputs of some cases, from one modality only or from all."""
        ids = [self.cases[row].case_id for row in rows]
        logits = logits_of(self.predictor.model, self.prepared, ids, only)
        return self.predictor.readout.outputs(self.predictor.task, logits)

    def figures(self, rows: list[int], outputs: np.ndarray) -> dict[str, Interval]:
        """All figures of some cases."""
        return evaluate(self.predictor.task, self.targets[rows], outputs, self.patients(rows))

    def patients(self, rows: list[int]) -> list[str]:
        """Whose cases they are."""
        return [self.cases[row].patient_id for row in rows]


def judge(predictor: Predictor, cohort: Cohort) -> dict[str, Any]:
    """The JSON of `evaluate`: metrics, subsets and fusion on all labelled cases of `cohort`.

    Subsets are the adapter itself shown one modality. Raises InputError if no case has anything
    that the adapter can use.
    """
    preparation = Preparation(predictor.reader, predictor.settings)
    frozen = RunConfig.from_dict(predictor.card["config"]).encoders_frozen
    prepared = preparation.run(predictor.model, predictor.processors, cohort.cases, frozen)
    cases = [case for case in cohort.cases if prepared.keys[case.case_id]]
    if not cases:
        raise InputError(
            "No case has anything that the adapter can use.",
            hint=f"Give at least one of: {', '.join(predictor.modalities)}.",
        )
    judged = _Cases(predictor, prepared, cases, target_array(cases))
    everyone = list(range(len(cases)))
    fused = judged.outputs(everyone)
    figures = judged.figures(everyone, fused)
    name = headline(predictor.task)
    subsets, fusion = _subsets(judged, fused, name)
    whole = {"modalities": predictor.modalities, "n": len(cases), name: figures[name].as_dict()}
    return {
        "adapter": predictor.adapter_id,
        "n": len(cases),
        "metrics": {key: figure.as_dict() for key, figure in figures.items()},
        "subsets": [*subsets, whole],
        "fusion": fusion,
        "unreadable": preparation.unreadable,
    }


def _subsets(
    judged: _Cases, fused: np.ndarray, name: str
) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """The adapter shown one modality at a time, and the fused answer against the best of them."""
    subsets = []
    best: tuple[float, str, list[int], np.ndarray] | None = None
    for modality in judged.predictor.modalities:
        rows = judged.rows(modality)
        if not rows:
            continue
        alone = judged.outputs(rows, modality)
        figure = judged.figures(rows, alone)[name]
        subsets.append({"modalities": [modality], "n": len(rows), name: figure.as_dict()})
        if np.isfinite(figure.value) and (best is None or figure.value > best[0]):
            best = figure.value, modality, rows, alone
    if best is None or len(subsets) < 2:
        return subsets, None
    _, modality, rows, alone = best
    task, patients = judged.predictor.task, judged.patients(rows)
    won = gain(task, judged.targets[rows], fused[rows], alone, patients)
    return subsets, {"best_single": modality, "gain": won.as_dict(), "verdict": verdict(won)}
