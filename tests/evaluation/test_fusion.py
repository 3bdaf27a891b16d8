import numpy as np
import pytest
from scipy.special import expit

from fmstudio.evaluation.fusion import (
    Judged,
    Shown,
    every_subset,
    fusion_json,
    missing_json,
    subsets_json,
)
from fmstudio.evaluation.metrics import score
from tests.evaluation.made import BINARY


def test_every_non_empty_subset_is_named_once_small_ones_first():
    found = every_subset(["a", "b", "c"])

    assert found == [("a",), ("b",), ("c",), ("a", "b"), ("a", "c"), ("b", "c"), ("a", "b", "c")]
    assert len(every_subset("abcdef")) == 63


def made(seed=0, n=300):
    """Two modalities that each see half of what matters; a third of the cases lacks the second."""
    random = np.random.default_rng(seed)
    one, two = random.normal(size=n), random.normal(size=n)
    has = random.random(n) > 1 / 3
    truth = random.random(n) < expit(2 * (one + two))
    fused = expit(2 * (one + two * has))
    rows = np.flatnonzero(has)
    shown = [
        Shown(("a",), np.arange(n), expit(2 * one)),
        Shown(("b",), rows, expit(2 * two[has])),
        Shown(("a", "b"), rows, expit(2 * (one + two))[has]),
    ]
    return Judged(BINARY, truth.astype(float), np.arange(n), fused), shown


def test_each_subset_is_compared_with_everything_on_the_cases_that_have_it():
    judged, shown = made()
    one, two, whole = subsets_json(judged, shown, ["a", "b"])
    rows = shown[1].rows

    assert (one["n"], two["n"], whole["n"]) == (300, len(rows), 300)
    assert two["gain"]["value"] == pytest.approx(
        score(BINARY, judged.targets[rows], judged.fused[rows])
        - score(BINARY, judged.targets[rows], shown[1].outputs)
    )
    assert one["verdict"] == two["verdict"] == "helps"
    assert whole["modalities"] == ["a", "b"]


def test_beside_the_figure_of_a_rival_stands_what_the_adapter_itself_reached():
    judged, shown = made()
    rival = Shown(("a",), shown[0].rows, expit(shown[0].outputs * 0), "made for a alone")

    one, two, _ = subsets_json(judged, [rival, *shown[1:]], ["a", "b"], shown)

    assert one["auroc"]["value"] == 0.5
    assert one["adapter"]["value"] == score(BINARY, judged.targets, shown[0].outputs)
    assert "adapter" not in two


def test_fusion_is_claimed_against_the_strongest_rival():
    judged, shown = made()
    found = fusion_json(judged, shown[:2])

    best = max(shown[:2], key=lambda s: score(BINARY, judged.targets[s.rows], s.outputs))
    assert found["best_single"] == best.modalities[0]
    assert found["n"] == len(best.rows)
    assert fusion_json(judged, shown[:1]) is None


def test_what_is_hidden_costs_and_the_figure_is_the_mean_over_subsets():
    judged, shown = made()
    nothing, one = missing_json(judged, shown, ["a", "b"])
    scores = [score(BINARY, judged.targets[s.rows], s.outputs) for s in shown]

    assert (nothing["missing"], nothing["n"]) == (0, len(shown[2].rows))
    assert one["auroc"]["value"] == pytest.approx((scores[0] + scores[1]) / 2)
    assert one["subsets"] == 2
    assert nothing["auroc"]["value"] > one["auroc"]["value"]


def test_a_rival_of_another_make_says_nothing_about_what_the_adapter_can_lack():
    judged, shown = made()
    probes = [Shown(s.modalities, s.rows, s.outputs, "probe") for s in shown[:2]]

    assert [e["missing"] for e in missing_json(judged, [*probes, shown[2]], ["a", "b"])] == [0]
