import numpy as np
import pytest

from fmstudio.evaluation.operating_points import at_threshold, operating_points, threshold_for
from fmstudio.results.thresholds import Confusion
from tests.evaluation.made import drawn, question


def worked():
    """Altman and Bland's kind of table: 231 of 258 sick and 27 of 86 healthy are flagged
    (liver scans: BMJ 1994;308:1552 and 309:102)."""
    truth = np.repeat([True, True, False, False], [231, 27, 32, 54])
    return question(truth, np.repeat([0.9, 0.1, 0.9, 0.1], [231, 27, 32, 54]))


def test_a_worked_example_gives_its_published_figures():
    found = at_threshold(worked(), 0.5)

    assert found.counts == Confusion(
        true_positives=231, false_positives=32, false_negatives=27, true_negatives=54
    )
    assert found.sensitivity.value == pytest.approx(231 / 258)  # 0.90
    assert found.specificity.value == pytest.approx(54 / 86)  # 0.63
    assert found.ppv.value == pytest.approx(231 / 263)  # 0.88
    assert found.npv.value == pytest.approx(54 / 81)  # 0.67
    assert found.lr_positive.value == pytest.approx(0.895 / 0.372, rel=2e-3)
    assert found.lr_negative.value == pytest.approx(0.105 / 0.628, rel=4e-3)


def test_at_the_prevalence_of_another_clinic_predictive_values_follow_bayes():
    # Altman and Bland 1994: at a prevalence of 0.25 the same scan has PPV 0.45 and NPV 0.95.
    found = at_threshold(worked(), 0.5, prevalence=0.25)

    assert found.ppv.value == pytest.approx(0.45, abs=0.01)
    assert found.npv.value == pytest.approx(0.95, abs=0.01)
    odds = 0.25 / 0.75 * found.lr_positive.value
    assert found.ppv.value == pytest.approx(odds / (1 + odds))
    assert found.sensitivity == at_threshold(worked(), 0.5).sensitivity


def test_numbers_per_1000_add_up_to_1000_patients():
    numbers = at_threshold(worked(), 0.5, prevalence=0.25).per_1000

    assert numbers.true_positives == pytest.approx(250 * 231 / 258)
    assert numbers.true_positives + numbers.false_negatives == pytest.approx(250)
    assert numbers.false_positives + numbers.true_negatives == pytest.approx(750)
    assert numbers.flagged == pytest.approx(250 * 231 / 258 + 750 * 32 / 86)


@pytest.mark.parametrize(
    ("name", "target"),
    [("sensitivity", 0.9), ("specificity", 0.9), ("ppv", 0.7), ("npv", 0.9)],
)
def test_a_threshold_for_a_target_reaches_it_and_the_next_one_does_not(name, target):
    cases = drawn(1, 400)
    threshold = threshold_for(cases, name, target)
    step = 0.005 if name in ("sensitivity", "npv") else -0.005

    def value(at):
        return getattr(at_threshold(cases, at), name).value

    assert value(threshold) >= target
    beyond = [value(threshold + step * k) for k in range(1, 20)]
    assert np.nanmin(beyond) < target


def test_at_the_thresholds_0_and_1_everybody_and_nobody_is_flagged():
    everybody, nobody = at_threshold(worked(), 0.0), at_threshold(worked(), 1.0)

    assert everybody.sensitivity.value == nobody.specificity.value == 1
    assert everybody.specificity.value == nobody.sensitivity.value == 0
    assert everybody.ppv.value == pytest.approx(258 / 344)
    assert np.isnan(nobody.ppv.value)  # nobody flagged: there is no share of them
    assert np.isnan(everybody.npv.value)


def test_a_target_that_no_threshold_reaches_has_none():
    mixed = question([True, False] * 20, np.linspace(0.1, 0.9, 40))
    top_is_wrong = question([True, False], [0.2, 0.8])

    assert threshold_for(top_is_wrong, "ppv", 0.9) is None
    assert threshold_for(mixed, "ppv", 1.0) is None
    assert threshold_for(question([True, True], [0.2, 0.8]), "sensitivity", 0.9) is None


def test_operating_points_are_chosen_on_validation_patients_and_judged_on_others():
    points = operating_points(drawn(2, 300), drawn(3, 200))
    alone = operating_points(drawn(2, 300), None)

    assert points.chosen_on == "validation patients"
    assert points.n_chosen_on == 200
    assert alone.chosen_on == "the same patients"
    (own,) = [p for p in alone.points if (p.target, p.asked) == ("sensitivity", 0.9)]
    assert own.at.sensitivity.value >= 0.9
    for point in points.points:
        assert point.at.threshold == threshold_for(drawn(3, 200), point.target, point.asked)


def test_several_cases_of_a_patient_make_intervals_no_narrower():
    one = drawn(4, 100)
    five = question(np.tile(one.truth, 5), np.tile(one.chance, 5), np.tile(one.patients, 5))
    width = [
        f.sensitivity.high - f.sensitivity.low
        for f in (at_threshold(one, 0.3), at_threshold(five, 0.3))
    ]

    assert width[1] == pytest.approx(width[0], rel=1e-9)
