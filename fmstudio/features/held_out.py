"""An adapter's answers to held-out cases, whole and with modalities hidden from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fmstudio.adapters.readout import Readout
from fmstudio.evaluation.fusion import (
    Judged,
    Shown,
    every_subset,
    fusion_json,
    missing_json,
    subsets_json,
)
from fmstudio.evaluation.labelled_predictions import HeldOut, LabelledPredictions
from fmstudio.features.inputs import PreparedCases
from fmstudio.features.outputs import logits_of, logits_of_subsets
from fmstudio.model.shared import SharedModel
from fmstudio.types import PatientCase, TaskSpec

FEWEST_OF_SUBSET = 2  # cases that have a whole subset, before it is judged


@dataclass(frozen=True)
class Asked:
    """An adapter's model and the prepared cases that it may be asked about."""

    task: TaskSpec
    model: SharedModel
    readout: Readout
    prepared: PreparedCases

    def answered(self, cases: Sequence[PatientCase]) -> LabelledPredictions:
        """The cases with their calibrated outputs."""
        logits = logits_of(self.model, self.prepared, [case.case_id for case in cases])
        return LabelledPredictions.of(
            cases, self.readout.outputs(self.task, logits), self._has(cases)
        )

    def shown(self, cases: Sequence[PatientCase], whole: np.ndarray) -> list[Shown]:
        """Outputs with all but a subset of the modalities hidden, for each that enough cases have.

        `whole` are the outputs from all that the cases have: the same for those that have no more.
        """
        has, names = self._has(cases), self.model.modalities
        rows, more = {}, {}
        for subset in every_subset(names):
            inside = np.isin(names, subset)
            own = np.flatnonzero(has[:, inside].all(axis=1))
            if len(own) >= FEWEST_OF_SUBSET:
                rows[subset], more[subset] = own, has[own][:, ~inside].any(axis=1)
        asked = {
            subset: [cases[row].case_id for row in own[more[subset]]]
            for subset, own in rows.items()
            if more[subset].any()
        }
        found = {subset: whole[own].copy() for subset, own in rows.items()}
        for subset, logits in logits_of_subsets(self.model, self.prepared, asked).items():
            found[subset][more[subset]] = self.readout.outputs(self.task, logits)
        return [Shown(subset, rows[subset], outputs) for subset, outputs in found.items()]

    def _has(self, cases: Sequence[PatientCase]) -> np.ndarray:
        """Which case has which modality: (n, M)."""
        names, keys = self.model.modalities, self.prepared.keys
        return np.array([[name in keys[case.case_id] for name in names] for case in cases], bool)


def held_out(
    asked: Asked, cases: Mapping[str, Sequence[PatientCase]], rivals: Sequence[Shown] = ()
) -> HeldOut:
    """All that an adapter is judged by, from its answers to `cases` of "test", and of "validation"
    where there are any.

    `rivals` are models made for one modality each; without them the adapter that is shown one
    modality is its own rival. They take the place of the adapter in `subsets`.
    """
    test = asked.answered(cases["test"])
    before = cases.get("validation")
    judged = Judged(asked.task, test.targets, test.patients, test.outputs)
    shown = asked.shown(cases["test"], test.outputs)
    made = {rival.modalities: rival for rival in rivals}
    compared = [made.get(one.modalities, one) for one in shown]
    singles = [one for one in compared if len(one.modalities) == 1]
    names = asked.model.modalities
    return HeldOut(
        asked.task,
        tuple(names),
        test,
        asked.answered(before) if before else None,
        asked.readout.temperature,
        tuple(subsets_json(judged, compared, names, shown)),
        fusion_json(judged, singles),
        tuple(missing_json(judged, shown, names)),
        shift=asked.readout.shift,
    )
