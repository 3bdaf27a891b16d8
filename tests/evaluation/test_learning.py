import numpy as np
import pytest
from scipy.special import expit

from fmstudio.evaluation.learning import PowerLaw, Refit, fit_power_law, learning_curve
from tests.evaluation.made import BINARY

SIZES = np.array([20.0, 40, 80, 160, 320])


def test_a_law_is_found_again_from_its_own_scores():
    law = PowerLaw(0.9, 1.2, 0.5)
    found = fit_power_law(SIZES, law.at(SIZES))

    assert found.ceiling == pytest.approx(0.9, abs=1e-6)
    assert found.power == pytest.approx(0.5)
    assert found.cases_for(0.85) == pytest.approx((1.2 / 0.05) ** 2, rel=1e-3)


def test_a_score_above_the_ceiling_is_never_reached():
    assert PowerLaw(0.8, 1.0, 0.5).cases_for(0.8) == float("inf")
    assert fit_power_law(SIZES, np.full(5, 0.7)).cases_for(0.75) == float("inf")


def refits(seed, sizes=SIZES, n=400):
    """Models whose score grows with their cases: noise on the truth shrinks with the root."""
    random = np.random.default_rng(seed)
    score = random.normal(size=n) * 2
    truth = random.random(n) < expit(score)
    made = [
        Refit(
            size,
            size / 4,
            [expit(score + random.normal(size=n) * 15 / np.sqrt(size)) for _ in range(4)],
        )
        for size in sizes
    ]
    return truth.astype(float), made


def test_a_forecast_says_how_many_more_cases_and_positives_with_its_band():
    truth, made = refits(0)
    found = learning_curve(BINARY, truth, np.arange(400), made)
    values = [point["auroc"]["value"] for point in found["points"]]

    assert values == sorted(values)
    assert [point["positives"] for point in found["points"]] == [5, 10, 20, 40, 80]
    forecast = found["forecast"][0]
    assert forecast["target"] > values[-1] - 0.02
    more, positives = forecast["more_cases"], forecast["more_positives"]
    if more["value"] is not None:
        assert positives["value"] == pytest.approx(more["value"] / 4, abs=1)
        assert more["low"] <= more["value"]
    for point in found["curve"]:
        assert point["low"] <= point["high"]


def test_the_band_holds_what_a_model_of_twice_the_cases_reaches():
    inside = []
    for seed in range(5):
        truth, made = refits(seed, np.append(SIZES, 640.0))
        whole = learning_curve(BINARY, truth, np.arange(400), made)["points"][-1]["auroc"]["value"]
        found = learning_curve(BINARY, truth, np.arange(400), made[:-1])
        near = min(found["curve"], key=lambda point: abs(point["cases"] - 640))
        inside.append(near["low"] <= whole <= near["high"])

    assert sum(inside) >= 4


def test_two_sizes_are_too_few_for_a_forecast():
    truth, made = refits(0)
    found = learning_curve(BINARY, truth, np.arange(400), made[:2])

    assert found["forecast"] == []
    assert "Too few" in found["reason"]
    assert len(found["points"]) == 2
