import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve, roc_curve

from fmstudio.evaluation.curves import GRID, _precision, _sensitivity, discrimination
from tests.evaluation.made import drawn, question


def test_curves_and_bands_hold_scikit_learns_points_and_the_areas_their_intervals():
    cases = drawn(0, 150)
    found = discrimination(cases)
    false, true, _ = roc_curve(cases.truth, cases.chance)
    band = found.roc.band

    assert found.roc.x == pytest.approx(false)
    assert found.roc.y == pytest.approx(true)
    inside = np.interp(band.x, false, true)
    assert (
        np.mean((np.array(band.low) - 0.02 <= inside) & (inside <= np.array(band.high) + 0.02))
        > 0.95
    )
    assert found.auroc.low < found.auroc.value < found.auroc.high


def test_curves_on_the_grid_are_those_of_scikit_learn():
    cases, weights = drawn(3, 80), np.random.default_rng(0).integers(0, 3, (1, 80)).astype(float)
    false, true, _ = roc_curve(cases.truth, cases.chance, sample_weight=weights[0])
    values, recall, _ = precision_recall_curve(cases.truth, cases.chance, sample_weight=weights[0])
    upper = [true[false <= x + 1e-9].max() for x in GRID]
    # The precision at the highest threshold that reaches a sensitivity.
    reached = [values[np.flatnonzero(recall >= x - 1e-9)[-1]] for x in GRID[1:]]

    assert _sensitivity(cases.truth, cases.chance, weights)[0] == pytest.approx(upper)
    assert _precision(cases.truth, cases.chance, weights)[0, 1:] == pytest.approx(reached)


def test_one_class_has_no_curves():
    found = discrimination(question([True] * 5, np.linspace(0.1, 0.9, 5)))

    assert found.roc is None
    assert np.isnan(found.auroc.value)
