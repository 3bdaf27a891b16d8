import numpy as np
from scipy.special import expit

from fmstudio.evaluation.subgroups import subgroups
from fmstudio.results.subgroups import SmallGroup
from tests.evaluation.made import answered, question


def cohort(seed, n, blind=0.0, sicker=0.0):
    """Patients of two sexes and three sites. In site C the score is worth `blind` less, and its
    patients are `sicker` in a way that the score knows."""
    random = np.random.default_rng(seed)
    sex = random.choice(["F", "M"], n)
    site = random.choice(["A", "B", "C"], n, p=[0.4, 0.3, 0.3])
    true = random.normal(-0.5, 1.5, n) + sicker * (site == "C")
    seen = np.where(site == "C", (1 - blind) * true - 2.5 * blind, true)
    cases = question(random.random(n) < expit(true), expit(seen))
    return cases, answered(cases, {"sex": tuple(sex.tolist()), "site": tuple(site.tolist())})


def test_a_planted_gap_is_found_and_named():
    found = subgroups(*cohort(0, 600, blind=0.9))
    named = [gap for gap in found.gaps if gap.group == {"site": "C"}]

    assert {"sensitivity", "calibration"} <= {gap.metric for gap in named}
    (gap,) = [gap for gap in named if gap.metric == "sensitivity"]
    assert gap.gap.high < 0
    assert gap.p <= 0.05


def test_equal_groups_are_called_different_in_at_most_5_percent():
    """benchmarks/judgement.py counts many more cohorts."""
    flagged = [bool(subgroups(*cohort(seed, 160)).gaps) for seed in range(20)]

    assert sum(flagged) <= 3  # P(more than 3 of 20 at 5 %) is 1.6 %


def test_a_sicker_group_that_the_model_knows_to_be_sicker_is_not_called_different_in_calibration():
    flagged = [
        any(gap.metric == "calibration" for gap in subgroups(*cohort(s, 160, sicker=1.0)).gaps)
        for s in range(8)
    ]

    assert sum(flagged) <= 2


def test_small_groups_are_named_with_their_size():
    cases, kept = cohort(1, 100)
    few = answered(cases, {**kept.groups, "scanner": ("old",) * 7 + ("new",) * 93})
    found = subgroups(cases, few)

    assert SmallGroup({"scanner": "old"}, 7, int(cases.truth[:7].sum())) in found.small
    assert all(entry.n >= 20 for entry in found.groups)


def test_pairs_of_columns_are_compared_and_a_pair_that_is_one_group_again_is_not():
    cases, kept = cohort(2, 400)
    copied = answered(cases, {"sex": kept.groups["sex"], "gender": kept.groups["sex"]})

    pairs = [entry.group for entry in subgroups(cases, kept).groups if len(entry.group) > 1]
    assert {"sex": "F", "site": "A"} in pairs
    assert len(pairs) == 6
    assert [e for e in subgroups(cases, copied).groups if len(e.group) > 1] == []


def test_a_figure_of_too_few_cases_is_told_but_not_tested():
    random = np.random.default_rng(0)
    truth = np.r_[np.ones(8, bool), np.zeros(22, bool), random.random(100) < 0.5]
    cases = question(truth, random.random(130))
    found = subgroups(cases, answered(cases, {"sex": ("F",) * 30 + ("M",) * 100}))
    (women,) = [entry for entry in found.groups if entry.group == {"sex": "F"}]

    assert np.isfinite(women.metrics["sensitivity"].estimate.value)
    assert women.metrics["sensitivity"].p is None
    assert women.metrics["false_positive_rate"].p is not None


def test_without_group_columns_nothing_is_compared():
    cases, _ = cohort(3, 50)
    found = subgroups(cases, answered(cases))

    assert (found.groups, found.small, found.tests, found.gaps) == ((), (), 0, ())
