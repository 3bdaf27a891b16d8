"""Cross-fitting: each case is answered once, by a fit that has not seen its patient."""

from __future__ import annotations

import numpy as np

from fmstudio.evaluation.cross_fit import cross_fit, patient_folds

PATIENTS = [f"p{number}" for number in np.random.default_rng(0).integers(0, 12, 50)]


def test_every_case_is_answered_by_a_fit_without_its_patient():
    names = np.array(PATIENTS)

    def seen(inner: np.ndarray, outer: np.ndarray) -> np.ndarray:
        return np.stack([np.isin(names[outer], names[inner]), outer], 1).astype(float)

    found = cross_fit(patient_folds(PATIENTS), seen)

    assert not found[:, 0].any()
    assert found[:, 1].tolist() == list(range(50))


def test_there_are_no_more_folds_than_patients_and_none_of_a_single_one():
    assert len(patient_folds(["a", "b", "b", "c"])) == 3
    assert patient_folds(["a", "a"]) == []
