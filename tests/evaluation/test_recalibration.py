import numpy as np
import pytest

from fmstudio.evaluation.recalibration import (
    METHODS,
    choose,
    platt,
    recalibration,
)
from tests.evaluation.made import drawn, question


def ece(found, name):
    return next(row.ece.value for row in found.methods if row.method == name)


def test_too_extreme_chances_are_mended_by_the_simplest_map_that_can():
    found = recalibration(drawn(0, 1000, steep=3.0), drawn(1, 600, steep=3.0))

    assert found.chosen == "temperature"
    assert ece(found, "as it is") > 0.1
    assert ece(found, "temperature") < 0.05


def test_shifted_chances_need_more_than_a_temperature():
    found = recalibration(drawn(2, 1000, shift=2.0), drawn(3, 600, shift=2.0))

    assert found.chosen == "Platt"
    assert ece(found, "Platt") < 0.05


def test_a_bent_curve_needs_steps():
    random = np.random.default_rng(4)
    chance = random.random(2000)
    bent = question(random.random(2000) < 0.2 + 0.6 * (chance > 0.7), chance)

    assert recalibration(bent.take(slice(0, 1000)), bent.take(slice(1000, 2000))).chosen == (
        "isotonic"
    )


def test_right_chances_are_left_as_they_are():
    chosen = [recalibration(drawn(s, 50), drawn(100 + s, 150)).chosen for s in range(8)]

    assert chosen.count("as it is") >= 6


def test_of_maps_within_one_standard_error_the_simplest_is_chosen():
    random = np.random.default_rng(0)
    base = random.random(50)
    losses = {name: base + random.normal(0, 0.5, 50) for name in METHODS}
    losses["isotonic"] = base - 0.001

    assert choose(losses) == "as it is"
    assert choose({name: base + 0.1 * (name == "as it is") for name in METHODS}) == "temperature"


def test_platt_never_turns_ranks():
    chance = np.linspace(0.1, 0.9, 40)
    wrong = chance < 0.5
    read = platt(chance, wrong)

    assert read(chance) == pytest.approx(chance)


def test_with_few_validation_patients_nothing_is_fitted_and_it_is_said():
    found = recalibration(drawn(0, 50), drawn(1, 15))

    assert found.chosen == "as it is"
    assert "20" in found.reason
    assert recalibration(drawn(0, 50), None).n_validation == 0
